"""What a TUF repository of ours publishes now, read back from its files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Snapshot, TargetFile, Targets, Timestamp

from sync.central import shards
from terminal.roster_layout import INDEX, ORDERS, RECENT, Index, target_file


@dataclass(frozen=True, slots=True)
class Version:
    """The signed parts of one publication."""

    timestamp: Timestamp
    snapshot: Snapshot
    targets: Targets
    recent: Targets


def current(repository: Path) -> Version | None:
    """What the directory `repository` publishes; None before the first publication. Raises: OSError."""
    metadata = repository / "metadata"
    if not (metadata / "timestamp.json").exists():
        return None
    timestamp: Timestamp = _load(metadata, "timestamp").signed
    snapshot: Snapshot = _load(metadata, f"{timestamp.snapshot_meta.version}.snapshot").signed
    targets = _load(metadata, f"{snapshot.meta['targets.json'].version}.targets").signed
    recent = _load(metadata, f"{snapshot.meta['recent.json'].version}.recent").signed
    return Version(timestamp, snapshot, targets, recent)


def recent_lines(repository: Path, version: Version) -> dict[str, bytes]:
    """The lines of the overlay of `version`, by person. Raises: OSError."""
    info = version.recent.targets.get(RECENT)
    lines = target_file(repository, info).read_bytes().splitlines() if info else []
    return {json.loads(line)["sub"]: line for line in lines}


def orders_of(recent: Targets) -> dict[str, TargetFile]:
    """The targets of orders for terminals in `recent`, by path."""
    return {path: info for path, info in recent.targets.items() if path.startswith(ORDERS)}


def files_of(repository: Path, version: Version, people: bool = True) -> set[Path]:
    """Every file of `version`, metadata too. people: shards too. Raises: OSError."""
    targets: dict[str, TargetFile] = version.targets.targets | version.recent.targets
    index = None
    if people:
        data = target_file(repository, targets[INDEX]).read_bytes()
        index = Index(data, (len(data) // 36).bit_length() - 1)
    metadata = repository / "metadata"
    meta = {metadata / f"{info.version}.{name}" for name, info in version.snapshot.meta.items()}
    meta |= {metadata / "timestamp.json"}
    meta |= {metadata / f"{version.timestamp.snapshot_meta.version}.snapshot.json"}
    return meta | shards.files_of(repository, targets.values(), index)


def _load(metadata: Path, name: str) -> Metadata[Any]:
    return Metadata.from_bytes((metadata / f"{name}.json").read_bytes())
