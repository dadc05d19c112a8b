"""Challenge and response: what the maintenance key signs logs in once, and nothing else does."""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cwt import COSE, COSEKey
from hypothesis import given
from hypothesis import strategies as st

from config.keys import private_pem, save_private
from terminal.console import crockford
from terminal.console.challenge import GOOD_FOR, Challenge, ChallengeRefused, Challenges
from terminal.console.response import MAX_NAME, Response, ResponseRefused, sign_response
from terminal.console.roles import Role
from terminal.cose import EDDSA

CAMPUSGATE = (sys.executable, "-c", "from config.cli import main; main()")
DEVICE = "north-gate-1"
KEY = Ed25519PrivateKey.generate()


@dataclass
class Console:
    """The challenges of a console whose seconds a test decides."""

    now: float = 5000.0
    challenges: Challenges = field(init=False)

    def __post_init__(self) -> None:
        self.challenges = Challenges(DEVICE, uptime=lambda: self.now)

    def shown(self) -> Challenge:
        """As it is copied from the screen."""
        return Challenge.parse(self.challenges.current().text)

    def answered(self, text: str) -> Response:
        return self.challenges.answered(text, KEY.public_key())


@pytest.fixture
def console() -> Console:
    return Console()


def answer(challenge: Challenge, key: Ed25519PrivateKey = KEY, name: str = "Li Wei") -> str:
    return sign_response(Response(challenge.device, challenge.nonce, name, Role.MAINTAIN), key)


def signed(claims: object) -> str:
    """Anything at all, signed by the right key."""
    key = COSEKey.from_pem(private_pem(KEY), alg="EdDSA")
    token = COSE.new().encode(cbor2.dumps(claims), key, protected={1: EDDSA})
    return base64.urlsafe_b64encode(token).decode("ascii")


def test_a_challenge_is_one_short_word_that_differs_each_time() -> None:
    texts = {Console().challenges.current().text for _ in range(50)}
    assert len(texts) == 50
    assert all(len(text) == len(DEVICE) + 33 and text.startswith(f"{DEVICE}.") for text in texts)
    assert not any(character.isspace() for text in texts for character in text)


def test_the_response_to_the_challenge_says_who_is_here(console: Console) -> None:
    response = console.answered(answer(console.shown(), name="李伟"))
    assert (response.name, response.role) == ("李伟", Role.MAINTAIN)


def test_a_response_may_be_pasted_with_blanks_and_in_lines(console: Console) -> None:
    text = answer(console.shown())
    assert console.answered(f"  {text[:70]}\r\n{text[70:]}== \n").name == "Li Wei"


def test_a_response_is_good_once(console: Console) -> None:
    text = answer(console.shown())
    console.answered(text)
    with pytest.raises(ResponseRefused, match="used already"):
        console.answered(text)
    again = answer(console.shown())
    assert console.answered(again).name == "Li Wei"


def test_a_challenge_stays_while_it_is_copied_and_is_good_for_ten_minutes(console: Console) -> None:
    first = console.shown()
    console.now += GOOD_FOR / 2 - 1
    assert console.shown() == first
    console.now += 2
    second = console.shown()
    assert second != first
    console.now += GOOD_FOR / 2 - 1
    assert console.answered(answer(first)).name == "Li Wei"
    console.now += GOOD_FOR / 2 + 2
    with pytest.raises(ResponseRefused, match="came after 10 minutes"):
        console.answered(answer(second))


def test_a_refused_response_uses_nothing_up(console: Console) -> None:
    shown = console.shown()
    for text in ("", "x", answer(shown, Ed25519PrivateKey.generate())):
        with pytest.raises(ResponseRefused):
            console.answered(text)
    assert console.shown() == shown
    assert console.answered(answer(shown)).name == "Li Wei"


def test_what_another_key_signed_is_refused(console: Console) -> None:
    with pytest.raises(ResponseRefused, match="not signed by the school's maintenance key"):
        console.answered(answer(console.shown(), Ed25519PrivateKey.generate()))


def test_what_another_device_asked_for_is_refused(console: Console) -> None:
    nonce = console.shown().nonce
    with pytest.raises(ResponseRefused, match="'south-gate-1', not of north-gate-1"):
        console.answered(answer(Challenge("south-gate-1", nonce)))


def test_what_this_console_did_not_ask_for_is_refused(console: Console) -> None:
    other = Console().shown()
    with pytest.raises(ResponseRefused, match="no challenge of this console"):
        console.answered(answer(other))


def test_a_signed_statement_of_another_kind_is_refused(console: Console) -> None:
    shown = console.shown()
    claims = {2: "Li Wei", 3: DEVICE, 7: shown.nonce, "role": "admin"}
    for kind in ({}, {"kind": "time"}, {"kind": 5}, {"kind": ["login"]}):
        with pytest.raises(ResponseRefused, match="another purpose"):
            console.answered(signed(claims | kind))
    assert console.answered(signed(claims | {"kind": "login"})).role is Role.ADMIN


