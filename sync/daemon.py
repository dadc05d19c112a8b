"""The sync daemon: uplink, downlink, renewal of the device key, and central's time, until told to stop.

Each is in a thread of its own, at its own pace. After a fault each waits longer and longer, with full jitter,
so that a thousand terminals do not return at the same instant after an outage; a server's Retry-After is
honoured. Rosters are fetched a little early, by chance, so that ten thousand terminals do not come in step.
What central changes of the pace holds at once.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from config.control import ControlServer, Events
from config.heartbeat import Heartbeat
from config.overlay import overlaid
from config.process_log import ProcessLog
from config.process_ops import ProcessOps
from config.settings import Settings
from config.single import Single
from sync.carried import carried
from sync.carried_roster import CarriedRoster
from sync.downlink import Downlink
from sync.faults import Fault, SyncFault
from sync.http import session
from sync.network_test import tried
from sync.pace import Pace
from sync.protocol import decode_base64url
from sync.rekey import KeyRenewal
from sync.time_offer import ASK_EVERY, TimeOffer
from sync.uplink import Uplink
from terminal.provision import device_key, trust

log = logging.getLogger(__name__)

_SOONEST = 0.7  # of roster_seconds: between this and the whole lies the next fetch
_BEAT_EVERY = 1.0  # seconds
_STOP_WITHIN = 1.0  # seconds
_TAKEN_WITHIN = 50.0  # seconds; a round that waits for a silent server ends before
_REVOKED_WAIT = 900.0  # seconds; only a person can change that


class Daemon:
    """One running sync daemon. Raises: AlreadyRunning; KeyFileError when not provisioned; OSError."""

    def __init__(self, settings: Settings) -> None:
        self._overlay = overlaid(settings, {})
        self._local = self._settings = settings
        self._rng = random.SystemRandom()
        self._stop = threading.Event()
        self._single = Single(settings.state, "sync")  # first: another's log and heartbeat are left alone
        socket, group = settings.socket("sync"), settings.console.group
        self._events = Events()
        self._log = ProcessLog(socket, self._events, group=group)
        self._heartbeat = Heartbeat(socket, ("main",), group=group)
        self._ops = ProcessOps(self._heartbeat, self._log, self._end)
        # requests sessions are not for two threads.
        self._uplink = Uplink(settings, device_key(settings), session(settings))
        self._downlink = Downlink(settings, trust(settings).root, session(settings))
        self._renewal = KeyRenewal(settings, session(settings))
        self._time = TimeOffer(settings, session(settings))
        self._faults: dict[str, str] = {"uplink": "", "downlink": "", "keys": "", "time": ""}
        self._wake = {name: threading.Event() for name in self._faults}
        self._carrying = threading.Lock()  # one verified roster of its own at a time
        handlers = {
            "status": self._on_status,
            "receipt": self._on_receipt,
            "roster": self._on_roster,
            "network": lambda _: asdict(tried(self._settings)),
            **self._ops.handlers(),
        }
        self._control = ControlServer(socket, handlers, self._events, group=group)

    def run(self) -> None:
        """Carry records and rosters until `stop` is called."""
        links: tuple[tuple[str, Callable[[], int | bool], Callable[[], float]], ...] = (
            ("uplink", self._uplink.step, self._uplink_seconds),
            ("downlink", self._fetch, self._roster_seconds),
            ("keys", self._renew_key, self._poll_seconds),
            ("time", self._time.step, lambda: ASK_EVERY),
        )
        threads = [
            threading.Thread(target=self._repeat, args=link, name=link[0], daemon=True) for link in links
        ]
        log.info("carrying records of %s to %s", self._settings.device.name, self._settings.central.url)
        for thread in threads:
            thread.start()
        while not self._stop.wait(_BEAT_EVERY):
            self._heartbeat.beat("main")
        # One that waits for a silent server may be left behind: nothing it does is harmed by being cut off.
        deadline = time.monotonic() + _STOP_WITHIN
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._control.close()
        self._heartbeat.close()
        self._single.close()

    @property
    def restart(self) -> bool:
        """Whether the process is to begin anew once `run` has ended."""
        return self._ops.restart

    def stop(self) -> None:
        """Make `run` end soon and for good; may be called from a signal handler."""
        self._ops.call_off()
        self._end()

    def _end(self) -> None:
        self._stop.set()
        for wake in self._wake.values():
            wake.set()

    def _repeat(self, name: str, step: Callable[[], int | bool], idle: Callable[[], float]) -> None:
        """Call `step` until told to stop: at once while it gets something done, else every `idle` seconds."""
        pace = Pace(self._settings.sync.backoff_seconds)
        while not self._stop.is_set():
            pace.longest = self._settings.sync.backoff_seconds
            try:
                done = step()
            except SyncFault as fault:
                self._say(name, str(fault))
                wait = pace.after_fault(fault.retry_after)
                self._rest(name, _REVOKED_WAIT if fault.fault is Fault.REVOKED else wait)
                continue
            except Exception as error:  # whatever it is, the records wait and the next try comes
                log.exception("%s failed", name)
                self._say(name, f"{type(error).__name__}: {error}")
                self._rest(name, pace.after_fault(None))
                continue
            pace.after_success()
            held_up = self._uplink.trouble if name == "uplink" else ""
            if self._faults[name] != held_up:
                self._say(name, held_up)
                for wake in self._wake.values():
                    wake.set()  # central is back: the other links need not wait out their backoff
            if not done:
                self._rest(name, idle())

    def _rest(self, name: str, seconds: float) -> None:
        """Wait, unless told to stop or woken by another link."""
        self._wake[name].wait(seconds)
        if not self._stop.is_set():
            self._wake[name].clear()

    def _poll_seconds(self) -> float:
        return self._settings.sync.poll_seconds

    def _uplink_seconds(self) -> float:
        idle, rest = self._poll_seconds(), self._uplink.rest
        return min(idle, rest) if rest else idle

    def _roster_seconds(self) -> float:
        return self._settings.sync.roster_seconds * self._rng.uniform(_SOONEST, 1.0)

    def _fetch(self) -> bool:
        """Fetch roster, policy and orders; take up what central changed of the settings."""
        changed = self._downlink.step()
        self._adopt()
        return changed

    def _adopt(self) -> None:
        """Take up what central changed of the settings."""
        overlay = overlaid(self._local, self._downlink.orders.settings)
        if overlay != self._overlay:
            for warning in overlay.warnings:
                log.warning("settings of central: %s", warning)
            log.info("settings from central: %s", dict(overlay.applied) or "none")
            self._overlay, self._settings = overlay, overlay.settings
            self._uplink.adopt(overlay.settings)

    def _renew_key(self) -> bool:
        """Renew the device key when central asks for it, or when that was begun and cut off."""
        if self._uplink.rotate or self._renewal.pending():
            self._uplink.use(self._renewal.renew(self._uplink.key))
        return False

    def _say(self, name: str, fault: str) -> None:
        if fault != self._faults[name]:
            log.warning("%s: %s", name, fault or "well again")
            self._faults[name] = fault
            self._events.publish({"event": "fault", "link": name, "fault": fault})

    def _on_status(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        del request
        try:
            waiting: int | None = self._uplink.waiting()
        except SyncFault:
            waiting = None
        return {
            "device": self._settings.device.name,
            "waiting": waiting,
            "through": self._uplink.receipt.through,
            "ahead": self._uplink.receipt.count - self._uplink.receipt.through,
            "quarantine": self._quarantine(),
            "roster_version": self._downlink.version,
            "settings_from_central": dict(self._overlay.applied),
            "settings_ignored": list(self._overlay.warnings),
            "faults": dict(self._faults),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _quarantine(self) -> Mapping[str, Any]:
        """How many records central refused, and the newest of them."""
        try:
            newest = self._uplink.quarantine.newest()
            return {
                "count": self._uplink.quarantine.count(),
                "newest": {"sequence": newest[0].sequence, "reason": newest[0].reason, "at": newest[0].at}
                if newest
                else None,
            }
        except SyncFault as fault:
            return {"count": None, "newest": None, "fault": str(fault)}

    def _on_receipt(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take up a receipt that was carried here, {"token": base64url}; answers when it is durable."""
        with self._carrying:
            token = decode_base64url(str(request["token"]))
            receipt = carried(self._settings, token, self._uplink.receipt)
            done = self._uplink.offer(receipt)
        self._wake["uplink"].set()
        if not done.wait(_TAKEN_WITHIN):
            raise TimeoutError("the receipt is good, but a request to central is not done yet; try again")
        return {"through": receipt.through}

    def _on_roster(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take up a roster that was carried here, {"path": file or directory}; answers when it is on disk."""
        with CarriedRoster(Path(str(request["path"]))) as roster:
            changed = self._downlink.take(roster)
        self._adopt()
        return {"version": self._downlink.version, "changed": changed}
