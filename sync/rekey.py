"""A new key for this terminal, without a visit: made here, offered to central, then put in place.

Three steps, each repeated safely after being cut off: the new key is written to device-next.pem; central
confirms that it accepts it beside the present one; device-next.pem is renamed to device.pem. At every moment
device.pem holds a key that central accepts.
"""

from __future__ import annotations

import logging

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.settings import Settings
from sync.http import body, send
from sync.protocol import (
    KEY_TAG,
    KEY_TYPE,
    KeyOffer,
    OctetKey,
    device_key_path,
    encode_base64url,
    key_proof,
    sign_batch,
)
from sync.refusal import refusal
from terminal.provision import adopt_next_key, discard_next_key, has_next_key, next_key

log = logging.getLogger(__name__)

_MAX_ANSWER = 65_536  # bytes


class KeyRenewal:
    """Renews the device key of `settings`."""

    def __init__(self, settings: Settings, http: requests.Session) -> None:
        self._settings, self._http = settings, http

    def pending(self) -> bool:
        """Whether a renewal was begun and cut off."""
        return has_next_key(self._settings)

    def renew(self, present: Ed25519PrivateKey) -> Ed25519PrivateKey:
        """Put a new key in place of `present`; the new one. Raises: SyncFault, KeyFileError, OSError."""
        new = next_key(self._settings)
        self._offer(present, new)
        adopt_next_key(self._settings)
        log.info("this terminal has a new key")
        return new

    def _offer(self, present: Ed25519PrivateKey, new: Ed25519PrivateKey) -> None:
        central, device = self._settings.central, self._settings.device.name
        offer = KeyOffer(
            public_key=OctetKey.of(new.public_key()), proof=encode_base64url(new.sign(key_proof(device)))
        )
        data = offer.model_dump_json().encode()
        request = requests.Request(
            "POST", central.url + device_key_path(device), data=data, headers={"Content-Type": KEY_TYPE}
        )
        prepared = self._http.prepare_request(request)
        sign_batch(prepared, device=device, key=present, body=data, tag=KEY_TAG)
        response = send(self._http, prepared, central.timeout)
        text = b"".join(body(response, limit=_MAX_ANSWER, seconds=central.timeout * 3))
        if response.status_code == 204:
            return
        fault, problem = refusal(response, text)
        if problem and problem.type == "key-refused":
            # Central took the present key's signature and will not have the new one: so it is of no use.
            discard_next_key(self._settings)
        raise fault
