"""The device code: made by the terminal's own key, checked by central, and good for no gate."""

from __future__ import annotations

import base64
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from config.errors import KeyFileError
from hw.clock import Moment
from terminal.codes import CodeRefused, parse
from terminal.device_code import (
    FRESH,
    MAX_URL,
    RENEW_AFTER,
    SKEW,
    DeviceCodes,
    device_code,
    device_key_id,
    verify_device_code,
)
from terminal.provision import device_key
from terminal.reasons import Reason, Verdict
from tests.sim.processes import wait_until
from tests.terminal.desk import Desk
from tests.terminal.world import NOW, Rig, code_of, text_of

AT = int(NOW.timestamp())
KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
URL = "https://school.example/c#"
HERE = Moment(NOW, 100.0, True)


def keys_of(name: str) -> list[Ed25519PublicKey]:
    return {"gate-1": [KEY.public_key()], "gate-2": [OTHER.public_key()]}.get(name, [])


def made(at: int = AT, *, url: str = URL, device: str = "gate-1", key: Ed25519PrivateKey = KEY) -> str:
    return device_code(url, device=device, place="north-gate", issued_at=at, key=key)


def token_of(text: str) -> bytes:
    encoded = text.removeprefix(URL)
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


def signed(claims: Any, key: Ed25519PrivateKey = KEY, kid: bytes | None = None) -> str:
    named = bytes.fromhex(device_key_id(key.public_key())) if kid is None else kid
    protected, payload = cbor2.dumps({1: -8, 4: named} if named else {1: -8}), cbor2.dumps(claims)
    signature = key.sign(cbor2.dumps(["Signature1", protected, b"", payload]))
    token = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))
    return URL + base64.urlsafe_b64encode(token).decode().rstrip("=")


def refusal(text: str, **changes: Any) -> Reason:
    with pytest.raises(CodeRefused) as caught:
        verify_device_code(text, keys_of, **({"now": AT} | changes))
    return caught.value.reason


@pytest.mark.parametrize("url", [URL, "https://school.example/checkin?d=", "https://a.b/?x=1&y=2#", ""])
def test_central_reads_what_the_terminal_shows(url: str) -> None:
    code = verify_device_code(made(url=url), keys_of, now=AT)
    assert (code.device, code.place, code.issued_at) == ("gate-1", "north-gate", AT)
    assert code.digest == verify_device_code(made(), keys_of, now=AT + 5).digest
    assert len(made()) <= 230, "fits QR version 9 at level L"


@given(st.integers(-10_000, 10_000), st.integers(0, 600), st.integers(0, 600))
def test_at_any_time_it_is_exactly_one_of_stale_fresh_and_future(age: int, fresh: int, skew: int) -> None:
    text = made(AT - age)
    if -skew <= age <= fresh + skew:
        assert verify_device_code(text, keys_of, now=AT, fresh=fresh, skew=skew).issued_at == AT - age
    else:
        expected = Reason.CODE_FUTURE if age < 0 else Reason.CODE_STALE
        assert refusal(text, fresh=fresh, skew=skew) is expected


def test_its_boundaries_are_whole_seconds() -> None:
    assert verify_device_code(made(AT - FRESH - SKEW), keys_of, now=AT)
    assert refusal(made(AT - FRESH - SKEW - 1)) is Reason.CODE_STALE
    assert verify_device_code(made(AT + SKEW), keys_of, now=AT)
    assert refusal(made(AT + SKEW + 1)) is Reason.CODE_FUTURE


def test_only_the_key_of_the_device_that_it_names_will_do() -> None:
    assert refusal(made(key=OTHER)) is Reason.CODE_ISSUER_UNKNOWN
    assert refusal(made(device="gate-9")) is Reason.CODE_ISSUER_UNKNOWN
    claims = {1: "gate-1", 6: AT, -65540: "north-gate"}
    assert refusal(signed(claims, kid=b"")) is Reason.CODE_ISSUER_UNKNOWN
    kid = bytes.fromhex(device_key_id(KEY.public_key()))
    assert refusal(signed(claims, OTHER, kid)) is Reason.CODE_FORGED


def test_a_lost_device_whose_key_central_no_longer_trusts_vouches_for_nothing() -> None:
    with pytest.raises(CodeRefused) as caught:
        verify_device_code(made(), lambda name: [OTHER.public_key()] if name == "gate-2" else [], now=AT)
    assert caught.value.reason is Reason.CODE_ISSUER_UNKNOWN


def test_no_flipped_bit_leaves_a_device_code_that_verifies() -> None:
    token = token_of(made())
    for bit in range(len(token) * 8):
        flipped = bytearray(token)
        flipped[bit // 8] ^= 1 << bit % 8
        assert refusal(URL + base64.urlsafe_b64encode(bytes(flipped)).decode().rstrip("="))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.CODE_FOREIGN),
        ("https://school.example/c#", Reason.CODE_FOREIGN),
        ("https://school.example/c", Reason.CODE_FOREIGN),
        ("校园码", Reason.CODE_FOREIGN),
        (URL + "A" * MAX_URL, Reason.CODE_OVERSIZE),
        (URL + "A", Reason.CODE_DAMAGED),
        (URL + "AAAA", Reason.CODE_DAMAGED),
        (made()[:-2], Reason.CODE_DAMAGED),
        (signed([1]), Reason.CODE_DAMAGED),
        (signed({6: AT, -65540: "p"}), Reason.CODE_DAMAGED),
        (signed({1: "gate-1", -65540: "p"}), Reason.CODE_DAMAGED),
        (signed({1: "gate-1", 6: AT}), Reason.CODE_DAMAGED),
        (signed({1: 5, 6: AT, -65540: "p"}), Reason.CODE_DAMAGED),
        (signed({1: "g" * 64, 6: AT, -65540: "p"}), Reason.CODE_DAMAGED),
        (signed({1: "gate-1", 6: True, -65540: "p"}), Reason.CODE_DAMAGED),
        (signed({1: "gate-1", 6: -1, -65540: "p"}), Reason.CODE_DAMAGED),
        (signed({1: "gate-1", 6: AT, -65540: ["p"]}), Reason.CODE_DAMAGED),
    ],
)
def test_what_is_no_device_code_is_refused_for_its_own_reason(text: str, reason: Reason) -> None:
    assert refusal(text) is reason


