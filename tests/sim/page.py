"""The demo's web page: the gate's screen, the relay, the network and the records as they arrive."""

from __future__ import annotations

import socket
import threading
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse

from tests.sim.table import HEADINGS, cells

if TYPE_CHECKING:
    from tests.sim.demo import Demo


class Page:
    """Serves the page of `demo` on loopback until closed; on another port when `port` is taken."""

    def __init__(self, demo: Demo, port: int) -> None:
        self._socket = _listen(port)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        config = uvicorn.Config(_app(demo), log_level="error", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(3.0)
        self._socket.close()


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return socket.create_server(("127.0.0.1", 0))


def _app(demo: Demo) -> FastAPI:
    app = FastAPI(title="campusgate demo", openapi_url=None)
    html = files("tests.sim").joinpath("page.html").read_text("utf-8")

    @app.get("/", response_class=HTMLResponse)
    def page() -> str:
        return html

    @app.get("/screen.png")
    def screen() -> Response:
        png = demo.watcher.screen() if demo.watcher else b""
        return Response(
            png, 200 if png else 503, media_type="image/png", headers={"Cache-Control": "no-store"}
        )

    @app.get("/state.json")
    def state() -> dict[str, Any]:
        status = demo.watcher.status() if demo.watcher else {}
        rows = list(demo.rows)
        return {
            "terminal": status,
            "network": demo.link.up,
            "at_central": demo.watcher.at_central if demo.watcher else 0,
            "headings": HEADINGS,
            "rows": [
                {"verdict": row.answer.get("verdict", ""), "cells": cells(row)} for row in rows[:-31:-1]
            ],
        }

    return app
