"""Plain static file servers, as a school has them: Python's own, and nginx where it is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# .ci/test-programs unpacks Debian's where there is none.
NGINX = shutil.which("nginx") or shutil.which("nginx", path=".venv/test-programs/usr/sbin")


@contextmanager
def static_server(directory: Path, kind: str = "python") -> Iterator[str]:
    """Serve `directory` on loopback with "python" (python -m http.server) or "nginx"; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as aside:
        if kind == "nginx":
            arguments = [
                str(Path(NGINX or "nginx").absolute()),
                "-p",
                aside,
                "-c",
                _nginx(Path(aside), directory, port),
            ]
        else:
            arguments = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory"]
            arguments += [str(directory), str(port)]
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            try:
                _wait(port)
                yield f"http://127.0.0.1:{port}"
            finally:
                server.terminate()


def _nginx(aside: Path, directory: Path, port: int) -> str:
    file = aside / "nginx.conf"
    file.write_text(
        f"daemon off; pid {aside}/pid; error_log {aside}/error.log; worker_processes 1; "
        f"user {_user(directory)};\n"
        f"events {{}} http {{ access_log off; client_body_temp_path {aside}/b; proxy_temp_path {aside}/p;\n"
        f"fastcgi_temp_path {aside}/f; uwsgi_temp_path {aside}/u; scgi_temp_path {aside}/s;\n"
        f"server {{ listen 127.0.0.1:{port}; root {directory.absolute()}; }} }}\n",
        "utf-8",
    )
    return str(file)


def _user(directory: Path) -> str:
    return f"{directory.owner()} {directory.group()}"


def _wait(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"no server on port {port}")
