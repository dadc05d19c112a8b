"""Central without a socket: a requests adapter that hands each request to the ASGI application itself."""

from __future__ import annotations

import asyncio
import io
import math
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse


class InProcess(BaseAdapter):
    """Mount it in a session: requests go to `app`. sent: all of them, oldest first.

    fates: what becomes of the requests to come, one each: "lose-request", "lose-response", "duplicate",
    "portal"; those after the last arrive and are answered.
    """

    used = -math.inf  # what sync.http asks of an adapter: there is no connection that could be left over

    def __init__(self, app: Any) -> None:
        super().__init__()
        self.app = app
        self.sent: list[requests.PreparedRequest] = []
        self.fates: list[str] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        """See `BaseAdapter.send`. Raises: requests.ConnectionError when request or response is lost."""
        self.sent.append(request)
        fate = self.fates.pop(0) if self.fates else ""
        if fate == "portal":
            return _response(request, 200, {"Content-Type": "text/html"}, b"<html>Welcome</html>")
        if fate == "lose-request":
            raise requests.ConnectionError("the request is lost")
        if fate == "duplicate":
            self.deliver(request)
        response = self.deliver(request)
        if fate == "lose-response":
            raise requests.ConnectionError("the response is lost")
        return response

    def deliver(self, request: requests.PreparedRequest) -> requests.Response:
        """Central's answer to `request`, whenever it was sent."""
        return asyncio.run(self._deliver(request))

    def close(self) -> None:
        """Nothing is held."""

    async def _deliver(self, request: requests.PreparedRequest) -> requests.Response:
        url = urlsplit(request.url or "")
        body = request.body or b""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "root_path": "",
            "headers": [
                (name.lower().encode(), value.encode() if isinstance(value, str) else value)
                for name, value in {"host": url.netloc, **request.headers}.items()
            ],
            "server": (url.hostname, url.port or 80),
            "client": ("127.0.0.1", 1),
        }
        answer: dict[str, Any] = {"body": b""}
        came: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not came:
                await asyncio.Event().wait()  # whoever asked stays until there is an answer
            return came.pop()

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer["status"], answer["headers"] = message["status"], message["headers"]
            else:
                answer["body"] += message.get("body", b"")

        await self.app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in answer["headers"]}
        return _response(request, answer["status"], headers, answer["body"])


def _response(
    request: requests.PreparedRequest, status: int, headers: dict[str, str], body: bytes
) -> requests.Response:
    response = requests.Response()
    response.status_code, response.request, response.url = status, request, request.url or ""
    response.headers.update(headers)
    response.raw = HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)
    return response