@pytest.mark.parametrize(
    "changes",
    [
        *({2: name} for name in ("", 5, "x\x1b[2J", "a\nb", " ", "n" * (MAX_NAME + 1))),
        *({3: device} for device in (b"x", None)),
        *({7: nonce} for nonce in ("x", None)),
        *({"role": role} for role in ("root", 1, [], None)),
    ],
    ids=str,
)
def test_signed_claims_that_are_none_are_refused(console: Console, changes: dict[object, object]) -> None:
    claims = {2: "Li Wei", 3: DEVICE, 7: console.shown().nonce, "role": "admin", "kind": "login"}
    with pytest.raises(ResponseRefused):
        console.answered(signed(claims | changes))


@given(place=st.integers(0), bit=st.integers(0, 7))
def test_one_flipped_bit_is_refused_or_says_the_same(place: int, bit: int) -> None:
    console = Console()
    text = answer(console.shown())
    token = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    token[place % len(token)] ^= 1 << bit
    try:
        response = console.answered(base64.urlsafe_b64encode(token).decode("ascii"))
    except ResponseRefused:
        return
    assert (response.name, response.role) == ("Li Wei", Role.MAINTAIN)


@given(text=st.text(max_size=300) | st.binary(max_size=300).map(lambda data: base64.b64encode(data).decode()))
def test_any_text_for_a_response_is_refused_and_nothing_else_happens(text: str) -> None:
    console = Console()
    console.shown()
    with pytest.raises(ResponseRefused):
        console.answered(text)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.binary(max_size=9) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(claims=_ANY | st.dictionaries(st.sampled_from([2, 3, 7, "kind", "role"]), _ANY))
def test_anything_signed_by_the_right_key_is_still_no_login(claims: object) -> None:
    with pytest.raises(ResponseRefused):
        Console().answered(signed(claims))


def test_a_response_that_is_too_long_is_not_looked_at(console: Console) -> None:
    with pytest.raises(ResponseRefused, match="at most 1024"):
        console.answered(answer(console.shown()) + " " * 1024)


@given(
    nonce=st.binary(min_size=16, max_size=16),
    device=st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True),
)
def test_a_challenge_is_read_back_however_it_was_copied(nonce: bytes, device: str) -> None:
    challenge = Challenge(device, nonce)
    text = challenge.text
    spaced = f" {text[:-8]}-{text[-8:-4]} {text[-4:]}\n"
    misread = text[:-32] + text[-32:].replace("0", "O").replace("1", "l")
    for copied in (text, text.upper(), text.lower(), spaced, misread):
        assert Challenge.parse(copied) == challenge


@given(at=st.integers(0, 31), letter=st.sampled_from(crockford.ALPHABET))
def test_a_slip_in_copying_is_seen(at: int, letter: str) -> None:
    text = Challenge(DEVICE, bytes(range(16))).text
    start = len(text) - 32
    copied = text[: start + at] + letter + text[start + at + 1 :]
    if copied == text:
        return
    with pytest.raises(ChallengeRefused, match="not copied right"):
        Challenge.parse(copied)


@given(text=st.text(max_size=400) | st.text(max_size=60).map(lambda text: f"{DEVICE}.{text}"))
def test_any_text_for_a_challenge_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(ChallengeRefused):
        Challenge.parse(text)


def test_the_challenge_of_another_devices_name_is_a_slip_too() -> None:
    text = Challenge(DEVICE, bytes(16)).text
    with pytest.raises(ChallengeRefused, match="not copied right"):
        Challenge.parse(text.replace("north", "south"))


def test_a_laptop_answers_without_a_network_and_shows_no_key(tmp_path: Path, console: Console) -> None:
    save_private(tmp_path / "maintenance.pem", KEY)
    words = [*CAMPUSGATE, "answer", console.challenges.current().text.lower()]
    words += ["--key", str(tmp_path / "maintenance.pem"), "--name", "Li Wei", "--role", "admin"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    assert len(done.stdout.strip().split()) == 1
    response = console.answered(done.stdout)
    assert (response.name, response.role) == ("Li Wei", Role.ADMIN)


def test_a_laptop_refuses_a_slip_and_a_key_that_others_may_read(tmp_path: Path, console: Console) -> None:
    key = tmp_path / "maintenance.pem"
    save_private(key, KEY)
    good = console.challenges.current().text
    slip = good[:-1] + ("0" if good[-1] != "0" else "2")

    def refused(challenge: str, name: str = "Li Wei") -> str:
        words = [*CAMPUSGATE, "answer", challenge, "--key", str(key), "--name", name]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "was not copied right" in refused(slip)
    assert "characters that can be seen" in refused(good, "\x1b[2J")
    key.chmod(0o644)
    assert "chmod 600" in refused(good)
