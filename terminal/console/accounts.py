"""The maintenance staff's accounts: names, roles and passwords, in maintenance.json among the device's keys.

Nobody has an account until provisioning makes the first; without the file nobody logs in by password.
Passwords are kept as scrypt (RFC 7914) with N=2^15, r=8, p=1: 32 MiB, some 0.1 s of a PC, about half a second
of a Pi 4. The memory is what a guesser's graphics card lacks, and more of it a Pi of 512 MB would lack beside
a running terminal. Each password is stored with its own numbers, so that those of new ones can be raised.
What is made here has 100 bits and would need no such care; what people choose does.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from config.errors import CampusgateError
from config.files import locked, write_atomic
from terminal.console import crockford
from terminal.console.roles import Role

FILE = "maintenance.json"
FIRST = "admin"
"""The account that provisioning makes."""
MIN_PASSWORD = 12  # characters

_SALT_BYTES = 16
_HASH_BYTES = 32
_GROUPS, _GROUP = 4, 5  # of a made password: 20 characters of 5 bits
_MAX_BLOCKS = 2**20  # N times r: 128 MiB, lest a damaged number takes the machine's memory
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
"""What an account may be named."""
_GUESSED = ("campusgate", "password", "qwerty", "12345678", "abcdefgh", "11111111", "00000000")
_NAME_COUNTS = 4  # characters
_DIFFERENT = 5  # characters


class AccountsError(CampusgateError, ValueError):
    """Raised when accounts cannot be read, or cannot be changed as asked; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's parameters: n a power of two; memory is 128 n r bytes (RFC 7914, section 2)."""

    n: int
    r: int
    p: int

    def __post_init__(self) -> None:
        whole = all(type(number) is int and number > 0 for number in (self.n, self.r, self.p))
        if not whole or self.n < 2 or self.n & (self.n - 1) or self.n * self.r > _MAX_BLOCKS or self.p > 16:
            raise ValueError("scrypt's parameters are out of range")

    def hash(self, password: str, salt: bytes) -> bytes:
        """The hash of `password` in UTF-8."""
        memory = (
            128 * self.r * (self.n + self.p + 2)
        )  # what OpenSSL wants allowed, a little more than it takes
        data = password.encode("utf-8", "surrogatepass")
        return hashlib.scrypt(data, salt=salt, n=self.n, r=self.r, p=self.p, maxmem=memory, dklen=_HASH_BYTES)


COST = Cost(2**15, 8, 1)


@dataclass(frozen=True, slots=True)
class Account:
    """One member of the staff. made: the password is one of `made_password`'s, and read as such."""

    name: str
    role: Role
    made: bool
    cost: Cost
    salt: bytes
    hash: bytes


