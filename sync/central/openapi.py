"""Central's OpenAPI 3.1 document: what FastAPI cannot see of routes that read their bodies themselves."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from sync.central.coding import ACCEPTED
from sync.protocol import BATCH_TYPE, KEY_TYPE, MAX_BODY, PROBLEM_TYPE, Problem
from terminal.events import LOST, TYPES

_TITLES = {
    400: "Malformed: the body is not what it should be",
    401: "The signature does not verify, or the token is missing",
    403: "Not allowed: the device is revoked, or the proof proves nothing",
    404: "There is nothing here",
    405: "Not with this method",
    408: "The body took too long to arrive",
    409: "A gap: records are missing before this batch, `expected` is the first of them",
    413: f"The body has more than {MAX_BODY} bytes, as sent or unpacked",
    415: "A content coding that is not in Accept-Encoding",
    422: "Malformed parameters",
    429: "Too many attempts",
    503: "Busy: try again after Retry-After",
}
_WITH_RETRY = (403, 429, 503)
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "A CloudEvents 1.0 event whose values are strings and booleans only. What is digested "
    "and chained is its canonical JSON (RFC 8785).",
    "required": ["specversion", "id", "source", "type", "time", "clocktrusted", "previous"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "pattern": "^[1-9][0-9]{0,18}$", "description": "The sequence number."},
        "source": {"type": "string", "pattern": "^urn:campusgate:device:.+$"},
        "type": {"enum": sorted(TYPES)},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "clocktrusted": {"type": "boolean"},
        "previous": _DIGEST | {"description": "SHA-256 of the event before, 64 zeros for the first."},
        "data_base64": {"type": "string", "contentEncoding": "base64"},
        "lostfrom": {"type": "string", "description": f"Of {LOST} only: the first lost sequence number."},
        "resumes": _DIGEST | {"description": f"Of {LOST} only: `previous` of the event after it."},
    },
    "additionalProperties": {"type": ["string", "boolean"]},
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of these statuses, each a problem document (RFC 9457)."""
    return {
        status: {
            "description": _TITLES[status],
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        | ({"headers": {"Retry-After": _header("Seconds.", "integer")}} if status in _WITH_RETRY else {})
        for status in statuses
    }


def json_body(model: type[BaseModel] | dict[str, Any], media: str = KEY_TYPE) -> dict[str, Any]:
    """A request body that the route reads itself."""
    schema = model if isinstance(model, dict) else model.model_json_schema()
    return {"required": True, "content": {media: {"schema": schema}}}


def _header(description: str, kind: str = "string") -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


def _parameter(name: str, description: str, *, required: bool = True) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required} | _header(description)


SIGNED = [
    _parameter("Content-Digest", "RFC 9530, sha-256, over the body as it is sent."),
    _parameter(
        "Signature-Input",
        "RFC 9421: @method, @path, content-type, content-digest, and content-encoding when there is one; "
        "keyid is the device's name.",
    ),
    _parameter("Signature", "RFC 9421, Ed25519 by the device's key."),
]
BATCH_ROUTE: dict[str, Any] = {
    "responses": {
        200: {"headers": {"Accept-Encoding": _header(f"Content codings that are taken: {ACCEPTED}.")}},
        **problems(400, 401, 403, 408, 409, 413, 415, 503),
    },
    "openapi_extra": {
        "parameters": [*SIGNED, _parameter("Content-Encoding", "zstd or gzip.", required=False)],
        "requestBody": json_body({"type": "array", "minItems": 1, "items": _EVENT}, BATCH_TYPE),
    },
}


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        app.openapi_schema = made
    return app.openapi_schema
