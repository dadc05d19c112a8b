"""The versions of a settings file: who changed what, commits that undo themselves, two who commit at once."""

from __future__ import annotations

import errno
import json
from contextlib import closing
from pathlib import Path

import pytest

from config import settings_history
from config.candidate_file import CandidateFile
from config.errors import CommitRefused, SettingsError
from config.files import write_atomic
from config.settings_history import SettingsHistory
from config.single import Single
from config.unconfirmed import BootTime, boot_time

OLD, NEW, NEWER = (
    f'# 门 {n}\r\n[device]\nname = "gate-{n}"\nplace = "north"\n[central]\nurl = "https://c.example"\n'
    for n in (1, 2, 3)
)


class Clock:
    """The clock that deadlines are kept by, set by a test."""

    def __init__(self) -> None:
        self.now = BootTime("boot-1", 100.0)

    def __call__(self) -> BootTime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now = BootTime(self.now.boot, self.now.seconds + seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(tmp_path: Path, clock: Clock) -> SettingsHistory:
    path = tmp_path / "campusgate.toml"
    path.write_bytes(OLD.encode())
    return SettingsHistory(path, clock)


def in_force(history: SettingsHistory) -> str:
    return history.path.read_bytes().decode()


def told(history: SettingsHistory) -> list[tuple[int, str, str]]:
    return [(version.number, version.by, version.comment) for version in history.versions()]


def test_looking_makes_no_versions(history: SettingsHistory) -> None:
    assert (history.versions(), history.unconfirmed(), history.revert_if_due()) == ([], None, None)
    assert [path.name for path in history.path.parent.iterdir()] == ["campusgate.toml"]


def test_what_was_there_before_and_what_is_edited_by_hand_between_are_versions(
    history: SettingsHistory,
) -> None:
    history.commit(NEW, "anna", "moved")
    history.path.write_bytes(NEWER.encode())
    history.commit(OLD, "ben")
    assert told(history) == [
        (1, "by hand", "as it was before the first commit"),
        (2, "anna", "moved"),
        (3, "by hand", ""),
        (4, "ben", ""),
    ]
    assert [history.text(number) for number in (1, 2, 3, 4)] == [OLD, NEW, NEWER, OLD]
    assert in_force(history) == OLD


def test_a_file_that_is_not_even_text_is_kept_and_can_be_replaced(history: SettingsHistory) -> None:
    history.path.write_bytes(b"\xff\x00")
    history.commit(NEW, "anna")
    assert (history.directory / "000001.toml").read_bytes() == b"\xff\x00"
    with pytest.raises(CommitRefused, match="version 1 is not UTF-8 text"):
        history.text(1)


def test_settings_that_are_not_valid_are_never_put_in_force(history: SettingsHistory) -> None:
    for text in (
        "",
        "[device",
        OLD + "[relay]\npin = 99\n",
        OLD + "[relay]\npin = 4\n[inputs]\ntamper = 4\n",
    ):
        with pytest.raises(SettingsError, match=r"campusgate\.toml: "):
            history.commit(text, "anna")
        with pytest.raises(SettingsError):
            history.commit_confirmed(text, "anna", 5)
    assert in_force(history) == OLD


def test_what_is_in_force_already_is_not_committed_again(history: SettingsHistory) -> None:
    with pytest.raises(CommitRefused, match="nothing to commit"):
        history.commit(OLD, "anna")


def test_without_confirmation_the_settings_come_back_at_the_deadline_and_not_before(
    history: SettingsHistory, clock: Clock
) -> None:
    history.commit_confirmed(NEW, "anna", 5)
    clock.forward(299)
    assert history.revert_if_due() is None
    assert in_force(history) == NEW
    clock.forward(1)
    with pytest.raises(CommitRefused, match="too late: version 1 comes back"):
        history.confirm()
    version = history.revert_if_due()
    assert version is not None
    assert told(history)[2:] == [(3, "campusgate", "not confirmed: back to version 1")]
    assert in_force(history) == OLD
    assert history.revert_if_due() is None
    with pytest.raises(CommitRefused, match="nothing waits"):
        history.confirm()


def test_a_restart_of_the_machine_before_confirmation_undoes_too(
    history: SettingsHistory, clock: Clock
) -> None:
    history.commit_confirmed(NEW, "anna", 60)
    clock.now = BootTime("boot-2", 3.0)
    assert history.revert_if_due()
    assert in_force(history) == OLD


def test_what_is_confirmed_stays(history: SettingsHistory, clock: Clock) -> None:
    history.commit_confirmed(NEW, "anna", 5)
    assert history.confirm().number == 2
    clock.now = BootTime("boot-2", 9999.0)
    assert history.revert_if_due() is None
    assert in_force(history) == NEW


def test_a_further_confirmed_commit_gives_more_time_and_goes_back_as_far(
    history: SettingsHistory, clock: Clock
) -> None:
    history.commit_confirmed(NEW, "anna", 5)
    clock.forward(200)
    history.commit_confirmed(NEWER, "anna", 5)
    clock.forward(200)
    assert history.revert_if_due() is None
    clock.forward(100)
    assert history.revert_if_due()
    assert in_force(history) == OLD


def test_a_further_plain_commit_confirms(history: SettingsHistory, clock: Clock) -> None:
    history.commit_confirmed(NEW, "anna", 5)
    history.commit(NEWER, "anna")
    clock.forward(9999)
    assert history.revert_if_due() is None
    assert in_force(history) == NEWER


def test_what_is_edited_by_hand_before_the_deadline_is_undone_too_and_kept_as_a_version(
    history: SettingsHistory, clock: Clock
) -> None:
    history.commit_confirmed(NEW, "anna", 5)
    history.path.write_bytes(NEWER.encode())
    clock.forward(300)
    assert history.revert_if_due()
    assert in_force(history) == OLD
    assert history.text(3) == NEWER


def test_there_must_be_something_good_to_come_back_to(history: SettingsHistory) -> None:
    for broken in (b"[device", b"\xff", b""):
        history.path.write_bytes(broken)
        with pytest.raises(CommitRefused, match="no good settings to come back to"):
            history.commit_confirmed(NEW, "anna", 5)
        assert history.path.read_bytes() == broken
    history.path.unlink()
    history.commit(NEW, "anna")
    assert in_force(history) == NEW


def test_a_failing_restart_is_tried_again_at_the_next_look(history: SettingsHistory, clock: Clock) -> None:
    history.commit_confirmed(NEW, "anna", 5)
    clock.forward(300)

    def fails(_: object) -> None:
        raise OSError

    with pytest.raises(OSError):
        history.revert_if_due(fails)
    assert in_force(history) == OLD
    assert history.revert_if_due()
    assert len(history.versions()) == 3


def test_of_two_who_commit_at_once_one_is_refused(history: SettingsHistory, clock: Clock) -> None:
    history.commit_confirmed(NEW, "anna", 5)
    clock.forward(300)
    with closing(Single(history.directory, "settings")):
        for act in (
            lambda: history.commit(NEWER, "ben"),
            lambda: history.commit_confirmed(NEWER, "ben", 5),
            history.confirm,
            history.revert_if_due,
            CandidateFile(history).discard,
        ):
            with pytest.raises(CommitRefused, match="somebody else is changing the settings"):
                act()
    assert in_force(history) == NEW


def test_a_version_that_is_damaged_or_not_there_is_never_used(history: SettingsHistory) -> None:
    history.commit(NEW, "anna")
    (history.directory / "000001.toml").write_bytes(OLD.replace("gate-1", "gate-7").encode())
    for number in (0, 1, 3):
        with pytest.raises(CommitRefused, match=f"there is no version {number}"):
            history.text(number)
    assert history.commit(NEWER, "ben").number == 3


def test_a_damaged_deadline_is_named(history: SettingsHistory) -> None:
    history.commit_confirmed(NEW, "anna", 5)
    whole = json.loads((history.directory / "unconfirmed.json").read_bytes())
    wrong = [json.dumps(whole | change).encode() for change in ({"deadline": "soon"}, {"back_to": None})]
    for damage in (b"", b"{}", b"[]", b"\xff", *wrong):
        (history.directory / "unconfirmed.json").write_bytes(damage)
        with pytest.raises(CommitRefused, match=r"unconfirmed\.json: is damaged; `confirm` keeps what"):
            history.revert_if_due()
    assert history.confirm().number == 2
    assert history.unconfirmed() is None
    assert in_force(history) == NEW


def test_a_disk_that_is_full_after_the_settings_were_written_leaves_them_in_force_and_says_so(
    history: SettingsHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer must not be that nothing was done, when the next start goes by the new ones."""

    def until_full(path: Path, data: bytes) -> None:
        if path.name == "000002.toml":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomic(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(settings_history, "write_atomic", until_full)
        assert history.commit(NEW, "anna", "the relay moved").number == 2
    assert in_force(history) == NEW
    history.commit(NEWER, "ben")
    assert told(history)[1:] == [(2, "anna", "the relay moved"), (3, "ben", "")]


def test_a_link_to_the_settings_stays_one_and_relative_paths_start_at_the_link(
    history: SettingsHistory, tmp_path: Path
) -> None:
    (tmp_path / "etc").mkdir()
    link = tmp_path / "etc" / "gate.toml"
    link.symlink_to(history.path)
    SettingsHistory(link).commit(NEW, "anna")
    assert link.is_symlink()
    assert in_force(history) == NEW
    assert len(history.versions()) == 2


def test_this_machine_tells_the_boot_and_the_time_since(history: SettingsHistory) -> None:
    first, second = boot_time(), boot_time()
    assert first.boot
    assert first.boot == second.boot
    assert 0 < first.seconds <= second.seconds


def test_a_candidate_outlives_the_session_and_is_the_same_for_all(history: SettingsHistory) -> None:
    CandidateFile(history).edit(lambda text: text.replace("gate-1", "gate-2"), "anna")
    CandidateFile(history).edit(lambda text: text.replace("门 1", "门 2"), "ben")
    candidate = CandidateFile(SettingsHistory(history.path)).load()
    assert candidate is not None
    assert (candidate.text, candidate.by) == (NEW, "ben")
    CandidateFile(history).discard()
    assert CandidateFile(history).load() is None
    assert in_force(history) == OLD


def test_a_candidate_of_settings_that_were_changed_meanwhile_is_refused(history: SettingsHistory) -> None:
    file = CandidateFile(history)
    candidate = file.edit(lambda _: NEW, "anna")
    history.path.write_bytes(NEWER.encode())
    for act in (
        lambda: history.commit(NEW, "anna", on=candidate.on),
        lambda: file.edit(lambda _: OLD, "ben"),
    ):
        with pytest.raises(CommitRefused, match="was changed since the candidate was begun"):
            act()
    assert in_force(history) == NEWER
    file.replace(OLD, "ben")
    history.commit(OLD, "ben", on=file.load().on)  # type: ignore[union-attr]


def test_a_candidate_is_back_when_its_commit_was_undone_and_gone_when_it_holds(
    history: SettingsHistory, clock: Clock
) -> None:
    file = CandidateFile(history)
    candidate = file.edit(lambda _: NEW, "anna")
    history.commit_confirmed(NEW, "anna", 5, on=candidate.on)
    assert file.load() is None
    clock.forward(300)
    history.revert_if_due()
    assert file.load() == candidate
    history.commit(NEW, "anna", on=candidate.on)
    file.settle()
    history.commit(OLD, "ben")
    assert file.load() is None


def test_a_damaged_candidate_is_named_and_can_be_discarded(history: SettingsHistory) -> None:
    CandidateFile(history).edit(lambda _: NEW, "anna")
    (history.directory / "candidate.json").write_bytes(b"{")
    with pytest.raises(SettingsError, match=r"candidate\.json: is damaged; `discard` it"):
        CandidateFile(history).edit(lambda _: NEW, "anna")
    CandidateFile(history).discard()
    assert CandidateFile(history).load() is None


def test_where_what_is_to_come_back_is_damaged_the_newest_good_one_before_it_comes(
    history: SettingsHistory, clock: Clock
) -> None:
    history.commit(NEW, "anna")
    history.path.write_bytes(b"[device")
    history.commit(OLD.replace("north", "south"), "anna")
    history.commit_confirmed(NEWER, "anna", 5)
    (history.directory / "000004.toml").write_bytes(b"")
    clock.forward(300)
    assert history.revert_if_due()
    assert in_force(history) == NEW
    assert told(history)[-1][1:] == ("campusgate", "not confirmed: back to version 2")
    assert history.unconfirmed() is None


def test_where_no_good_version_is_left_nothing_comes_back_and_that_is_said(
    history: SettingsHistory, clock: Clock
) -> None:
    history.commit_confirmed(NEW, "anna", 5)
    (history.directory / "000001.toml").unlink()
    clock.forward(300)
    with pytest.raises(CommitRefused, match="there is no version 1"):
        history.revert_if_due()
    assert in_force(history) == NEW


def test_a_commit_that_the_disk_had_no_room_for_leaves_nothing_to_confirm(
    history: SettingsHistory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the processes would be started anew at its deadline, for nothing."""

    def full(path: Path, data: bytes) -> None:
        if path == history.path:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_atomic(path, data)

    for waited in (None, 2):
        with monkeypatch.context() as patched:
            patched.setattr(settings_history, "write_atomic", full)
            with pytest.raises(OSError, match="No space left"):
                history.commit_confirmed(NEWER, "anna", 60)
        waiting = history.unconfirmed()
        assert (waiting and waiting.version) == waited
        if not waited:
            history.commit_confirmed(NEW, "anna", 5)
    clock.forward(300)
    assert history.revert_if_due()
    assert in_force(history) == OLD


@pytest.mark.parametrize("broken", [b"[device", b"\xff", b""])
def test_what_was_broken_by_hand_is_not_confirmed(
    history: SettingsHistory, clock: Clock, broken: bytes
) -> None:
    history.commit_confirmed(NEW, "anna", 5)
    history.path.write_bytes(broken)
    with pytest.raises(CommitRefused, match=r"(?s)broken since by hand .*, or let version 1 come"):
        history.confirm()
    clock.forward(300)
    assert history.revert_if_due()
    assert in_force(history) == OLD