@given(st.text(max_size=60))
def test_any_text_is_refused(text: str) -> None:
    assert refusal(text).value.startswith("code.")
    assert refusal(URL + text).value.startswith("code.")


def test_a_personal_code_is_no_device_code() -> None:
    encoded = base64.urlsafe_b64encode(
        cbor2.dumps(cbor2.CBORTag(18, [cbor2.dumps({1: -7}), {}, b"\xa0", b""]))
    )
    assert refusal(URL + encoded.decode().rstrip("=")) is Reason.CODE_UNSUPPORTED
    assert refusal(code_of("S1")) is Reason.CODE_FOREIGN


CLAIMS = {
    "a personal code": {2: "S1", 6: AT},
    "a card": {2: "S1", 5: AT - 9, 4: AT + 9, -65538: "card"},
    "a device code": {1: "gate-1", 6: AT, -65540: "north-gate"},
}


@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
def test_a_stolen_terminal_mints_nothing_that_a_gate_takes(rig: Rig, claims: dict[int, Any]) -> None:
    for text in (signed(claims), signed(claims, kid=b"")):
        for shown in (text, text_of(token_of(text))):
            assert rig.show(shown).decision.verdict is Verdict.DENY
        with pytest.raises(CodeRefused) as caught:
            parse(text_of(token_of(text)))
        assert caught.value.reason is Reason.CODE_UNSUPPORTED
    assert rig.portal.opened == 0


def test_the_screens_code_is_renewed_every_30_seconds_and_when_the_clock_is_set() -> None:
    codes = DeviceCodes(URL, device="gate-1", place="north-gate", key=lambda: KEY)
    first = codes.current(HERE)
    assert codes.current(Moment(NOW + timedelta(seconds=RENEW_AFTER - 1), 129.0, True)) == first
    second = codes.current(Moment(NOW + timedelta(seconds=RENEW_AFTER), 130.0, True))
    assert verify_device_code(second, keys_of, now=AT).issued_at == AT + RENEW_AFTER
    back = codes.current(Moment(NOW - timedelta(hours=1), 131.0, True))
    assert verify_device_code(back, keys_of, now=AT - 3600).issued_at == AT - 3600


def test_a_renewed_key_signs_the_next_code_and_without_a_key_there_is_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keys = [KEY]

    def key() -> Ed25519PrivateKey:
        if not keys:
            raise KeyFileError("device.pem: cannot be read")
        return keys[0]

    codes = DeviceCodes(URL, device="gate-1", place="north-gate", key=key)
    codes.current(HERE)
    keys[0] = OTHER
    later = codes.current(Moment(NOW + timedelta(seconds=RENEW_AFTER), 130.0, True))
    with pytest.raises(CodeRefused):
        verify_device_code(later, keys_of, now=AT)
    assert verify_device_code(later, lambda _: [KEY.public_key(), OTHER.public_key()], now=AT)
    keys.clear()
    assert codes.current(Moment(NOW + timedelta(seconds=2 * RENEW_AFTER), 160.0, True)) == ""
    assert "no device code: device.pem" in caplog.text


def test_without_a_trusted_clock_there_is_no_device_code() -> None:
    codes = DeviceCodes(URL, device="gate-1", place="north-gate", key=lambda: KEY)
    assert codes.current(HERE)
    assert codes.current(Moment(NOW, 101.0, False)) == ""
    assert codes.current(HERE)


@pytest.mark.parametrize("url", [URL, None])
def test_the_terminals_screen_shows_a_code_that_central_takes(tmp_path: Path, url: str | None) -> None:
    desk = Desk(tmp_path)
    if url:
        with desk.campus.settings_file.open("a", encoding="utf-8") as file:
            file.write(f'\n[screen]\ndevice_code_url = "{url}"\n')
    desk.deliver_roster()
    desk.plug_camera()
    try:
        desk.start()
        assert desk.says(camera="live", fault="")
        assert wait_until(lambda: bool(zxingcpp.read_barcodes(desk.screen())) == bool(url), 30)
        read = [code.text for code in zxingcpp.read_barcodes(desk.screen())]
        assert len(read) == bool(url)
        trusted = [device_key(desk.settings).public_key()]
        for text in read:
            device = desk.settings.device
            shown = verify_device_code(text, lambda _: trusted, now=int(time.time()))
            assert (shown.device, shown.place) == (device.name, device.place)
        assert desk.present()["verdict"] == "allow"
        clocks = desk.status()["phone_clocks"]
        assert clocks["measured"] == 1
        assert -5 <= clocks["largest"] <= 1
    finally:
        if desk.process:
            desk.process.kill()
            desk.process.wait()
