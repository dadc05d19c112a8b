"""What an answer other than success means for the daemon."""

from __future__ import annotations

import requests
from pydantic import ValidationError

from sync.faults import Fault, SyncFault
from sync.protocol import Problem


def refusal(response: requests.Response, text: bytes) -> tuple[SyncFault, Problem | None]:
    """The fault in an answer whose body is `text`, and its problem document if it is one."""
    status = response.status_code
    retry_after = _seconds(response.headers.get("Retry-After"))
    try:
        problem = Problem.model_validate_json(text)
    except ValidationError:
        if status >= 500:
            return SyncFault(Fault.SERVER_ERROR, f"status {status}", retry_after=retry_after), None
        return SyncFault(Fault.NOT_CENTRAL, f"status {status} without a problem document"), None
    if problem.type == "revoked":
        return SyncFault(Fault.REVOKED, problem.detail, retry_after=retry_after), problem
    fault = Fault.SERVER_ERROR if status >= 500 else Fault.REFUSED
    detail = f"{status} {problem.title}: {problem.detail}"
    return SyncFault(fault, detail, retry_after=retry_after), problem


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds; dates are not used by central, and 0 would be no wait at all."""
    return float(header) or None if header and header.isdecimal() else None
