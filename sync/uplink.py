"""The uplink: journal -> central, in order, until central's receipt says that it has everything.

It forgets nothing and decides nothing: what the receipt does not cover is sent again, and central knows
every record by device and sequence. A receipt is believed only if it names a record of this journal.
"""

from __future__ import annotations

import logging
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from config.settings import Settings
from sync.faults import Fault, SyncFault
from sync.http import body, send
from sync.protocol import BATCH_TYPE, BATCHES, BatchReceipt, batch_body, sign_batch
from sync.refusal import refusal
from terminal.journal import JournalError, JournalReader
from terminal.receipt import Receipt

log = logging.getLogger(__name__)

_MAX_ANSWER = 1_048_576  # bytes


class Uplink:
    """Sends the journal of `settings` to central. One round a call; the daemon paces it."""

    def __init__(self, settings: Settings, key: Ed25519PrivateKey, http: requests.Session) -> None:
        self._settings, self._key, self._http = settings, key, http
        self._journal = JournalReader(settings.journal)
        self._receipt_path: Path = settings.receipt
        self.receipt = Receipt.load(self._receipt_path)
        self.refused: dict[int, str] = {}  # records that central will not store, and why
        self.rotate = False  # central asks for a new key

    @property
    def key(self) -> Ed25519PrivateKey:
        """The key that signs batches."""
        return self._key

    def use(self, key: Ed25519PrivateKey) -> None:
        """Sign with `key` from now on, as central asked; may be called from another thread."""
        self._key, self.rotate = key, False

    def waiting(self) -> int:
        """How many records central lacks. Raises: SyncFault(JOURNAL)."""
        try:
            return self._journal.newest() - self.receipt.through
        except JournalError as error:
            raise SyncFault(Fault.JOURNAL, str(error)) from error

    def step(self) -> int:
        """Send one batch, if there is one; how many more records central has now. Raises: SyncFault."""
        sync = self._settings.sync
        try:
            self._distrust()
            before = self.receipt.through
            events = self._journal.after(before, records=sync.batch_records, size=sync.batch_bytes)
            if not events:
                return 0
            key = self._key
            answer = self._post(batch_body(events), key)
            self._believe(answer)
            self.rotate = answer.rotate and key is self._key
        except JournalError as error:
            raise SyncFault(Fault.JOURNAL, str(error)) from error
        return self.receipt.through - before

    def _distrust(self) -> None:
        """Start over when the receipt speaks of records that this journal never had: its file was altered."""
        through, digest = self.receipt.through, self._journal.digest(self.receipt.through)
        if through > self._journal.newest() or digest not in (None, self.receipt.digest):
            log.warning("the receipt up to record %d does not fit the journal; sending all again", through)
            self.receipt = Receipt()

    def _post(self, data: bytes, key: Ed25519PrivateKey) -> BatchReceipt:
        central, device = self._settings.central, self._settings.device.name
        request = requests.Request(
            "POST", central.url + BATCHES, data=data, headers={"Content-Type": BATCH_TYPE}
        )
        prepared = self._http.prepare_request(request)
        sign_batch(prepared, device=device, key=key, body=data)
        response = send(self._http, prepared, central.timeout)
        text = b"".join(body(response, limit=_MAX_ANSWER, seconds=central.timeout * 3))
        if response.status_code == 200:
            try:
                return BatchReceipt.model_validate_json(text)
            except ValidationError as error:
                raise SyncFault(
                    Fault.NOT_CENTRAL, "answered 200 with something that is no receipt"
                ) from error
        raise self._refused(response, text)

    def _refused(self, response: requests.Response, text: bytes) -> SyncFault:
        """What a status other than 200 means; a gap moves the receipt back so that the records go again."""
        fault, problem = refusal(response, text)
        if problem and problem.type == "gap" and problem.expected is not None:
            return self._rewind(problem.expected)
        return fault

    def _rewind(self, expected: int) -> SyncFault:
        through = expected - 1
        digest = self._journal.digest(through) if 0 <= through < self.receipt.through else None
        if digest is None:
            return SyncFault(Fault.GAP, f"central needs record {expected}, which is no longer here")
        self.receipt = Receipt(through, digest)
        self.receipt.save(self._receipt_path)
        return SyncFault(Fault.GAP, f"central needs the records from {expected} again", retry_after=0.0)

    def _believe(self, answer: BatchReceipt) -> None:
        if answer.device != self._settings.device.name or answer.through < self.receipt.through:
            raise SyncFault(Fault.LYING_RECEIPT, "the receipt is for another device or goes backwards")
        if self._journal.digest(answer.through) != answer.digest:
            raise SyncFault(Fault.LYING_RECEIPT, f"acknowledges record {answer.through} with a wrong digest")
        for refused in answer.refused:
            if refused.sequence not in self.refused:
                log.error("central refuses record %d: %s", refused.sequence, refused.reason)
            self.refused[refused.sequence] = refused.reason
        if answer.through == self.receipt.through:
            raise SyncFault(Fault.LYING_RECEIPT, "acknowledges nothing of what was sent")
        receipt = Receipt(answer.through, answer.digest)
        receipt.save(self._receipt_path)
        self.receipt = receipt
