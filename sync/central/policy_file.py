"""The policy as people write it, policy.toml, read into the Policy that terminals get.

What is wrong is one line each: file, line, key, the value found, what is allowed. What is odd but may be
meant is a warning. Whatever is wrong with it, a policy is refused as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from config.errors import SettingsError
from config.validation import explain
from sync.central.policy_checks import Problem, check
from sync.central.policy_source import Source, read_source
from terminal.policy import Policy
from terminal.policy.values import NAME_PATTERN
from terminal.roster_layout import MAX_SMALL

_PATTERN = f"string should match pattern '{NAME_PATTERN}'"
_NAME = "lower-case letters, digits and -, at most 63, such as north-gate"


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy that may be published. warnings: one line each. size: bytes of the published JSON."""

    policy: Policy
    warnings: tuple[str, ...]
    size: int


def read_policy(path: Path, now: datetime | None = None) -> PolicyFile:
    """The policy in the file `path`, judged as of `now` (aware; by default the present).

    Raises: SettingsError with one line for each thing that is wrong; OSError when there is no such file.
    """
    source = read_source(path)
    try:
        policy = Policy.model_validate(source.document)
    except ValidationError as error:
        lines = explain(error, Policy, source.where)
        raise SettingsError([_plain(line) for line in lines]) from error
    found = list(check(policy, policy.calendar.local(now or datetime.now(UTC))))
    size = len(policy.model_dump_json(by_alias=True).encode())
    if size > MAX_SMALL:
        found.append(
            Problem(
                (),
                f"makes {size} bytes for terminals, which take at most {MAX_SMALL}: leave out groups and "
                "lessons of past terms, lists of people (invite groups), and long names",
            )
        )
    if errors := [_line(source, problem) for problem in found if not problem.warning]:
        raise SettingsError(errors)
    return PolicyFile(policy, tuple(_line(source, problem) for problem in found), size)


def _line(source: Source, problem: Problem) -> str:
    key = ".".join(str(part) for part in problem.path) or "(whole policy)"
    warning = "warning: " if problem.warning else ""
    return f"{source.where(problem.path)}: {warning}{key}: {problem.said}"


def _plain(line: str) -> str:
    """pydantic's sentence for a name, and for the key of a table, as a clerk would say it."""
    return line.replace(_PATTERN, _NAME).replace(".[key]:", ":", 1)
