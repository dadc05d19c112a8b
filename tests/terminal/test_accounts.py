"""Accounts of the maintenance staff: what a password is, who has one, and what a damaged file gives away."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.console import crockford
from terminal.console.accounts import COST, Accounts, AccountsError, Cost, made_password
from terminal.console.roles import Role

CHEAP = Cost(2, 1, 1)
OWN = "rain on the north gate roof"


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(tmp_path / "maintenance.json", CHEAP)


@pytest.fixture
def admin(accounts: Accounts) -> str:
    """The password of the account admin, which is there."""
    return accounts.add("admin", Role.ADMIN)


def test_without_a_file_there_is_nobody(accounts: Accounts) -> None:
    assert not accounts.exist
    assert accounts.all() == ()
    assert accounts.verify("admin", "admin") is None


def test_a_made_password_logs_in_however_it_is_typed(accounts: Accounts, admin: str) -> None:
    typed = (
        admin,
        admin.lower(),
        admin.replace("-", ""),
        f"  {admin.replace('-', ' ')} ",
        admin[:9] + admin[9:],
    )
    misread = admin.replace("0", "o").replace("1", "l")
    for text in (*typed, misread, admin.replace("1", "I").replace("0", "O")):
        account = accounts.verify("admin", text)
        assert account is not None
        assert (account.name, account.role) == ("admin", Role.ADMIN)


def test_made_passwords_are_long_plain_and_never_the_same() -> None:
    made = {made_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert [len(group) for group in password.split("-")] == [5, 5, 5, 5]
        assert set(password) <= set(crockford.ALPHABET) | {"-"}
        assert not set(password) & set("ILOU")


@given(guess=st.text(max_size=40))
def test_a_random_password_never_logs_in(accounts: Accounts, guess: str) -> None:
    if not accounts.exist:
        accounts.add("admin", Role.ADMIN)
    assert accounts.verify("admin", guess) is None
    assert accounts.verify(guess, guess) is None


@given(at=st.integers(0, 19), letter=st.sampled_from(crockford.ALPHABET))
def test_one_wrong_letter_does_not_log_in(accounts: Accounts, at: int, letter: str) -> None:
    password = accounts.reset("admin") if accounts.exist else accounts.add("admin", Role.ADMIN)
    letters = password.replace("-", "")
    changed = letters[:at] + letter + letters[at + 1 :]
    assert (accounts.verify("admin", changed) is not None) == (changed == letters)


def test_a_password_of_ones_own_counts_to_the_letter(accounts: Accounts, admin: str) -> None:
    accounts.choose("admin", OWN, device="south-gate-1")
    assert accounts.verify("admin", OWN)
    for other in (OWN.upper(), OWN.replace(" ", ""), f"{OWN} ", admin):
        assert accounts.verify("admin", other) is None


def test_a_password_is_the_same_on_every_keyboard(accounts: Accounts, admin: str) -> None:
    del admin
    accounts.choose("admin", "caf\u00e9 \uff21\uff22\uff23 in the rain", device="south-gate-1")
    assert accounts.verify("admin", "cafe\u0301 ABC in the rain")


@pytest.mark.parametrize(
    "password",
    [
        "",
        "elevenchars",
        "aaaaaaaaaaaa",
        "abababababab",
        "My-North-Gate-1-x",
        "password1234!",
        "Campusgate2026",
        "superadminsuper",
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44 of mine",
    ],
)
def test_what_is_guessed_first_is_refused_and_changes_nothing(
    accounts: Accounts, admin: str, password: str
) -> None:
    with pytest.raises(AccountsError, match=r"at least 12|guessed first"):
        accounts.choose("admin", password, device="north-gate-1")
    assert accounts.verify("admin", admin)


def test_a_short_name_may_be_part_of_a_sentence(accounts: Accounts) -> None:
    accounts.add("li", Role.ADMIN)
    accounts.choose("li", "light in the old library", device="l-1")
    assert accounts.verify("li", "light in the old library")


def test_an_unknown_name_costs_the_same_work_as_a_wrong_password(
    accounts: Accounts, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work: list[tuple[int, int, int]] = []
    scrypt = hashlib.scrypt

    def counted(data: bytes, **given: Any) -> bytes:
        work.append((given["n"], given["r"], given["p"]))
        return scrypt(data, **given)

    monkeypatch.setattr(hashlib, "scrypt", counted)
    assert accounts.verify("admin", "wrong") is None
    assert accounts.verify("nobody", admin) is None
    assert work == [(2, 1, 1)] * 2


def test_the_file_is_its_owners_alone_and_holds_no_password(
    accounts: Accounts, tmp_path: Path, admin: str
) -> None:
    accounts.choose("admin", OWN, device="south-gate-1")
    other = accounts.add("liwei", Role.OBSERVE)
    file = tmp_path / "maintenance.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text("ascii")
    assert not any(secret in text for secret in (OWN, admin, other, other.replace("-", "")))
    assert [entry.name for entry in tmp_path.iterdir()] == ["maintenance.json"]


def test_equal_passwords_are_not_seen_to_be_equal(accounts: Accounts, tmp_path: Path, admin: str) -> None:
    del admin
    accounts.add("liwei", Role.OBSERVE)
    for name in ("admin", "liwei"):
        accounts.choose(name, OWN, device="south-gate-1")
    first, second = json.loads((tmp_path / "maintenance.json").read_bytes())["accounts"]
    assert first["salt"] != second["salt"]
    assert first["hash"] != second["hash"]


def test_a_password_keeps_the_cost_that_it_was_stored_with(
    accounts: Accounts, tmp_path: Path, admin: str
) -> None:
    dearer = Accounts(tmp_path / "maintenance.json", Cost(4, 1, 1))
    assert dearer.verify("admin", admin)
    new = dearer.reset("admin")
    assert accounts.verify("admin", new)
    assert accounts.all()[0].cost == Cost(4, 1, 1)


def test_what_is_stored_is_scrypt_of_rfc_7914() -> None:
    # Section 12, the third test vector: the first 32 of its 64 bytes, which the length does not change.
    found = Cost(16384, 8, 1).hash("pleaseletmein", b"SodiumChloride")
    assert found.hex() == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    assert (COST.n, COST.r, COST.p) == (32768, 8, 1)


def test_accounts_are_added_changed_and_removed(accounts: Accounts, admin: str) -> None:
    password = accounts.add("liwei", Role.OBSERVE)
    assert [(one.name, one.role) for one in accounts.all()] == [("admin", "admin"), ("liwei", "observe")]
    accounts.set_role("liwei", Role.ADMIN)
    account = accounts.verify("liwei", password)
    assert account is not None
    assert account.role is Role.ADMIN
    again = accounts.reset("liwei")
    assert accounts.verify("liwei", password) is None
    renewed = accounts.verify("liwei", again)
    assert renewed is not None
    assert renewed.role is Role.ADMIN
    accounts.remove("admin")
    assert accounts.verify("admin", admin) is None
    assert [one.name for one in accounts.all()] == ["liwei"]


def test_the_last_admin_stays_one(accounts: Accounts, admin: str) -> None:
    accounts.add("liwei", Role.MAINTAIN)
    for change in (lambda: accounts.remove("admin"), lambda: accounts.set_role("admin", Role.MAINTAIN)):
        with pytest.raises(AccountsError, match="no admin would be left"):
            change()
    account = accounts.verify("admin", admin)
    assert account is not None
    assert account.role is Role.ADMIN


@pytest.mark.parametrize("name", ["", "Admin", "li wei", "../x", "-x", "a" * 33, "李伟", "x\x1b[2J", "x\n"])
def test_a_name_that_is_no_name_is_refused(accounts: Accounts, name: str) -> None:
    with pytest.raises(AccountsError, match="no name of an account"):
        accounts.add(name, Role.OBSERVE)
    assert not accounts.exist


def test_an_account_is_neither_made_twice_nor_changed_before_it_is_made(
    accounts: Accounts, admin: str
) -> None:
    with pytest.raises(AccountsError, match="account reset admin"):
        accounts.add("admin", Role.OBSERVE)
    changes = (
        lambda: accounts.reset("liwei"),
        lambda: accounts.remove("liwei"),
        lambda: accounts.set_role("liwei", Role.ADMIN),
        lambda: accounts.choose("liwei", OWN, device="south-gate-1"),
    )
    for change in changes:
        with pytest.raises(AccountsError, match=r"no such account; there are admin"):
            change()
    assert accounts.verify("admin", admin)


def test_two_consoles_at_once_lose_no_account(tmp_path: Path, accounts: Accounts, admin: str) -> None:
    del admin
    names = [f"tech-{number}" for number in range(12)]
    threads = [
        threading.Thread(target=Accounts(tmp_path / "maintenance.json", CHEAP).add, args=(name, Role.OBSERVE))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.name for one in accounts.all()} == {"admin", *names}


def _edited(text: str, **changes: object) -> str:
    document = json.loads(text)
    document["accounts"][0] |= changes
    return json.dumps(document)


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "root"},
        {"name": "Admin"},
        {"name": 5},
        {"made": 1},
        {"salt": ""},
        {"salt": "?"},
        {"hash": ""},
        {"hash": None},
        {"scrypt": {}},
        {"scrypt": {"n": 2**60, "r": 8, "p": 1}},
        {"scrypt": {"n": 3, "r": 8, "p": 1}},
        {"scrypt": {"n": 2, "r": -8, "p": 1}},
        {"scrypt": {"n": True, "r": 8, "p": 1}},
        {"scrypt": {"n": 2, "r": 8, "p": 10**9}},
    ],
    ids=str,
)
def test_a_damaged_account_lets_nobody_in(
    accounts: Accounts, tmp_path: Path, admin: str, changes: dict[str, object]
) -> None:
    file = tmp_path / "maintenance.json"
    file.write_text(_edited(file.read_text("ascii"), **changes))
    before = file.read_bytes()
    with pytest.raises(AccountsError, match="is damaged"):
        accounts.verify("admin", admin)
    with pytest.raises(AccountsError, match="is damaged"):
        accounts.add("liwei", Role.ADMIN)
    assert file.read_bytes() == before


@given(
    data=st.binary(max_size=60) | st.sampled_from([b"{}", b"[]", b"null", b"[" * 100_000, b'{"accounts": 1}'])
)
def test_a_file_of_anything_is_an_error_that_says_what_to_do(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "maintenance.json"
    file.write_bytes(data)
    with pytest.raises(AccountsError, match="campusgate terminal init"):
        Accounts(file, CHEAP).all()


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "maintenance.json").mkdir()
    with pytest.raises(AccountsError, match="cannot be read: Is a directory"):
        Accounts(tmp_path / "maintenance.json", CHEAP).all()


def test_a_full_disk_leaves_the_old_password(
    accounts: Accounts, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            accounts.reset("admin")
    assert accounts.verify("admin", admin)


def test_passwords_that_are_no_text_are_wrong_and_nothing_else(accounts: Accounts, admin: str) -> None:
    for odd in ("\ud800" * 12, "\x00" * 20, "a" * 60_000, admin + "\ud800"):
        assert accounts.verify("admin", odd) is None


@given(data=st.binary(min_size=20, max_size=20))
def test_base_32_reads_what_it_wrote(data: bytes) -> None:
    text = crockford.encode(data)
    assert crockford.decode(text) == crockford.decode(f" {text[:9].lower()}-{text[9:]}\n") == data


@given(text=st.text(max_size=40))
def test_base_32_reads_or_refuses_any_text(text: str) -> None:
    try:
        data = crockford.decode(text)
    except ValueError:
        return
    assert set(crockford.plain(text)) <= set(crockford.ALPHABET)
    assert len(data) <= len(text)