class Accounts:
    """The accounts in the file `path`, as they are there at each call. cost: of passwords set from now on."""

    def __init__(self, path: Path, cost: Cost = COST) -> None:
        self._path, self._cost = path, cost

    @property
    def exist(self) -> bool:
        """Whether there is a file of accounts."""
        return self._path.exists()

    def all(self) -> tuple[Account, ...]:
        """Every account by name; none when there is no file. Raises: AccountsError."""
        try:
            document = json.loads(self._path.read_bytes())
            found = [_account(one) for one in document["accounts"]]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise AccountsError(f"{self._path}: cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise AccountsError(
                f"{self._path}: is damaged; log in by key and `factory reset`, or, as root on the machine,"
                " remove it and run `campusgate terminal init` again, which makes a new one"
            ) from error
        return tuple(sorted(found, key=lambda account: account.name))

    def verify(self, name: str, password: str) -> Account | None:
        """The account, if that is its password. An unknown name takes as long. Raises: AccountsError."""
        account = next((one for one in self.all() if one.name == name), None)
        if account is None:
            self._cost.hash(password, bytes(_SALT_BYTES))
            return None
        given = crockford.plain(password) if account.made else _chosen(password)
        right = hmac.compare_digest(account.cost.hash(given, account.salt), account.hash)
        return account if right else None

    def add(self, name: str, role: Role) -> str:
        """Make an account; its password, to be shown once. Raises: AccountsError, OSError."""
        if not NAME.fullmatch(name):
            raise AccountsError(
                f"{name!r:.60} is no name of an account: lower-case letters, digits and . _ -, at most 32"
            )
        password = made_password()
        account = self._with_password(name, role, password, made=True)
        with self._changing() as accounts:
            if name in accounts:
                raise AccountsError(f"{name}: is there already; `account reset {name}` makes a new password")
            accounts[name] = account
        return password

    def remove(self, name: str) -> None:
        """Remove an account. Raises: AccountsError when there is none, or no admin would be left; OSError."""
        with self._changing() as accounts:
            _known(accounts, name)
            del accounts[name]
            _keep_an_admin(accounts)

    def set_role(self, name: str, role: Role) -> None:
        """Give an account another role. Raises: as `remove`."""
        with self._changing() as accounts:
            accounts[name] = replace(_known(accounts, name), role=role)
            _keep_an_admin(accounts)

    def reset(self, name: str) -> str:
        """Make a new password, to be shown once. Raises: AccountsError without such an account; OSError."""
        password = made_password()
        self._set(name, password, made=True)
        return password

    def choose(self, name: str, password: str, *, device: str) -> None:
        """Set a password of the user's own. device: the terminal's name.

        Length counts and no mixture of characters does (NIST SP 800-63B-4, section 3.1.1.2).
        Raises: AccountsError when it is too short or is guessed first; OSError.
        """
        folded = _chosen(password).casefold()
        if len(folded) < MIN_PASSWORD:
            raise AccountsError(
                f"a password has at least {MIN_PASSWORD} characters; a sentence is easy to keep"
            )
        # A short name is in many a good sentence.
        guessed = (*_GUESSED, *(word for word in (device, name) if len(word) >= _NAME_COUNTS))
        if len(set(folded)) < _DIFFERENT or any(word in folded for word in guessed):
            raise AccountsError(
                "that is guessed first: without the names of device, account and product, well-known rows"
                " and mere repetition, please"
            )
        self._set(name, _chosen(password), made=False)

    def _set(self, name: str, password: str, *, made: bool) -> None:
        account = self._with_password(name, Role.OBSERVE, password, made=made)
        with self._changing() as accounts:
            accounts[name] = replace(account, role=_known(accounts, name).role)

    def _with_password(self, name: str, role: Role, password: str, *, made: bool) -> Account:
        salt = secrets.token_bytes(_SALT_BYTES)
        kept = crockford.plain(password) if made else password
        return Account(name, role, made, self._cost, salt, self._cost.hash(kept, salt))

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Account]]:
        """The accounts to be changed in place, alone, and then written."""
        with locked(self._path.parent):
            accounts = {account.name: account for account in self.all()}
            yield accounts
            document = {"accounts": [_document(account) for account in accounts.values()]}
            write_atomic(self._path, json.dumps(document, indent=1).encode(), mode=0o600)


def made_password() -> str:
    """A password of 100 bits, as VWXYZ-01234-56789-ABCDE: read out, typed with wet gloves, in any case."""
    letters = [secrets.choice(crockford.ALPHABET) for _ in range(_GROUPS * _GROUP)]
    return "-".join("".join(letters[at : at + _GROUP]) for at in range(0, len(letters), _GROUP))


def _chosen(password: str) -> str:
    """One form of what keyboards write in several (NFKC, Unicode Standard Annex 15)."""
    return unicodedata.normalize("NFKC", password)


def _known(accounts: dict[str, Account], name: str) -> Account:
    if name not in accounts:
        raise AccountsError(f"{name!r:.60}: no such account; there are {', '.join(accounts) or 'none'}")
    return accounts[name]


def _keep_an_admin(accounts: dict[str, Account]) -> None:
    if not any(account.role is Role.ADMIN for account in accounts.values()):
        raise AccountsError("no admin would be left; make another one first: account add NAME admin")


def _document(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "role": str(account.role),
        "made": account.made,
        "scrypt": asdict(account.cost),
        "salt": base64.b64encode(account.salt).decode("ascii"),
        "hash": base64.b64encode(account.hash).decode("ascii"),
    }


def _account(document: Any) -> Account:
    """Raises: ValueError, KeyError, TypeError."""
    name, made = document["name"], document["made"]
    salt, digest = (base64.b64decode(document[key], validate=True) for key in ("salt", "hash"))
    sound = type(made) is bool and len(salt) >= _SALT_BYTES and len(digest) == _HASH_BYTES
    if not sound or not NAME.fullmatch(name):
        raise ValueError("is no account")
    return Account(name, Role(document["role"]), made, Cost(**document["scrypt"]), salt, digest)
