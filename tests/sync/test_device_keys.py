"""A terminal's key is renewed without a visit, whatever dies meanwhile; a lost terminal is one command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.keys import public_pem
from config.settings import Settings
from sync.central.devices import DeviceError, DeviceStatus
from sync.faults import Fault, SyncFault
from sync.http import session
from sync.protocol import (
    KEY_TAG,
    KEY_TYPE,
    KeyOffer,
    OctetKey,
    batch_body,
    device_key_path,
    encode_base64url,
    key_proof,
    sign_batch,
)
from sync.rekey import KeyRenewal
from terminal.device_code import device_code
from terminal.provision import device_key
from tests.sim.campus import Campus
from tests.sync.batches import assert_problem, chain, post
from tests.sync.office import good, opened, refused
from tests.sync.world import DEVICE, assert_exactly_once, at, deliver, uplink_to, write_records

KILLED = """
import os, signal, sys
from pathlib import Path
import {module} as module
from config.settings import load_settings
from sync.http import session
from sync.rekey import KeyRenewal
from terminal.provision import device_key
whole = module.{name}
def die(*args, **options):
    result = whole(*args, **options) if {after} else None
    os.kill(os.getpid(), signal.SIGKILL)
module.{name} = die
settings = load_settings(Path(sys.argv[1]))
central = settings.central.model_copy(update={{"url": sys.argv[2]}})
settings = settings.model_copy(update={{"central": central}})
KeyRenewal(settings, session(settings)).renew(device_key(settings))
"""


@contextmanager
def renewal(settings: Settings) -> Iterator[KeyRenewal]:
    with session(settings) as http:
        yield KeyRenewal(settings, http)


def renew(settings: Settings) -> Ed25519PrivateKey:
    with renewal(settings) as renewing:
        return renewing.renew(device_key(settings))


def names(campus: Campus) -> set[str]:
    return {file.name for file in campus.settings.keys.iterdir()}


def offer(url: str, present: Ed25519PrivateKey, new: Ed25519PrivateKey, **swap: str) -> requests.Response:
    name = swap.get("name", DEVICE)
    proof = encode_base64url(new.sign(key_proof(swap.get("proves", name))))
    data = KeyOffer(public_key=OctetKey.of(new.public_key()), proof=proof).model_dump_json().encode()
    data = swap["body"].encode() if "body" in swap else data
    request = requests.Request(
        "POST", url + device_key_path(name), data=data, headers={"Content-Type": KEY_TYPE}
    )
    prepared = request.prepare()
    tag = swap.get("tag", KEY_TAG)
    sign_batch(prepared, device=swap.get("signer", DEVICE), key=present, body=data, tag=tag)
    with requests.Session() as http:
        return http.send(prepared, timeout=30)


def test_a_receipt_asks_and_the_daemons_parts_renew(campus: Campus, central: str) -> None:
    settings, old = at(campus.settings, central, batch_records=2), device_key(campus.settings)
    write_records(campus.settings, 6)
    with uplink_to(settings) as uplink:
        uplink.step()
        assert not uplink.rotate
        assert "asked for a new key" in good(campus.site, "central", "rotate-device", DEVICE)
        assert f"{DEVICE}  active  new key asked for" in good(campus.site, "central", "devices")
        uplink.step()
        assert uplink.rotate
        with renewal(settings) as renewing:
            uplink.use(renewing.renew(uplink.key))
        uplink.step()
        assert not uplink.rotate
    assert public_pem(device_key(settings).public_key()) != public_pem(old.public_key())
    assert "device-next.pem" not in names(campus)
    assert_exactly_once(campus, 6)
    with opened(campus.site) as store:
        assert store.devices.keys(DEVICE) == (device_key(settings).public_key(),)
        assert not store.devices.rotation_due(DEVICE)
    answer = post(central, campus, batch_body(chain(1)), key=old)
    assert_problem(answer, 401, "signature")  # the old key is worth nothing now


@pytest.mark.parametrize(
    ("module", "name", "after"),
    [
        ("terminal.provision", "save_private", False),
        ("terminal.provision", "save_private", True),
        ("sync.rekey", "send", False),
        ("sync.rekey", "send", True),
        ("sync.rekey", "adopt_next_key", False),
        ("terminal.provision", "sync_directory", False),
        ("sync.rekey", "adopt_next_key", True),
    ],
)
def test_killed_at_any_step_the_terminal_still_has_a_key(
    module: str, name: str, after: bool, campus: Campus, central: str
) -> None:
    good(campus.site, "central", "rotate-device", DEVICE)
    old = public_pem(device_key(campus.settings).public_key())
    script = KILLED.format(module=module, name=name, after=after)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script, str(campus.settings_file), central]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert b"PRIVATE" not in done.stdout + done.stderr
    write_records(campus.settings, 1)
    assert deliver(campus.settings, central) == [1]  # as it was left
    settings = at(campus.settings, central)
    with renewal(settings) as renewing, opened(campus.site) as store:
        if renewing.pending() or store.devices.rotation_due(DEVICE):
            renewing.renew(device_key(settings))
    write_records(campus.settings, 1)
    assert deliver(campus.settings, central) == [1]
    with opened(campus.site) as store:
        (kept,) = store.devices.keys(DEVICE)
    assert public_pem(kept) == public_pem(device_key(settings).public_key()) != old
    assert "device-next.pem" not in names(campus)


def test_central_takes_no_key_it_did_not_ask_for_or_that_is_not_proven(campus: Campus, central: str) -> None:
    present, new, other = device_key(campus.settings), *(Ed25519PrivateKey.generate() for _ in range(2))
    assert_problem(offer(central, present, new), 409, "key-refused")
    good(campus.site, "central", "rotate-device", DEVICE)
    assert_problem(offer(central, other, new), 401, "signature")
    assert_problem(offer(central, present, new, signer="nobody"), 401, "signature")
    assert_problem(offer(central, present, new, name="north-gate-2"), 401, "signature")
    assert_problem(offer(central, present, new, tag="campusgate-batch"), 401, "signature")
    assert_problem(offer(central, present, new, proves="north-gate-2"), 400, "malformed")
    for body in ("", "[]", "{}", json.dumps({"public_key": {"x": "A" * 43}, "proof": "B" * 85})):
        assert_problem(offer(central, present, new, body=body), 400, "malformed")
    assert_problem(offer(central, present, new, body="x" * 5000), 413, "too-large")
    assert [offer(central, present, new).status_code for _ in range(2)] == [204, 204]
    assert_problem(offer(central, present, other), 409, "key-refused")  # one at a time
    assert post(central, campus, batch_body(chain(1))).status_code == 200  # the present key still counts
    assert post(central, campus, batch_body(chain(1)), key=new).status_code == 200  # and now the new one
    assert_problem(post(central, campus, batch_body(chain(1))), 401, "signature")


def test_a_key_that_central_will_not_have_is_thrown_away(campus: Campus, central: str) -> None:
    settings = at(campus.settings, central)
    with pytest.raises(SyncFault, match="no new key of north-gate-1 was asked for"):
        renew(settings)
    assert "device-next.pem" not in names(campus)
    with pytest.raises(SyncFault) as fault:
        renew(campus.settings)  # nobody answers there
    assert fault.value.fault is Fault.UNREACHABLE
    assert "device-next.pem" in names(campus)  # central may have taken it


def test_a_lost_terminal_is_refused_by_name_and_its_records_stay(campus: Campus, central: str) -> None:
    write_records(campus.settings, 3)
    deliver(campus.settings, central)
    good(campus.site, "central", "rotate-device", DEVICE)
    good(campus.site, "central", "revoke-device", DEVICE)
    write_records(campus.settings, 1)
    with uplink_to(at(campus.settings, central)) as uplink, pytest.raises(SyncFault) as fault:
        uplink.step()
    assert (fault.value.fault, fault.value.retry_after) == (Fault.REVOKED, 3600)
    assert_problem(offer(central, device_key(campus.settings), Ed25519PrivateKey.generate()), 403, "revoked")
    with opened(campus.site) as store:
        assert store.devices.status(DEVICE) is DeviceStatus.REVOKED
        assert store.devices.status("nobody") is DeviceStatus.UNKNOWN
        assert store.counts()["record"] == 3
        with pytest.raises(DeviceError, match="a name of its own"):
            store.register(DEVICE, public_pem(Ed25519PrivateKey.generate().public_key()))
    assert "revoked already" in refused(campus.site, "central", "revoke-device", DEVICE)
    assert "is revoked" in refused(campus.site, "central", "rotate-device", DEVICE)
    assert "no device is registered as x" in refused(campus.site, "central", "revoke-device", "x")
    assert good(campus.site, "central", "devices") == f"{DEVICE}  revoked\n"


def test_central_says_where_a_scanned_device_code_was_shown_and_believes_no_lost_terminal(
    campus: Campus, central: str
) -> None:
    def check(text: Any) -> requests.Response:
        return requests.post(central + "/v1/device-codes", json={"text": text}, timeout=30)

    def shown(key: Ed25519PrivateKey, at: float) -> str:
        return device_code(
            "https://school.example/c#", device=DEVICE, place="north-gate", issued_at=int(at), key=key
        )

    now = time.time()
    seen = check(shown(device_key(campus.settings), now))
    assert seen.status_code == 200
    assert (seen.json()["device"], seen.json()["place"], seen.json()["issued_at"]) == (
        DEVICE,
        "north-gate",
        int(now),
    )
    for text, reason in (
        (shown(device_key(campus.settings), now - 3600), "code.stale"),
        (shown(Ed25519PrivateKey.generate(), now), "code.issuer-unknown"),
        ("CC1:HELLO", "code.foreign"),
    ):
        assert reason in assert_problem(check(text), 403, "device-code")["detail"]
    assert_problem(check(7), 400, "malformed")
    assert_problem(check("A" * 5000), 413, "too-large")
    good(campus.site, "central", "revoke-device", DEVICE)
    lost = assert_problem(check(shown(device_key(campus.settings), now)), 403, "device-code")
    assert "code.issuer-unknown" in lost["detail"]


def test_no_private_key_of_a_whole_site_is_open_to_others(campus: Campus, central: str) -> None:
    good(campus.site, "central", "rotate-device", DEVICE)
    renew(at(campus.settings, central))
    good(campus.site, "central", "rotate-issuer")
    secret = [
        file
        for file in campus.settings_file.parent.parent.rglob("*")
        if file.is_file()
        and (b"PRIVATE KEY" in file.read_bytes() or file.name in ("state.key", "operator.token"))
    ]
    assert {"device.pem", "state.key", "issuer.pem", "records.pem", "operator.token"} <= {
        f.name for f in secret
    }
    for file in secret:
        assert file.stat().st_mode & 0o777 == 0o600, file
        assert file.parent.stat().st_mode & 0o777 == 0o700, file
