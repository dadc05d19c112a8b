"""Compressed batches: taken when they are what they say, and never more than a bound of them in memory."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sync.central.coding import ACCEPTED, CodingError, TooLarge, decoded
from sync.protocol import LIVE, MAX_BODY, batch_body
from tests.sim.campus import Campus, build
from tests.sync.batches import assert_problem, chain, post
from tests.sync.conftest import NOBODY
from tests.sync.world import counts, serving

Packer = Callable[[bytes], bytes]
CODINGS: dict[str, Packer] = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}
each_coding = pytest.mark.parametrize("coding", CODINGS)


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Campus:
    return build(tmp_path_factory.mktemp("campus"), seed=7, link_url=NOBODY)


@pytest.fixture(scope="module")
def central(campus: Campus) -> Iterator[str]:
    with serving(campus) as url:
        yield url


@each_coding
@pytest.mark.parametrize("lane", ["/v1/batches", LIVE])
def test_a_compressed_batch_is_taken_in_both_lanes(
    coding: str, lane: str, campus: Campus, central: str
) -> None:
    body = CODINGS[coding](batch_body(chain(3)[:1]))
    answer = post(central, campus, body, coding=coding, lane=lane)
    # Sealing is never the same twice: from the second on it is a fork, which only the first could be refused.
    assert answer.status_code == 200
    assert answer.json()["through"] == 1


@each_coding
def test_a_bomb_is_refused_before_it_is_in_memory(coding: str, campus: Campus, central: str) -> None:
    bomb = CODINGS[coding](b" " * (20 * MAX_BODY))
    assert len(bomb) < MAX_BODY / 10
    before = counts(central)
    assert_problem(post(central, campus, bomb, coding=coding), 413, "too-large")
    assert counts(central) == before
    tracemalloc.start()
    with pytest.raises(TooLarge):
        decoded(bomb, coding, MAX_BODY)
    assert tracemalloc.get_traced_memory()[1] < 4 * MAX_BODY
    tracemalloc.stop()


@each_coding
@pytest.mark.parametrize("how", ["plain", "cut", "other"])
def test_a_body_that_is_not_what_its_coding_says_is_malformed(
    how: str, coding: str, campus: Campus, central: str
) -> None:
    body = batch_body(chain(3))
    packed = CODINGS[coding](body)
    other = CODINGS["zstd" if coding == "gzip" else "gzip"](body)
    data = {"plain": body, "cut": packed[:-20], "other": other}[how]
    assert_problem(post(central, campus, data, coding=coding), 400, "malformed")


@pytest.mark.parametrize("coding", ["br", "gzip, zstd", "deflate", "*"])
def test_an_unknown_coding_is_refused_and_those_that_are_taken_are_named(
    coding: str, campus: Campus, central: str
) -> None:
    answer = post(central, campus, zlib.compress(batch_body(chain(1))), coding=coding)
    assert_problem(answer, 415, "about:blank")
    assert answer.headers["Accept-Encoding"] == ACCEPTED


def test_every_answer_to_a_batch_says_what_codings_are_taken(campus: Campus, central: str) -> None:
    body = batch_body(chain(1))
    for answer in (
        post(central, campus, body),
        post(central, campus, batch_body(chain(5)[3:])),
        post(central, campus, b"nonsense"),
        post(central, campus, body, device="nobody"),
        post(central, campus, body, lane=LIVE),
    ):
        assert answer.headers["Accept-Encoding"] == "zstd, gzip"


@pytest.mark.parametrize("header", ["gzip", "zstd"])
def test_a_coding_that_is_not_signed_is_refused(header: str, campus: Campus, central: str) -> None:
    answer = post(central, campus, batch_body(chain(1)), headers={"Content-Encoding": header})
    assert_problem(answer, 401, "signature")


@given(st.binary(max_size=2000), st.sampled_from([*CODINGS, "identity"]))
def test_what_was_packed_is_unpacked(data: bytes, coding: str) -> None:
    packed = CODINGS.get(coding, bytes)(data)
    assert decoded(packed, coding, 2000) == data
    if data and coding != "identity":
        with pytest.raises(TooLarge):
            decoded(packed, coding, len(data) - 1)


@given(st.binary(max_size=300), st.sampled_from(list(CODINGS)), st.sampled_from([b"", b"\x1f\x8b\x08\x00"]))
def test_noise_is_refused_by_name_and_never_a_crash(noise: bytes, coding: str, start: bytes) -> None:
    with suppress(CodingError, TooLarge):
        assert len(decoded(start + noise, coding, 1000)) <= 1000
