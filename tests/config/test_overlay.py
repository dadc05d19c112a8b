"""Settings from central: only those on the list, only in range, and each bad one hurts only itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.overlay import CENTRAL_MAY_SET, allowed_keys, check_value, overlaid
from config.settings import Settings, parse_settings

LOCAL = parse_settings(
    """
    [device]
    name = "north-gate-1"
    place = "north-gate"
    [central]
    url = "https://central.school.example"
    [sync]
    batch_records = 77
    """,
    source="gate.toml",
    base=Path("/etc"),
)
EVERY_KEY = [
    f"{table}.{key}"
    for table, field in Settings.model_fields.items()
    for key in field.annotation.model_fields
]
ANY_VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=9),
    st.lists(st.integers(), max_size=2),
)


def test_central_s_win_over_the_local_file_and_the_rest_stays() -> None:
    done = overlaid(LOCAL, {"sync.batch_records": 9, "sync.roster_seconds": 5})
    assert (done.settings.sync.batch_records, done.settings.sync.roster_seconds) == (9, 5.0)
    assert done.settings.sync.batch_bytes == LOCAL.sync.batch_bytes
    assert done.settings.journal == LOCAL.journal
    assert done.warnings == ()
    assert overlaid(LOCAL, {}).settings == LOCAL


def test_a_value_that_is_not_allowed_is_named_and_the_others_hold() -> None:
    done = overlaid(LOCAL, {"sync.batch_records": 0, "sync.poll_seconds": 1, "sync.roster_seconds": "1"})
    assert done.applied == {"sync.poll_seconds": 1}
    assert done.settings.sync.batch_records == 77
    assert [line.split(" is not")[0] for line in done.warnings] == [
        "[sync]: batch_records: 0", "[sync]: roster_seconds: '1'"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "key", [*sorted(set(EVERY_KEY) - set(CENTRAL_MAY_SET)), "", ".", "sync", "sync.", "x.y"]
)
def test_no_other_key_is_ever_taken(key: str) -> None:
    done = overlaid(LOCAL, {key: 1})
    assert (done.settings, done.applied) == (LOCAL, {})
    assert f"{key}: is not for central to set" in done.warnings[0]
    with pytest.raises(ValueError, match="is not for central to set"):
        check_value(key, 1)


def test_nothing_on_the_list_names_trust_a_place_or_a_device() -> None:
    tables = {key.partition(".")[0] for key in CENTRAL_MAY_SET}
    assert tables <= {"sync", "storage"}
    assert not {"storage.state", "storage.run"} & set(CENTRAL_MAY_SET)
    assert set(CENTRAL_MAY_SET) <= set(EVERY_KEY)
    assert all(f"{key} (" in allowed_keys() for key in CENTRAL_MAY_SET)


@given(st.dictionaries(st.sampled_from([*CENTRAL_MAY_SET, "device.name", "central.url"]), ANY_VALUE))
def test_whatever_comes_the_settings_are_good_and_every_key_is_taken_or_named(
    values: dict[str, object],
) -> None:
    done = overlaid(LOCAL, values)
    assert len(done.applied) + len(done.warnings) == len(values)
    Settings.model_validate(done.settings.model_dump())
    assert (done.settings.device, done.settings.central) == (LOCAL.device, LOCAL.central)
    for key, value in values.items():
        if key in done.applied:
            check_value(key, value)
        else:
            with pytest.raises(ValueError, match=r"not allowed|not for central"):
                check_value(key, value)
