"""A made-up campus in a directory: central with 500 people, and one terminal provisioned from it.

Everything is made by the same functions that a school's own commands call; only the people, their names and
their phone keys are invented, from a seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)

from config.settings import Settings, load_settings
from sync.central.site import Site
from sync.central.store import Store
from terminal.codes import compressed
from terminal.install import install
from terminal.person import Person, PersonKind
from tests.sim.agenda import GROUPS, HALL, ROOM, agenda

PEOPLE = 500
_FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚文华玲桂英建国志晓雨欣怡子涵浩然"
_ENGLISH = ("Anna Novak", "John Miller", "Aisha Khan", "Pedro Alves", "Mai Tran", "Olga Petrova")
_KINDS = (PersonKind.STUDENT,) * 8 + (PersonKind.STAFF, PersonKind.WORKER)
_TERMINAL = """
[storage]
state = "state"
run = "."

[clock]
trust = "system"

[sync]
poll_seconds = 0.2
backoff_seconds = 2.0
roster_seconds = 5.0

[camera]
driver = "simulated"
path = "stage.frames"
retry_seconds = 0.2

[thermal]
driver = "simulated"
path = "thermal.txt"

[keypad]
driver = "simulated"
path = "keys"
"""


@dataclass(frozen=True, slots=True)
class Citizen:
    """A made-up person and the private key in their phone."""

    person: Person
    phone: EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Installed:
    """One terminal as it was provisioned."""

    name: str
    settings_file: Path
    settings: Settings


@dataclass(frozen=True, slots=True)
class Campus:
    """The directories, the people and the terminals, of which the gate's is the first."""

    site: Site
    citizens: tuple[Citizen, ...]
    terminals: tuple[Installed, ...]

    @property
    def settings_file(self) -> Path:
        """The settings file of the gate's terminal."""
        return self.terminals[0].settings_file

    @property
    def settings(self) -> Settings:
        """The settings of the gate's terminal."""
        return self.terminals[0].settings

    def terminal_at(self, place: str) -> Installed:
        """The terminal that stands at `place`."""
        return next(one for one in self.terminals if one.settings.device.place == place)


def private_key(rng: random.Random) -> EllipticCurvePrivateKey:
    """A P-256 key from `rng`: for made-up people only, a real phone draws its own."""
    return derive_private_key(rng.getrandbits(255) + 1, SECP256R1())


def people(*, seed: int) -> tuple[Citizen, ...]:
    """The people of the campus that `build` makes from `seed`."""
    rng = random.Random(seed)
    return tuple(_citizen(rng, number) for number in range(PEOPLE))


def build(directory: Path, *, seed: int, link_url: str, busy: bool = False) -> Campus:
    """Make central and the gate's terminal under `directory`. link_url: where terminals are to find central.

    busy: make a classroom with a class and a hall with an event too, each with its terminal, and a check-in.
    """
    citizens = people(seed=seed)
    site = Site(directory / "central")
    site.create(link_url)
    store = Store(site.database_url)
    store.put_people([citizen.person for citizen in citizens])
    policy = site.directory / "policy.toml"
    text = policy.read_text("utf-8").replace("pulse_seconds = 3.0", "pulse_seconds = 0.8")
    policy.write_text(text + (agenda(datetime.now(UTC)) if busy else ""), "utf-8")
    site.publish(store)
    trust_file = directory / "trust.json"
    trust_file.write_text(site.trust_bundle().dump(), "utf-8")
    places = {"north-gate-1": "north-gate"} | (
        {f"{place}-1": place for place in (ROOM, HALL)} if busy else {}
    )
    terminals = []
    for number, (name, place) in enumerate(places.items()):
        settings_file = directory / (f"terminal-{name}" if number else "terminal") / "campusgate.toml"
        made = install(settings_file, name=name, place=place, trust_file=trust_file, extra=_TERMINAL)
        store.register(name, made.public_key)
        terminals.append(Installed(name, settings_file, load_settings(settings_file)))
    store.close()
    return Campus(site, citizens, tuple(terminals))


def _citizen(rng: random.Random, number: int) -> Citizen:
    phone = private_key(rng)
    name = rng.choice(_ENGLISH) if number % 20 == 19 else _chinese_name(rng)
    kind, keys = rng.choice(_KINDS), (compressed(phone.public_key()),)
    person = Person(f"S2024{number:04d}", name, kind, keys=keys, groups=GROUPS[number % len(GROUPS)])
    return Citizen(person, phone)


def _chinese_name(rng: random.Random) -> str:
    return rng.choice(_FAMILY) + "".join(rng.choice(_GIVEN) for _ in range(rng.choice((1, 2, 2))))
