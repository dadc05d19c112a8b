"""Trying central now: what came of it, by name, in a bounded time, and without secrets."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from config.settings import Settings, parse_settings
from sync.faults import Fault
from sync.network_test import tried
from tests.sim.campus import Campus
from tests.sync.hostile import HTML, Answer, Hostile, http, raw, silence
from tests.sync.world import at


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    text = '[device]\nname = "gate"\nplace = "gate"\n[central]\nurl = "http://127.0.0.1:9"\n'
    return parse_settings(text, source="test", base=tmp_path)


def test_a_central_that_answers_is_reached(campus: Campus, central: str) -> None:
    found = tried(at(campus.settings, central))
    assert (found.reached, found.fault, found.status) == (True, "", 200)
    assert found.url == f"{central}/tuf/metadata/timestamp.json"
    assert found.ms >= 0


WRONG: dict[str, tuple[Answer, Fault, int | None]] = {
    "500": (http(500), Fault.SERVER_ERROR, 500),
    "404": (http(404), Fault.NOT_CENTRAL, 404),
    "a captive portal": (http(200, HTML), Fault.CAPTIVE_PORTAL, 200),
    "a proxy's page": (http(502, HTML), Fault.PROXY, 502),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH\r\n"), Fault.NOT_CENTRAL, None),
    "silence": (silence, Fault.TIMEOUT, None),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_else_answers_has_its_name(case: str, settings: Settings) -> None:
    answer, fault, status = WRONG[case]
    with Hostile(answer) as server:
        found = tried(at(settings, server.url, timeout=0.3 if case == "silence" else 30.0))
    assert (found.reached, found.status) == (False, status)
    assert found.fault.startswith(f"{fault}: ")


def test_nobody_at_that_port_is_unreachable(settings: Settings) -> None:
    found = tried(at(settings, "http://127.0.0.1:9"))
    assert not found.reached
    assert "the connection was refused" in found.fault


def test_a_missing_ca_file_is_told(settings: Settings) -> None:
    found = tried(at(settings, "http://127.0.0.1:9", ca=settings.state / "nothing.pem"))
    assert found.fault.startswith("tls: central.ca: ")


def test_a_name_that_is_looked_up_for_ever_does_not_hang_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_options: over.wait(60) and [])
    found = tried(at(settings, "https://central.school.example", timeout=0.2))
    over.set()
    assert found.fault.startswith("timeout: no answer within central.timeout (0.2 s)")
    deadline = time.monotonic() + 30
    while any(thread.name == "network test" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
