"""The downlink: roster and policy from central's TUF repository into the mirror that the terminal reads.

python-tuf's client verifies everything on the way. The mirror is changed so that a reader never sees half
of an update: targets and versioned metadata are immutable files, made whole before timestamp.json, the only
file that is replaced, points at them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import requests
from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, Targets
from tuf.ngclient import FetcherInterface, Updater

from config.files import sync_directory, write_atomic
from config.settings import Settings
from sync.faults import Fault, SyncFault
from sync.http import body, send
from sync.protocol import TUF_METADATA, TUF_TARGETS
from terminal.roster import target_file

log = logging.getLogger(__name__)

_MAX_FILE = 268_435_456  # bytes; TUF's own, tighter limits apply to every file whose size is signed


class Downlink:
    """Keeps the mirror of `settings` up to date. root: bytes of the root of trust from provisioning."""

    def __init__(self, settings: Settings, root: bytes, http: requests.Session) -> None:
        self._settings, self._root = settings, root
        self._fetcher = _CentralFetcher(http, settings.central.timeout)
        self._mirror = settings.roster
        self._trusted = settings.state / "sync-trust"
        self.version = 0

    def step(self) -> bool:
        """Fetch what is new, mend what was damaged; True when the mirror has changed. Raises: SyncFault."""
        url = self._settings.central.url
        try:
            for directory in (self._trusted, self._mirror / "metadata", self._mirror / "targets"):
                directory.mkdir(parents=True, exist_ok=True)
            client = Updater(
                str(self._trusted),
                url + TUF_METADATA,
                target_base_url=url + TUF_TARGETS,
                fetcher=self._fetcher,
                bootstrap=self._root,
            )
            client.refresh()
            return self._mirror_all(client)
        except DownloadError as error:
            if isinstance(error.__cause__, SyncFault):
                raise error.__cause__ from error
            raise SyncFault(Fault.NOT_CENTRAL, f"roster: {error}") from error
        except RepositoryError as error:
            raise SyncFault(Fault.ROSTER, f"what central publishes does not verify: {error}") from error
        except OSError as error:
            raise SyncFault(Fault.ROSTER, f"{self._mirror}: cannot be written: {error.strerror}") from error

    def _mirror_all(self, client: Updater) -> bool:
        timestamp = (self._trusted / "timestamp.json").read_bytes()
        current = self._mirror / "metadata" / "timestamp.json"
        new = not current.exists() or current.read_bytes() != timestamp
        mended = False
        version = Metadata.from_bytes(timestamp).signed.version
        targets = Metadata[Targets].from_file(str(self._trusted / "targets.json")).signed
        for path, info in targets.targets.items():
            file = target_file(self._mirror, info)
            if client.find_cached_target(info, str(file)):
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f".{file.name}.part")
            client.download_target(info, str(temporary))
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(file)
            sync_directory(file.parent)
            mended = True
            log.debug("fetched %s", path)
        if not (self._publish_metadata() or mended or new):
            self.version = version
            return False
        # Written even when only something was mended: the terminal looks again when this file changes.
        write_atomic(current, timestamp)
        self.version = version
        self._sweep({target_file(self._mirror, info) for info in targets.targets.values()})
        log.info("roster version %d is on disk", self.version)
        return True

    def _publish_metadata(self) -> bool:
        """Put the versioned metadata on the mirror; True when any was not there yet, or was damaged."""
        written = False
        metadata = self._mirror / "metadata"
        for root in sorted((self._trusted / "root_history").iterdir()):
            written |= _write_once(metadata / root.name, root.read_bytes())
        for role in ("snapshot", "targets"):
            data = (self._trusted / f"{role}.json").read_bytes()
            name = f"{Metadata.from_bytes(data).signed.version}.{role}.json"
            written |= _write_once(metadata / name, data)
        return written

    def _sweep(self, wanted: set[Path]) -> None:
        """Remove targets older than the last version, which the terminal may still be reading."""
        kept = self._mirror / "kept.txt"
        previous = set(kept.read_text("utf-8").splitlines()) if kept.exists() else set()
        names = {str(file.relative_to(self._mirror)) for file in wanted}
        for file in (self._mirror / "targets").rglob("*"):
            name = str(file.relative_to(self._mirror))
            if file.is_file() and name not in names and name not in previous:
                file.unlink(missing_ok=True)
        write_atomic(kept, "\n".join(sorted(names)).encode())


class _CentralFetcher(FetcherInterface):
    """python-tuf's network side on our own session: same CA, same time limits, same names for faults."""

    def __init__(self, http: requests.Session, timeout: float) -> None:
        self._http, self._timeout = http, timeout

    def _fetch(self, url: str) -> Iterator[bytes]:
        prepared = self._http.prepare_request(requests.Request("GET", url))
        response = send(self._http, prepared, self._timeout)
        if response.status_code != 200:
            response.close()
            if response.status_code >= 500:
                raise SyncFault(Fault.SERVER_ERROR, f"status {response.status_code} for the roster")
            # TUF itself asks for root versions that are not there yet.
            raise DownloadHTTPError(f"{url}: status {response.status_code}", response.status_code)
        return body(response, limit=_MAX_FILE, seconds=self._timeout * 30)


def _write_once(path: Path, data: bytes) -> bool:
    if path.exists() and path.read_bytes() == data:
        return False
    write_atomic(path, data)
    return True
