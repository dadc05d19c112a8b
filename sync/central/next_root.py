"""The next root of trust: drawn up at central, signed wherever the root keys are, brought back, put in force.

The draft lies in the keys directory until old and new root keys have signed it, each up to its threshold;
no terminal sees it before. The root's private keys need never be on central.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Key
from tuf.api.metadata import Metadata, Root
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import CanonicalJSONSerializer

from config.files import write_atomic
from sync.central.roles import TOP_ROLES, PublishError, RoleKeys

_DAYS = 365


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a draft is. old, new: signatures there and needed, by the root in force and by itself."""

    version: int
    old: tuple[int, int]
    new: tuple[int, int]
    signed_by: tuple[str, ...]
    complete: bool


class NextRoot:
    """The root in force in `metadata` and the draft of the next in `keys`."""

    def __init__(self, metadata: Path, keys: Path) -> None:
        self._metadata, self._draft, self._keys = metadata, keys / "next-root.json", RoleKeys(keys)

    def current(self) -> Metadata[Root]:
        """The root in force. Raises: PublishError before there is one."""
        versions = [int(file.name.split(".")[0]) for file in self._metadata.glob("[0-9]*.root.json")]
        if not versions:
            raise PublishError(f"{self._metadata}: no root of trust; make a central with `central init`")
        return Metadata[Root].from_file(str(self._metadata / f"{max(versions)}.root.json"))

    def staged(self) -> Metadata[Root] | None:
        """The draft, or None. One that has come into force already is none."""
        if not self._draft.exists():
            return None
        draft = Metadata[Root].from_file(str(self._draft))
        return draft if draft.signed.version == self.current().signed.version + 1 else None

    def draw_up(
        self,
        *,
        add: Sequence[Key] = (),
        remove: Sequence[str] = (),
        threshold: int | None = None,
        rotate: Sequence[str] = (),
    ) -> bytes:
        """Draw up the next root, good for a year from now; its bytes, to be signed.

        add, remove: root keys, and ids of root keys. rotate: roles that get a new key, made here.
        Raises: PublishError when there is a draft already, or too few keys would be left for the threshold.
        """
        if self.staged():
            raise PublishError(f"{self._draft}: a draft is waiting for signatures; `root discard` drops it")
        root = self.current().signed
        root.version += 1
        root.expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=_DAYS)
        for keyid in remove:
            match = [known for known in root.roles["root"].keyids if known.startswith(keyid)]
            if len(match) != 1:
                raise PublishError(f"{keyid}: is the id of no root key, or of more than one")
            root.revoke_key(match[0], "root")
        for key in add:
            root.add_key(key, "root")
        for role in rotate:
            if role not in TOP_ROLES:
                raise PublishError(f"{role}: is not allowed: one of {', '.join(TOP_ROLES)}")
            made = self._keys.make(role)
            if role != "root":
                for keyid in list(root.roles[role].keyids):
                    root.revoke_key(keyid, role)
            root.add_key(made, role)
        wanted, keys = threshold or root.roles["root"].threshold, len(root.roles["root"].keyids)
        if not 1 <= wanted <= keys:
            raise PublishError(f"threshold {wanted}: the root would have {keys} keys")
        root.roles["root"].threshold = wanted
        draft = Metadata(root)
        write_atomic(self._draft, draft.to_bytes(), mode=0o600)
        return draft.to_bytes()

    def take_signatures(self, signed: bytes) -> Standing:
        """Add the signatures of `signed` (a copy of the draft that came back) to the draft.

        Raises: PublishError when it is another root, or no signature in it is by a key that counts.
        """
        draft, back = self._staged_or_refuse(), _root(signed)
        if _payload(back) != _payload(draft):
            raise PublishError("this is not the draft that is waiting here: something in it is different")
        counting = self.current().signed.keys | draft.signed.keys
        taken = 0
        for keyid, signature in back.signatures.items():
            try:
                counting[keyid].verify_signature(signature, _payload(draft))
            except Exception:  # noqa: BLE001, S112 - one bad signature hurts only itself
                continue
            draft.signatures[keyid] = signature
            taken += 1
        if not taken:
            raise PublishError("no signature in it is by a root key, old or new")
        write_atomic(self._draft, draft.to_bytes(), mode=0o600)
        return self.standing()

    def sign_here(self) -> Standing:
        """Sign the draft with every root key that is on this machine. Raises: PublishError, KeyFileError."""
        draft = self._staged_or_refuse()
        for signer in self._keys.here("root").values():
            draft.sign(signer, append=True)
        write_atomic(self._draft, draft.to_bytes(), mode=0o600)
        return self.standing()

    def standing(self) -> Standing:
        """How far the draft is. Raises: PublishError when there is none."""
        draft = self._staged_or_refuse()
        result = draft.signed.get_root_verification_result(
            self.current().signed, _payload(draft), draft.signatures
        )
        return Standing(
            draft.signed.version,
            (len(result.first.signed), result.first.threshold),
            (len(result.second.signed), result.second.threshold),
            tuple(sorted(result.signed)),
            result.verified,
        )

    def complete(self) -> Metadata[Root]:
        """The draft, signed by all it takes. Raises: PublishError when signatures are missing."""
        standing = self.standing()
        if not standing.complete:
            (old, of_old), (new, of_new) = standing.old, standing.new
            raise PublishError(f"signatures are missing: {old} of {of_old} old, {new} of {of_new} new keys")
        return self._staged_or_refuse()

    def discard(self) -> None:
        """Drop the draft, if there is one. Raises: OSError."""
        self._draft.unlink(missing_ok=True)

    def _staged_or_refuse(self) -> Metadata[Root]:
        draft = self.staged()
        if draft is None:
            raise PublishError("no next root is drawn up; see `campusgate roster root export`")
        return draft


def sign_root(data: bytes, key: Ed25519PrivateKey) -> bytes:
    """The draft `data` with the signature of `key` added: for the machine that holds the key.

    Raises: PublishError when `data` is no root.
    """
    draft = _root(data)
    draft.sign(CryptoSigner(key), append=True)
    return draft.to_bytes()


def _root(data: bytes) -> Metadata[Root]:
    try:
        metadata = Metadata[Root].from_bytes(data)
    except DeserializationError as error:
        raise PublishError("the file is no TUF metadata") from error
    if not isinstance(metadata.signed, Root):
        raise PublishError("the file is not a root")
    return metadata


def _payload(metadata: Metadata[Root]) -> bytes:
    return CanonicalJSONSerializer().serialize(metadata.signed)
