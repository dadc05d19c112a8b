"""Work for the gate's thread: it is done there, once, and its errors belong to whoever asked."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from terminal import maintenance_desk
from terminal.maintenance_desk import MaintenanceDesk


def test_work_is_done_by_the_serving_thread_and_its_answer_comes_back():
    desk = MaintenanceDesk()
    over = threading.Event()

    def serve() -> None:
        while not over.wait(0.001):
            desk.serve()

    gate = threading.Thread(target=serve)
    gate.start()
    try:
        assert desk.run(threading.get_ident) == gate.ident
        with pytest.raises(ZeroDivisionError):
            desk.run(lambda: 1 // 0)
        assert desk.run(lambda: "and goes on") == "and goes on"
    finally:
        over.set()
        gate.join()


def test_what_follows_from_work_is_done_before_whoever_asked_hears_of_it():
    desk = MaintenanceDesk()
    over = threading.Event()
    done: list[str] = []

    def then() -> None:
        time.sleep(0.05)
        done.append("then")
        raise LookupError

    def serve() -> None:
        while not over.wait(0.001):
            with contextlib.suppress(LookupError):
                desk.serve(then)

    gate = threading.Thread(target=serve)
    gate.start()
    try:
        assert desk.run(lambda: done.append("work")) is None
        assert done == ["work", "then"]
        with pytest.raises(ZeroDivisionError):
            desk.run(lambda: 1 // 0)
        assert done == ["work", "then"]
    finally:
        over.set()
        gate.join()


def test_what_nobody_came_to_in_time_is_never_done(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(maintenance_desk, "_WITHIN", 0.01)
    desk = MaintenanceDesk()
    done: list[str] = []
    with pytest.raises(TimeoutError, match=r"loop is hung since [0-9:]{8} UTC \(0 s\); nothing was done"):
        desk.run(lambda: done.append("late"))
    desk._served = time.monotonic() + 60  # it went round meanwhile, and has others before this one
    with pytest.raises(TimeoutError, match="loop is busy; nothing was done"):
        desk.run(lambda: done.append("later"))
    desk.serve()
    assert done == []
