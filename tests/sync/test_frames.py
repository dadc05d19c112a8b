"""The records file: what is written is read back, and nothing that was changed is ever believed."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from sync.frames import MAX_LINE, FrameError, FrameReader, FrameWriter, Torn, first_line
from terminal.events import Event
from tests.sync.batches import chain
from tests.sync.world import DEVICE

KEY = Ed25519PrivateKey.generate()
EVENTS = chain(9)


def lines_of(*batches: list[Event], device: str = DEVICE, key: Ed25519PrivateKey = KEY) -> list[bytes]:
    first, link = first_line(device, batches[0][0].sequence)
    writer = FrameWriter(device, key, link)
    return [first, *(writer.frame(batch) for batch in (*batches, []))]


LINES = lines_of(EVENTS[:4], EVENTS[4:6], EVENTS[6:])
WHOLE = b"".join(LINES)


def read(data: bytes) -> tuple[list[str], FrameError | None]:
    """The texts of the records that are believed, and what stopped the reading."""
    found: list[str] = []
    try:
        reader = FrameReader(io.BytesIO(data))
        for frame in reader.frames([Ed25519PrivateKey.generate().public_key(), KEY.public_key()]):
            found += [event.text for event in frame.events]
    except FrameError as error:
        return found, error
    return found, None


TEXTS = [event.text for event in EVENTS]
GOOD = [0, 4, 6, 9]  # records after each whole frame


def test_what_was_written_is_read_back() -> None:
    assert read(WHOLE) == (TEXTS, None)


@given(cut=st.integers(0, len(WHOLE) - 1))
def test_a_file_cut_off_anywhere_is_taken_up_to_its_last_whole_frame(cut: int) -> None:
    found, error = read(WHOLE[:cut])
    whole = WHOLE[:cut].count(b"\n")
    assert found == TEXTS[: GOOD[max(0, min(whole, 4) - 1)]]
    ends = {sum(map(len, LINES[:number])) for number in range(1, 5)}
    assert isinstance(error, Torn) == (cut not in ends)


@given(place=st.integers(0, len(WHOLE) - 1), change=st.integers(1, 255))
def test_one_changed_byte_is_refused_or_the_frames_before_it_are_taken(place: int, change: int) -> None:
    data = bytearray(WHOLE)
    data[place] ^= change
    found, error = read(bytes(data))
    assert error is not None
    before = WHOLE[:place].count(b"\n")
    assert found == TEXTS[: GOOD[max(0, before - 1)]]


@given(order=st.lists(st.integers(0, len(LINES) - 1), max_size=8))
def test_frames_dropped_doubled_or_in_another_order_are_seen(order: list[int]) -> None:
    found, _ = read(b"".join(LINES[number] for number in order))
    right = 0
    while right < len(order) and order[right] == right:
        right += 1
    assert found == TEXTS[: GOOD[min(max(0, right - 1), 3)]]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"".join([LINES[0], *lines_of(EVENTS[:4], key=Ed25519PrivateKey.generate())[1:]]), "not signed by"),
        (b"".join([LINES[0], *lines_of(EVENTS[:4], device="south-gate-1")[1:]]), "moved"),
        (b"".join([LINES[0], *lines_of(EVENTS[4:])[1:]]), "moved"),
        (b"".join(lines_of(chain(2) + EVENTS[4:])), "does not go on with record 3"),
        (b"".join(lines_of([*EVENTS[:2], EVENTS[1]])), "does not go on with record 3"),
        (WHOLE + LINES[-1], "something follows its end"),
        (LINES[0] + b"x" * (MAX_LINE + 1), "longer than"),
        (LINES[0] + b"[" * 100_000 + b"\n", "is not a frame"),
        (LINES[0] + b'{"events":[],"jws":""}\n', "altered"),
        (LINES[0] + LINES[1].replace(b'{"events":', b'{"events": ', 1), "altered"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_frame_that_is_not_the_devices_next_is_refused_by_name(data: bytes, why: str) -> None:
    assert why in str(read(data)[1])


@pytest.mark.parametrize(
    "header",
    [
        *(b"", b"\n", b"{}\n", b"[]\n", b"\xff\n", b"x" * 600, b"[" * 500 + b"\n"),
        b'{"device":"\\ud800","first":1}\n',
        LINES[0].replace(b'"version":1', b'"version":2'),
        LINES[0].replace(b'"first":1', b'"first":0'),
    ],
)
def test_what_does_not_begin_with_a_header_is_no_records_file(header: bytes) -> None:
    with pytest.raises(FrameError):
        FrameReader(io.BytesIO(header + LINES[1]))


def test_any_json_library_can_verify_it_as_rfc_7797_says() -> None:
    header, *frames = [json.loads(line) for line in WHOLE.splitlines()]
    assert header == {"format": "campusgate-records", "version": 1, "device": DEVICE, "first": 1}
    for (line, _), frame in zip(pairwise(WHOLE.splitlines()), frames, strict=True):
        protected, _, signature = frame["jws"].partition("..")
        payload = json.dumps(frame["events"], separators=(",", ":"), sort_keys=True).encode()
        given_header = json.loads(base64.urlsafe_b64decode(protected + "=" * (-len(protected) % 4)))
        assert given_header["kid"] == DEVICE
        assert given_header["previous"] == hashlib.sha256(line).hexdigest()
        raw = base64.urlsafe_b64decode(signature + "==")
        KEY.public_key().verify(raw, protected.encode() + b"." + payload)


def test_records_hold_nothing_readable_but_times_and_numbers() -> None:
    for frame in LINES[1:-1]:
        for event in json.loads(frame)["events"]:
            assert set(event) == {
                *("specversion", "id", "source", "type", "time", "datacontenttype"),
                *("clock", "clocktrusted", "previous", "data_base64"),
            }
