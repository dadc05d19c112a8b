"""The console's commands that carry: rosters in, records out, receipts in, by USB stick or over the line.

Nothing that is exported is deleted here: records go once central's receipt says that it has them.
"""

from __future__ import annotations

from pathlib import Path

from config.settings import Settings
from sync.carried import SUFFIX as RECEIPT
from sync.carried import read_token, take_up
from sync.carried_roster import SUFFIX as ROSTER
from sync.carrying import Tell, place, recorded, watched
from sync.export import SUFFIX as RECORDS
from sync.export import Exported, Stick, export
from sync.roster_take import WITHIN, Taken, take
from sync.sticks import free_bytes, mounted, one_of, read_only, the_stick
from terminal.console.command import Answer, Arguments, Command, Parameter, Refused
from terminal.console.roles import Role
from terminal.console.session import Session
from terminal.journal import JournalReader
from terminal.provision import device_key
from terminal.receipt import Receipt
from terminal.statement import MAX_STATEMENT

ROSTER_BY_LINE = 33_554_432  # bytes: 50 minutes at 115,200 baud
RECORDS_BY_LINE = 8_388_608  # bytes in one go: a quarter of an hour
_BYTES_A_SECOND = 11_000  # at 115,200 baud 8N1, with the blocks' own bytes and answers
_AFTER = Parameter("after", "begin after this record; those before it are in another file", optional=True)


def _show_sticks(session: Session, _arguments: Arguments) -> Answer:
    settings = session.settings()
    root = settings.path(settings.console.sticks)
    return {
        "directory": str(root),
        "sticks": [
            {
                "name": str(stick.relative_to(root)),
                "free_bytes": free_bytes(stick),
                "read_only": read_only(stick),
                "rosters": [path.name for path in _rosters(stick)],
                "records": len(list(stick.glob(f"*{RECORDS}"))),
                "receipt": _receipt_on(stick, settings).is_file(),
            }
            for stick in mounted(root)
        ],
    }


# --- Rosters


def _roster_usb(session: Session, _arguments: Arguments) -> Answer:
    stick = the_stick(session)
    found = _rosters(stick)
    if not found:
        raise Refused(
            f"{stick}: no roster is on it; write one at central: `campusgate roster bundle --to STICK`"
        )
    return _take_roster(session, one_of(session, "Which roster?", found, stick), "usb")


def _roster_line(session: Session, _arguments: Arguments) -> Answer:
    with place(session.settings()) as directory:
        return _take_roster(session, session.line.receive(directory, ROSTER_BY_LINE), "line")


def _rosters(stick: Path) -> list[Path]:
    """Rosters at the top of `stick`, as files or as directories of central's own files."""
    files = [path for path in stick.glob(f"*{ROSTER}") if path.is_file() and not path.name.startswith(".")]
    return sorted(files) + sorted(path.parents[1] for path in stick.glob("*/metadata/timestamp.json"))


def _take_roster(session: Session, path: Path, by: str) -> Answer:
    settings = session.settings()

    def work(tell: Tell) -> Taken:
        def far(done: float, size: float) -> None:
            tell(f"roster: {done / size:.0%} verified" if size else f"roster: {done / 1e6:.1f} MB verified")

        tell("roster: the sync daemon is verifying it")
        return take(
            settings, path, lambda where: session.ask("sync", "roster", timeout=WITHIN, path=where), far
        )

    with recorded(session, "roster import", by=by, file=path.name) as details:
        taken = watched(session, work)
        details.update(version=taken.version, changed=taken.changed)
        return {"file": path.name, "version": taken.version, "changed": taken.changed}


# --- Records


def _records_usb(session: Session, arguments: Arguments) -> Answer:
    settings, stick = session.settings(), the_stick(session)
    if read_only(stick):
        raise Refused(f"{stick}: is read-only; slide its lock open, or take another stick")
    journal, after = JournalReader(settings.journal), _after(arguments)

    def work(tell: Tell) -> Exported:
        newest = journal.newest()
        onto = Stick(stick, device=settings.device.name, key=device_key(settings), journal=journal)
        return onto.export(
            Receipt.load(settings.receipt),
            after=after,
            progress=lambda through: tell(f"records: {through:,} of {newest:,} are on the stick"),
        )

    with recorded(session, "records export", by="usb") as details:
        done = watched(session, work)
        details.update(records=done.records, through=done.through, files=[file.name for file in done.files])
        return {
            "stick": str(stick),
            "files": [file.name for file in done.files],
            "records": done.records,
            "through": done.through,
            "next": "the stick may be taken out; at central: `campusgate central import FILE`",
        }


