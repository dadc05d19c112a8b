"""Central's receipt as the two processes share it: a small file that the sync daemon writes, atomically.

It says up to which sequence central has everything, and the digest of that record, so that a receipt for
records that were never sent is seen to be false.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from config.files import write_atomic
from terminal.events import FIRST_DIGEST


@dataclass(frozen=True, slots=True)
class Receipt:
    """Central has all records up to and including sequence `through`, whose digest is `digest`."""

    through: int = 0
    digest: str = FIRST_DIGEST

    def save(self, path: Path) -> None:
        """Write it to `path`, durably. Raises: OSError."""
        write_atomic(path, json.dumps({"through": self.through, "digest": self.digest}).encode(), mode=0o640)

    @classmethod
    def load(cls, path: Path) -> Receipt:
        """The receipt at `path`; the empty one when there is none or it is damaged.

        Forgetting a receipt costs only that records are sent again, which central recognises.
        """
        try:
            document = json.loads(path.read_bytes())
            through, digest = document["through"], document["digest"]
            if type(through) is not int or not 0 <= through < 2**63 or len(bytes.fromhex(digest)) != 32:
                return cls()
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return cls()
        return cls(through, digest)
