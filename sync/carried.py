"""A receipt that was carried here: central's signed statement of what it has, in a file instead of an answer.

It is believed only if the roster's statement key signed it for this device, and if it names a record of this
journal with its digest. One that is behind what is known already changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from config.errors import CampusgateError
from config.settings import Settings
from config.single import AlreadyRunning, Single
from sync.protocol import encode_base64url
from terminal.journal import JournalReader
from terminal.provision import trust
from terminal.receipt import Receipt
from terminal.roster import Roster
from terminal.statement import MAX_STATEMENT, StatementKind, StatementRefused, verify_statement

SUFFIX = ".receipt"


class ReceiptRefused(CampusgateError, ValueError):
    """Raised when a carried receipt is not central's, or says what cannot be."""


def read_token(path: Path) -> bytes:
    """The statement in the file `path`, not yet verified. Raises: OSError; ReceiptRefused when too long."""
    with path.open("rb") as file:
        token = file.read(MAX_STATEMENT + 1)
    if len(token) > MAX_STATEMENT:
        raise ReceiptRefused(f"{path}: is longer than the {MAX_STATEMENT} bytes of a receipt")
    return token


def carried(settings: Settings, token: bytes, known: Receipt) -> Receipt:
    """The receipt in `token` if it is good, or `known` if that goes further. For whoever alone writes it.

    Raises: ReceiptRefused; RosterRefused without a verified roster; JournalError, KeyFileError.
    """
    # A trust directory of its own: the downlink's and the terminal's are theirs.
    roster = Roster(settings.roster, settings.state / "receipt-trust", trust(settings).root)
    try:
        statement = verify_statement(
            token, roster.statement_keys(), kind=StatementKind.RECEIPT, device=settings.device.name
        )
    except StatementRefused as refused:
        raise ReceiptRefused(f"the receipt {refused}") from refused
    receipt = statement.receipt
    if receipt.through < known.through:
        return known  # the network was quicker than the stick
    if not JournalReader(settings.journal).fits(receipt.through, receipt.digest):
        raise ReceiptRefused(
            f"the receipt acknowledges record {receipt.through} with a wrong digest: it is false, or central"
            " has another record of that number (`campusgate central alarms`); later ones count"
        )
    return receipt


def take_up(settings: Settings, token: bytes, by_daemon: Callable[[str], Mapping[str, Any]]) -> int:
    """Take up the receipt in `token`; the record up to which central has all.

    by_daemon: asks the running daemon to do it, given the token in base64url; only whoever holds the daemon's
    lock writes the receipt. Raises: as `carried`; ControlError; OSError.
    """
    try:
        single = Single(settings.state, "sync")
    except AlreadyRunning:
        return int(by_daemon(encode_base64url(token))["through"])
    try:
        known = Receipt.load(settings.receipt)
        taken = carried(settings, token, known)
        if taken.through > known.through:
            taken.save(settings.receipt)
        return taken.through
    finally:
        single.close()
