"""Exporting to a stick: cut off at any moment, full, altered, or used by several, and gone on with."""

from __future__ import annotations

import fcntl
import io
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sync.export import ExportError, export
from sync.frames import FrameReader
from terminal.journal import JournalError, JournalReader
from terminal.provision import device_key
from terminal.receipt import Receipt, Span
from tests.sim.campus import Campus
from tests.sim.die_at import Step
from tests.sync.stick import export_to, files_on, import_from, write_many
from tests.sync.world import DEVICE, arrived, campusgate, write_records

_COMMAND = ["-c", "from config.cli import main; main()"]


@pytest.fixture
def usb(tmp_path: Path) -> Path:
    stick = tmp_path / "usb"
    stick.mkdir()
    return stick


def sequences(file: Path, campus: Campus) -> list[int]:
    """The records in `file` that verify."""
    with file.open("rb") as source:
        frames = FrameReader(source).frames([device_key(campus.settings).public_key()])
        return [event.sequence for frame in frames for event in frame.events]


def small_frames(monkeypatch: pytest.MonkeyPatch, records: int = 10) -> None:
    monkeypatch.setattr("sync.export._FRAME_RECORDS", records)


def started(campus: Campus, usb: Path, *, step: Step | None = None) -> subprocess.Popen[bytes]:
    arguments = ["records", "export", "--to", str(usb), "--settings", str(campus.settings_file)]
    command = step.command(arguments) if step else [*_COMMAND, *arguments]
    return subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def limited(size: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_second_export_adds_nothing_and_later_records_begin_another_file(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 5)
    (first,) = export_to(usb, campus.settings).files
    before = first.read_bytes()
    assert export_to(usb, campus.settings).files == ()
    write_records(campus.settings, 3)
    (second,) = export_to(usb, campus.settings).files
    assert first.read_bytes() == before
    assert (first.name[-12:], second.name[-12:]) == ("0001.records", "0002.records")
    assert sequences(second, campus) == [6, 7, 8]


def test_what_central_has_does_not_travel(campus: Campus, usb: Path) -> None:
    events = write_records(campus.settings, 7)
    Receipt(4, events[3].digest).save(campus.settings.receipt)
    (file,) = export_to(usb, campus.settings).files
    assert sequences(file, campus) == [5, 6, 7]


def test_a_receipt_that_does_not_fit_the_journal_is_not_believed(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 3)
    Receipt(2, "ab" * 32).save(campus.settings.receipt)
    (file,) = export_to(usb, campus.settings).files
    assert sequences(file, campus) == [1, 2, 3]


def test_without_records_there_is_no_file(campus: Campus, usb: Path) -> None:
    assert export_to(usb, campus.settings).files == ()
    assert list(usb.iterdir()) == []


@pytest.mark.kill
def test_an_export_killed_again_and_again_ends_with_every_record_once(campus: Campus, usb: Path) -> None:
    write_many(campus.settings, 3000)
    rng = random.Random(5)
    for _ in range(5):
        size = sum(file.stat().st_size for file in files_on(usb))
        process = started(campus, usb)
        target = size + rng.randrange(1, 400_000)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if sum(file.stat().st_size for file in files_on(usb)) >= target:
                process.kill()
            time.sleep(0.0005)
        process.communicate()
        for file in files_on(usb):  # as a power cut would: the tail never reached the stick
            os.truncate(file, max(0, file.stat().st_size - rng.randrange(0, 5000)))
    export_to(usb, campus.settings)
    (file,) = files_on(usb)
    assert sequences(file, campus) == list(range(1, 3001))


@pytest.mark.kill
@pytest.mark.parametrize(
    "step",
    [
        Step("sync.export:sync_directory", after=False),
        Step("sync.export:first_line", after=False),
        Step("sync.export:DurableLines.write", after=False),
        Step("sync.export:DurableLines.write", after=True),
        Step("sync.export:DurableLines.write", after=True, nth=2),
        Step("sync.export:DurableLines.write", after=False, nth=3),
        Step("sync.export:DurableLines.write", after=True, nth=3),
        Step("sync.export:DurableLines.sync", after=False),
    ],
    ids=lambda step: f"{step.target.partition(':')[2]}-{step.nth}-{'after' if step.after else 'before'}",
)
def test_whatever_step_an_export_dies_at_the_next_one_completes_its_file(
    campus: Campus, usb: Path, step: Step
) -> None:
    write_records(campus.settings, 20)
    process = started(campus, usb, step=step)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    export_to(usb, campus.settings)
    (file,) = files_on(usb)
    assert sequences(file, campus) == list(range(1, 21))
    assert import_from(file, campus).fault == ""


def test_a_full_stick_says_how_far_it_came_and_another_takes_the_rest(campus: Campus, tmp_path: Path) -> None:
    write_many(campus.settings, 2000)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    arguments = ["records", "export", "--to", str(first), "--settings", str(campus.settings_file)]
    done = subprocess.run(
        [sys.executable, *_COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=limited(700_000),
    )
    assert done.returncode == 1
    (file,) = files_on(first)
    taken = sequences(file, campus)
    assert taken == list(range(1, len(taken) + 1))
    assert 0 < len(taken) < 2000
    assert file.stat().st_size <= 700_000
    assert f"stopped after record {taken[-1]}" in done.stderr
    assert f"--after {taken[-1]}" in done.stderr
    export_to(second, campus.settings, after=taken[-1])
    refused = import_from(files_on(second)[0], campus)
    assert "record 1 and those after it are missing" in refused.fault
    assert import_from(file, campus).fault == "the file has no end; export again to complete it"
    assert import_from(files_on(second)[0], campus).fault == ""
    assert arrived(campus) == list(range(1, 2001))


def test_with_room_again_the_same_file_is_completed(
    campus: Campus, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_frames(monkeypatch)
    write_records(campus.settings, 60)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old[1]))
    try:
        with pytest.raises(ExportError, match="stopped after record"):
            export_to(usb, campus.settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    export_to(usb, campus.settings)
    (file,) = files_on(usb)
    assert sequences(file, campus) == list(range(1, 61))


def test_an_interrupt_leaves_whole_frames_and_says_how_to_go_on(campus: Campus, usb: Path) -> None:
    write_many(campus.settings, 1500)
    process = started(campus, usb)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if any(file.stat().st_size for file in files_on(usb)):
            break
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    if process.returncode:  # else it was quicker
        assert process.returncode == 130
        assert error.startswith(b"stopped after record ")
        assert b"Traceback" not in error
    sequences(files_on(usb)[0], campus)
    export_to(usb, campus.settings)
    assert sequences(files_on(usb)[0], campus) == list(range(1, 1501))


def test_files_are_split_before_the_limit_of_the_file_system(
    campus: Campus, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_frames(monkeypatch)
    write_records(campus.settings, 70)
    done = export_to(usb, campus.settings, largest=10_000)
    assert len(done.files) > 2
    assert [n for file in done.files for n in sequences(file, campus)] == list(range(1, 71))
    assert export_to(usb, campus.settings, largest=10_000).files == ()
    assert [import_from(file, campus).fault for file in files_on(usb)] == [""] * len(done.files)


def test_a_torn_tail_is_cut_off_but_a_file_altered_further_back_is_left_alone(
    campus: Campus, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_frames(monkeypatch)
    monkeypatch.setattr("sync.export.UNSYNCED", 1000)
    monkeypatch.setattr("sync.export.MAX_LINE", 0)
    write_records(campus.settings, 60)
    (file,) = export_to(usb, campus.settings).files
    with file.open("ab") as tail:
        tail.write(b'{"events":[{')
    assert export_to(usb, campus.settings).files == ()  # it has its end; what follows is not ours
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    (second,) = export_to(usb, campus.settings).files
    assert file.read_bytes() == data
    assert second != file
    assert import_from(file, campus).fault
    assert import_from(second, campus).fault == ""
    assert arrived(campus) == list(range(1, 61))


def test_what_is_not_this_terminals_is_never_written_over(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 3)
    name = export_to(usb, campus.settings).files[0].name
    for text in (b"holiday pictures", b'{"device":"south-gate-1","first":1', b"{}\n"):
        (usb / name).write_bytes(text)
        (file,) = export_to(usb, campus.settings).files
        assert file.name != name
        assert (usb / name).read_bytes() == text
        file.unlink()
        with pytest.raises(ExportError, match="cannot be gone on with"):
            export_to(usb / name, campus.settings)
        assert (usb / name).read_bytes() == text


def test_a_file_of_another_life_of_the_journal_is_left_alone(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 3)
    (old,) = export_to(usb, campus.settings).files
    for file in campus.settings.state.glob("journal.db*"):
        file.unlink()
    write_records(campus.settings, 4)
    (new,) = export_to(usb, campus.settings).files
    assert new != old
    assert sequences(new, campus) == [1, 2, 3, 4]


def test_one_named_file_is_written_and_gone_on_with(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 5)
    file = usb / "gate.records"
    export_to(file, campus.settings)
    os.truncate(file, file.stat().st_size - 10)
    export_to(file, campus.settings)
    assert sequences(file, campus) == [1, 2, 3, 4, 5]


def test_two_exports_at_once_to_one_file_are_told(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 5)
    (file,) = export_to(usb, campus.settings).files
    os.truncate(file, file.stat().st_size - 10)
    before = file.read_bytes()
    with file.open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ExportError, match="another export is writing it"):
            export_to(usb, campus.settings)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("to", "after", "why"),
    [
        ("nothing-here", None, "is the stick mounted"),
        ("nowhere/x.records", None, "is the stick mounted"),
        ("usb", 9, "the newest record is 2"),
    ],
)
def test_what_cannot_be_exported_is_told(
    campus: Campus, usb: Path, to: str, after: int | None, why: str
) -> None:
    write_records(campus.settings, 2)
    with pytest.raises(ExportError, match=why):
        export_to(usb.parent / to, campus.settings, after=after)


def test_records_that_the_journal_no_longer_has_are_named(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 6)
    with sqlite3.connect(campus.settings.journal) as db:
        db.execute("delete from entry where sequence <= 3")
    db.close()
    with pytest.raises(ExportError, match="no records 1 to 3 any more"):
        export_to(usb, campus.settings)
    export_to(usb, campus.settings, after=3)
    assert sequences(files_on(usb)[-1], campus) == [4, 5, 6]


def test_any_stream_can_be_written_to(campus: Campus) -> None:
    write_records(campus.settings, 4)
    sink = io.BytesIO()
    journal, key = JournalReader(campus.settings.journal), device_key(campus.settings)
    assert export(journal, key, sink, device=DEVICE, after=0) == 4
    frames = list(FrameReader(io.BytesIO(sink.getvalue())).frames([key.public_key()]))
    assert [event.sequence for frame in frames for event in frame.events] == [1, 2, 3, 4]
    assert frames[-1].is_end


def test_the_commands_say_what_they_did(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 3)
    settings = ["--settings", str(campus.settings_file)]
    done = campusgate("records", "export", "--to", str(usb), *settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 records written, up to 3" in done.stdout
    assert "nothing new" in campusgate("records", "export", "--to", str(usb), *settings).stdout
    told = campusgate("records", "status", *settings).stdout
    assert '"newest": 3, "through": 0, "waiting": 3' in told
    digest = JournalReader(campus.settings.journal).digest(3)
    assert digest
    Receipt(ahead=(Span(3, 3, digest),)).save(campus.settings.receipt)
    told = campusgate("records", "status", *settings).stdout
    assert '"newest": 3, "through": 0, "waiting": 2' in told
    for path in campus.settings.state.glob("journal.db*"):
        path.unlink()  # the receipt is of a journal that is gone
    assert '"newest": 0, "through": 0, "waiting": 0' in campusgate("records", "status", *settings).stdout
    told = campusgate("records", "export", "--to", str(usb), *settings).stdout
    assert "journal.db: there is no record in it; has the terminal run here?" in told


def test_a_record_that_the_disk_altered_is_not_exported(campus: Campus, usb: Path) -> None:
    write_records(campus.settings, 4)
    with sqlite3.connect(campus.settings.journal) as db:
        alter = "update entry set event = replace(event, 'clocktrusted\":true', 'clocktrusted\":false')"
        assert db.execute(f"{alter} where sequence = 2").rowcount == 1
    db.close()
    with pytest.raises(JournalError, match="record 3 does not follow from record 2"):
        export_to(usb, campus.settings)
