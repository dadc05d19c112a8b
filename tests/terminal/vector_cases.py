"""What the test vectors are of: every code that is taken, at its boundaries, and every refusal there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cbor2

from tests.terminal.make_vectors import (
    AT,
    CARDS,
    FRESH,
    LIBRARY,
    SKEW,
    STRICT,
    SUBJECT,
    card,
    code_text,
    kid,
    personal,
    shown,
    token,
    url_text,
)

Case = tuple[str, str, str, bytes | None, dict[str, Any]]
OLDEST, NEWEST = AT - FRESH - SKEW, AT + SKEW


def cases() -> Iterator[Case]:
    """Name, reason ("ok" when it is taken), text, token (None when there is none), and when and where."""
    yield from _personal()
    yield from _passes()
    yield from _malformed()
    yield from _device()


def _case(name: str, reason: str, cose: bytes, code: str, **situation: Any) -> Case:
    text = url_text(cose) if code == "device" else code_text(cose)
    return name, reason, text, cose, {"code": code} | situation


def _personal() -> Iterator[Case]:
    def case(name: str, reason: str, cose: bytes, **situation: Any) -> Case:
        return _case(f"personal, {name}", reason, cose, "personal", **situation)

    def mine(at: int = AT, **more: Any) -> bytes:
        return token("person", personal(at, **more))

    yield case("fresh", "ok", mine())
    yield case("healthy declaration", "ok", mine(declaration=[365, 0, False]))
    yield case("no temperature declared", "ok", mine(declaration=[None, 0, False]))
    yield case("bound to this place", "ok", mine(aud="north-gate"))
    yield case("bound, where that is demanded", "ok", mine(aud=STRICT), place=STRICT)
    yield case("as old as may be", "ok", mine(OLDEST))
    yield case("as far ahead as may be", "ok", mine(NEWEST))
    yield case("newer than the last accepted", "ok", mine(), last_issued_at=AT - 1)
    yield case("unsigned header with something in it", "ok", token("person", personal(), None, {99: "x"}))
    yield case("one second too old", "code.stale", mine(OLDEST - 1))
    yield case("one second too far ahead", "code.future", mine(NEWEST + 1))
    yield case("the one accepted last", "code.replayed", mine(), last_issued_at=AT)
    yield case("older than the last accepted", "code.replayed", mine(AT - 1), last_issued_at=AT)
    yield case("bound to another place", "code.other-place", mine(aud=LIBRARY))
    yield case("unbound, where binding is demanded", "code.unbound", mine(), place=STRICT)
    yield case("where only cards are taken", "code.unsupported", mine(), place=CARDS)
    yield case("the terminal's clock is not trusted", "clock.untrusted", mine(), clock_trusted=False)
    yield case("of nobody", "person.unknown", token("stranger", personal(sub="S20990001")))
    yield case("signed by somebody else", "code.forged", token("stranger", personal()))
    altered = cbor2.loads(mine())
    altered.value[2] = cbor2.dumps(personal(AT + 1))
    yield case("made younger after signing", "code.forged", cbor2.dumps(altered))
    short = cbor2.loads(mine())
    short.value[3] = short.value[3][:63]
    yield case("signature of 63 bytes", "code.forged", cbor2.dumps(short))
    lifted = token("person", personal(), None, {4: kid("issuer")})
    yield case("kid in the unsigned header", "code.damaged", lifted)
    yield case("no iat", "code.damaged", token("person", {2: SUBJECT}))
    yield case("iat is a float", "code.damaged", token("person", {2: SUBJECT, 6: AT + 0.5}))
    yield case("declared 99.9 degrees", "code.damaged", mine(declaration=[999, 0, False]))
    yield case("aud is a list", "code.damaged", mine(aud=["north-gate"]))


def _passes() -> Iterator[Case]:
    def case(name: str, reason: str, cose: bytes, **situation: Any) -> Case:
        return _case(f"pass, {name}", reason, cose, "pass", **situation)

    def issued(*times: int, **more: Any) -> bytes:
        return token("issuer", card(*times, **more))

    yield case("card", "ok", issued(iss="registrar"))
    yield case("visitor", "ok", issued(kind="visitor", places=["north-gate"]))
    yield case("again", "ok", issued(), last_issued_at=AT)
    yield case("from this second on", "ok", issued(AT))
    yield case("until the next second", "ok", issued(AT - 3600, AT + 1))
    yield case("the terminal's clock is not trusted", "ok", issued(AT + 9), clock_trusted=False)
    yield case("not before the next second", "code.not-yet-valid", issued(AT + 1))
    yield case("until this second", "code.expired", issued(AT - 3600, AT))
    yield case("for other places", "code.wrong-place", issued(places=[LIBRARY, CARDS]))
    yield case("a visitor's where none is taken", "code.unsupported", issued(kind="visitor"), place=LIBRARY)
    unknown = token("stranger", card(), {1: -7, 4: kid("stranger")})
    yield case("of an unknown issuer", "code.issuer-unknown", unknown)
    pretended = token("person", card(), {1: -7, 4: kid("issuer")})
    yield case("signed by a person in the issuer's name", "code.forged", pretended)
    yield case("no exp", "code.damaged", token("issuer", {2: SUBJECT, -65538: "card"}))
    yield case("of an unknown kind", "code.damaged", issued(kind="master"))


def _malformed() -> Iterator[Case]:
    def text(name: str, reason: str, text: str) -> Case:
        return name, reason, text, None, {"code": "none"}

    def case(name: str, reason: str, cose: bytes) -> Case:
        return _case(name, reason, cose, "none", parts=False)

    whole = token("person", personal())
    yield text("another QR code", "code.foreign", "https://example.com/")
    yield text("prefix in lower case", "code.foreign", "cc1:" + code_text(whole)[4:])
    yield text("1,025 characters", "code.oversize", "CC1:" + "0" * 1021)
    yield text("no base45", "code.damaged", "CC1:校园码")
    yield text("cut short", "code.damaged", code_text(whole)[:-3])
    yield case("a byte too many", "code.damaged", whole + b"\0")
    yield case("without the tag", "code.damaged", whole[1:])
    yield case("nested 600 deep", "code.damaged", b"\x81" * 600)
    yield case("a text of 2^63 bytes announced", "code.damaged", b"\xd2\x7b\x7f" + b"\xff" * 7)
    yield case("HMAC", "code.unsupported", token("person", personal(), {1: 5}))
    yield case("critical header", "code.unsupported", token("person", personal(), {1: -7, 2: [99], 99: 1}))
    own = token("device", personal(), {1: -8})
    yield case("signed by a terminal", "code.unsupported", own)
    named = token("device", card(), {1: -8, 4: kid("issuer")})
    yield case("a pass signed by a terminal", "code.unsupported", named)


def _device() -> Iterator[Case]:
    def case(name: str, reason: str, cose: bytes, **situation: Any) -> Case:
        return _case(f"device, {name}", reason, cose, "device", **situation)

    yield case("fresh", "ok", token("device", shown()))
    yield case("as old as may be", "ok", token("device", shown(AT - 120)))
    yield case("as far ahead as may be", "ok", token("device", shown(AT + 30)))
    yield case("one second too old", "code.stale", token("device", shown(AT - 121)))
    yield case("one second too far ahead", "code.future", token("device", shown(AT + 31)))
    yield case("of no registered device", "code.issuer-unknown", token("device", shown(device="gate-9")))
    other = token("other-device", shown())
    yield case("of another device", "code.issuer-unknown", other)
    pretended = token("other-device", shown(), {1: -8, 4: kid("device")})
    yield case("signed by another device in its name", "code.forged", pretended)
    yield case("a person's code", "code.unsupported", token("person", shown()))
    yield case("no place", "code.damaged", token("device", shown(place=None)))