def _records_line(session: Session, arguments: Arguments) -> Answer:
    settings = session.settings()
    journal, receipt = JournalReader(settings.journal), Receipt.load(settings.receipt)
    after = _after(arguments)
    if after is None:  # a receipt that was altered costs only that more is exported
        after = receipt.through if journal.fits(receipt.through, receipt.digest) else 0
    begin, newest = after, journal.newest()
    if begin >= newest:
        return {"records": 0, "through": newest, "left": 0}
    with place(settings) as directory, recorded(session, "records export", by="line") as details:
        file = directory / f"campusgate-{settings.device.name}-{begin + 1}{RECORDS}"

        def work(tell: Tell) -> int:
            with file.open("xb") as out:
                return export(
                    journal,
                    device_key(settings),
                    out,
                    device=settings.device.name,
                    after=begin,
                    room=RECORDS_BY_LINE,
                    progress=lambda through: tell(f"records: up to {through:,} are prepared"),
                )

        through = watched(session, work)
        size, left = file.stat().st_size, max(0, newest - through)
        seconds = round(size / _BYTES_A_SECOND) + 1
        takes = f"{seconds} s" if seconds < 100 else f"{round(seconds / 60)} min"
        session.line.say(
            f"{file.name}: records {begin + 1:,} to {through:,}, {size:,} bytes, about {takes} at 115200 baud"
        )
        session.line.send(file)
        details.update(records=through - begin, through=through, files=[file.name])
        answer = {
            "file": file.name,
            "bytes": size,
            "records": through - begin,
            "through": through,
            "left": left,
        }
        return answer | ({"next": f"the rest: `records export line {through}`"} if left else {})


def _after(arguments: Arguments) -> int | None:
    given = arguments.get("after")
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise Refused(f"{given!r:.40} is no record's number, such as 51234")
    return int(given)


# --- Receipts


def _receipt_usb(session: Session, _arguments: Arguments) -> Answer:
    stick = the_stick(session)
    file = _receipt_on(stick, session.settings())
    if not file.is_file():
        raise Refused(f"{stick}: {file.name} is not on it; `campusgate central import` writes it there")
    return _take_receipt(session, file, "usb")


def _receipt_line(session: Session, _arguments: Arguments) -> Answer:
    with place(session.settings()) as directory:
        return _take_receipt(session, session.line.receive(directory, MAX_STATEMENT), "line")


def _receipt_on(stick: Path, settings: Settings) -> Path:
    return stick / f"campusgate-{settings.device.name}{RECEIPT}"


def _take_receipt(session: Session, file: Path, by: str) -> Answer:
    with recorded(session, "receipt import", by=by, file=file.name) as details:
        through = take_up(
            session.settings(),
            read_token(file),
            lambda token: session.ask("sync", "receipt", timeout=60.0, token=token),
        )
        details.update(through=through)
        return {"file": file.name, "central_has_all_up_to": through}


COMMANDS = (
    Command(
        "show sticks",
        Role.OBSERVE,
        "the USB sticks that are mounted, and what of ours is on them",
        "show sticks",
        _show_sticks,
    ),
    Command(
        "roster import usb",
        Role.MAINTAIN,
        "take up a roster that `campusgate roster bundle` wrote to a stick at central",
        "roster import usb",
        _roster_usb,
    ),
    Command(
        "roster import line",
        Role.MAINTAIN,
        "take up a roster that is sent over this line by YMODEM",
        "roster import line",
        _roster_line,
    ),
    Command(
        "records export usb",
        Role.MAINTAIN,
        "write the records that central lacks to a stick; run again, it goes on. Deletes nothing",
        "records export usb",
        _records_usb,
        (_AFTER,),
    ),
    Command(
        "records export line",
        Role.MAINTAIN,
        "send the records that central lacks over this line by YMODEM. Deletes nothing",
        "records export line",
        _records_line,
        (_AFTER,),
    ),
    Command(
        "receipt import usb",
        Role.MAINTAIN,
        "take up central's receipt from a stick: what it has need not be sent again",
        "receipt import usb",
        _receipt_usb,
    ),
    Command(
        "receipt import line",
        Role.MAINTAIN,
        "take up central's receipt that is sent over this line by YMODEM",
        "receipt import line",
        _receipt_line,
    ),
)
