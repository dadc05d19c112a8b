"""The uplink: journal -> central, in order, until central's receipt says that it has everything.

It forgets nothing and decides nothing: what the receipt does not cover is sent again, and central knows
every record by device and sequence. A receipt is believed only if it names a record of this journal with its
digest, which nobody knows to whom it was not sent.

A record that is too large even alone cannot be put aside: central's chain needs each. No central of ours
refuses what a terminal writes, so a proxy or a wrong setting in front of it does; when that is mended the
record must still be here. So it is tried again slowly, named, and the records written since go ahead of it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from config.settings import Settings
from sync.belief import believed
from sync.encoding import Coding
from sync.faults import Fault, SyncFault
from sync.http import body, send
from sync.lanes import Lane, Lanes
from sync.pace import BatchSize, Pace
from sync.protocol import BATCH_TYPE, BatchReceipt, Problem, batch_body, sign_batch
from sync.quarantine import Quarantine
from sync.refusal import intruder, refusal
from terminal.events import Event
from terminal.journal import JournalError, JournalReader
from terminal.receipt import Receipt

log = logging.getLogger(__name__)

_MAX_ANSWER = 1_048_576  # bytes
_NO_LIVE = (404, 405, 501)  # statuses of a central that does not know the live lane


class Uplink:
    """Sends the journal of `settings` to central. One round a call; the daemon paces it."""

    def __init__(self, settings: Settings, key: Ed25519PrivateKey, http: requests.Session) -> None:
        self._settings, self._key, self._http = settings, key, http
        self._journal = JournalReader(settings.journal)
        self.receipt = Receipt.load(settings.receipt)
        self.quarantine = Quarantine(settings.quarantine)
        self.rotate = False  # central asks for a new key
        self.trouble = ""  # what holds the main lane up while the live lane goes on
        self._lanes, self._coding = Lanes(), Coding()
        self._size = BatchSize(settings.sync.batch_records, settings.sync.batch_bytes)
        self._pace = Pace(settings.sync.backoff_seconds)  # of a main lane that is held up
        self._rest_until = 0.0  # monotonic seconds; until then only the live lane goes
        self._carried: queue.SimpleQueue[tuple[Receipt, threading.Event]] = queue.SimpleQueue()

    @property
    def key(self) -> Ed25519PrivateKey:
        """The key that signs batches."""
        return self._key

    def use(self, key: Ed25519PrivateKey) -> None:
        """Sign with `key` from now on, as central asked; may be called from another thread."""
        self._key, self.rotate = key, False

    @property
    def rest(self) -> float:
        """Seconds until the main lane may go again; 0 when it may."""
        return max(0.0, self._rest_until - time.monotonic())

    def offer(self, receipt: Receipt) -> threading.Event:
        """Take `receipt`, carried here and verified, before the next round; set when that is done.

        May be called from another thread.
        """
        done = threading.Event()
        self._carried.put((receipt, done))
        return done

    def adopt(self, settings: Settings) -> None:
        """Pace by `settings` from now on; may be called from another thread."""
        self._settings = settings
        self._size.limit(settings.sync.batch_records, settings.sync.batch_bytes)
        self._pace.longest = settings.sync.backoff_seconds

    def waiting(self) -> int:
        """How many records central lacks. Raises: SyncFault(JOURNAL)."""
        try:
            return self.receipt.lacking(self._journal.newest())
        except JournalError as error:
            raise SyncFault(Fault.JOURNAL, str(error)) from error

    def step(self) -> int:
        """Send one batch, if there is one; how many more records central has now. Raises: SyncFault."""
        before = self.receipt.count
        try:
            self._distrust()
            self._take_carried()
            newest = self._journal.newest()
            turn = self._lanes.next(newest, self.receipt, resting=self.rest > 0)
            if turn is None:
                return 0
            records = min(self._size.records, turn.up_to - turn.after)
            events = self._journal.chained_after(turn.after, records=records, size=self._size.bytes)
            if not events:
                return 0
            # A record that stands for lost ones may reach beyond; then it goes all the same, but alone.
            events = [event for event in events if event.sequence <= turn.up_to] or events[:1]
            self._carry(turn.lane, events)
        except JournalError as error:
            raise SyncFault(Fault.JOURNAL, str(error)) from error
        except SyncFault as fault:
            if fault.fault in (Fault.TIMEOUT, Fault.SLOW, Fault.CUT):
                self._size.halve()
            self._lanes.failed()
            raise
        return max(0, self.receipt.count - before)

    def _take_carried(self) -> None:
        while not self._carried.empty():
            receipt, done = self._carried.get()
            if receipt.through > self.receipt.through:
                taken = self.receipt.advanced(receipt.through, receipt.digest)
                taken.save(self._settings.receipt)
                self.receipt = taken
            done.set()

    def _distrust(self) -> None:
        """Start over when the receipt speaks of records that this journal never had: its file was altered."""
        receipt, newest = self.receipt, self._journal.newest()
        if receipt.through > newest or not self._possible(receipt.through, receipt.digest):
            log.warning(
                "the receipt up to record %d does not fit the journal; sending all again", receipt.through
            )
            self.receipt = Receipt()
        elif not all(self._journal.fits(span.through, span.digest) for span in receipt.ahead):
            log.warning("what the receipt says is ahead does not fit the journal; sending that again")
            self.receipt = receipt.without_ahead()

    def _possible(self, through: int, digest: str) -> bool:
        """Whether that may be the digest: nothing is known of a record that was purged."""
        return self._journal.digest(through) is None or self._journal.fits(through, digest)

    def _carry(self, lane: Lane, events: Sequence[Event]) -> None:
        """Send `events` by `lane` and take up the answer, in smaller pieces or plain if central says so."""
        key = self._key
        while True:
            start = time.monotonic()
            response, text = self._post(lane, batch_body(events), key)
            if response.status_code == 200:
                break
            fault, problem = refusal(response, text)
            if response.status_code == 415 and self._coding.refused(response.headers.get("Accept-Encoding")):
                continue
            if response.status_code == 413 and (problem is None or problem.type == "too-large"):
                self._size.halve()
                if len(events) == 1:
                    raise self._held_up(lane, events[0])
                events = events[: len(events) // 2]
                continue
            if lane is Lane.LIVE and self._without_live(response.status_code, problem):
                return
            if problem and problem.type == "gap" and problem.expected is not None:
                raise self._rewind(lane, problem.expected)
            raise fault
        answer = _receipt(response, text)
        self._coding.learn(response.headers.get("Accept-Encoding"))
        self._believe(answer, lane, events)
        self._size.took(time.monotonic() - start)
        self._size.heed(answer.wish)
        self._lanes.succeeded(self._journal.newest(), self.receipt, batch=self._size.records)
        if lane is Lane.MAIN:
            self.trouble = ""
            self._pace.after_success()
            longest = self._settings.sync.backoff_seconds
            self._rest_until = time.monotonic() + min(answer.wish.pause, longest)
        self.rotate = answer.rotate and key is self._key

    def _post(self, lane: Lane, data: bytes, key: Ed25519PrivateKey) -> tuple[requests.Response, bytes]:
        central, device = self._settings.central, self._settings.device.name
        headers = {"Content-Type": BATCH_TYPE}
        if self._coding.name:
            headers["Content-Encoding"] = self._coding.name
        data = self._coding.apply(data)
        request = requests.Request("POST", central.url + lane, data=data, headers=headers)
        prepared = self._http.prepare_request(request)
        sign_batch(prepared, device=device, key=key, body=data)
        response = send(self._http, prepared, central.timeout)
        return response, b"".join(body(response, limit=_MAX_ANSWER, seconds=central.timeout * 3))

    def _held_up(self, lane: Lane, event: Event) -> SyncFault:
        """`event` alone is too large."""
        fault = SyncFault(
            Fault.TOO_LARGE,
            f"record {event.sequence} of {len(event.text)} bytes is refused as too large;"
            " raise the limit of the proxy in front of central (such as client_max_body_size)",
        )
        return self._passed_by(lane, fault)

    def _passed_by(self, lane: Lane, fault: SyncFault) -> SyncFault:
        """Let what is written from now on go ahead of what `fault` holds up."""
        self._lanes.pass_by(self._journal.newest(), self.receipt)
        if lane is Lane.MAIN:
            self.trouble = str(fault)
            self._rest_until = time.monotonic() + self._pace.after_fault(None)
        return fault

    def _without_live(self, status: int, problem: Problem | None) -> bool:
        """Whether the live lane is of no use now, while the main lane is."""
        full = problem and problem.type == "gap" and (problem.expected or 0) > self.receipt.through
        if full or status in _NO_LIVE:
            self._lanes.no_live()
            return True
        return False

    def _rewind(self, lane: Lane, expected: int) -> SyncFault:
        """A gap moves the receipt back so that the records go again.

        The oldest that was kept may be the one, or one that stands for lost records, which it is part of.
        What was purged before central lost it holds up nothing that is written from now on.
        """
        events = self._journal.after(expected - 1, records=1, size=1) if expected > 0 else []
        sent = expected <= self.receipt.through
        if not events or events[0].first > expected:
            gone = f"central needs record {expected}, which is no longer here; give central a later backup"
            fault = SyncFault(Fault.GAP, gone)
            return self._passed_by(lane, fault) if sent else fault
        if not sent:
            return SyncFault(Fault.GAP, f"central needs record {expected}, which it was given")
        through = events[0].first - 1
        self.receipt = Receipt(through, self._journal.digest(through) or events[0].previous)
        self.receipt.save(self._settings.receipt)
        return SyncFault(Fault.GAP, f"central needs the records from {expected} again", retry_after=0.0)

    def _believe(self, answer: BatchReceipt, lane: Lane, events: Sequence[Event]) -> None:
        """Take up `answer` if it can be true: first what is refused, durably, then the receipt."""
        device = self._settings.device.name
        receipt, refusals = believed(
            answer, self.receipt, self._journal, device=device, lane=lane, events=events
        )
        self.quarantine.add(refusals)
        for one in refusals:
            log.error("central refuses record %d: %s", one.sequence, one.reason)
        receipt.save(self._settings.receipt)
        self.receipt = receipt


def _receipt(response: requests.Response, text: bytes) -> BatchReceipt:
    try:
        return BatchReceipt.model_validate_json(text)
    except ValidationError as error:
        if fault := intruder(response, text):
            raise fault from error
        what = "answered 200 with something that is no receipt; is central.url right?"
        raise SyncFault(Fault.NOT_CENTRAL, what) from error
