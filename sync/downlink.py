"""The downlink: roster and policy from central's TUF repository into the mirror that the terminal reads.

python-tuf's client verifies everything on the way. The mirror is changed so that a reader never sees half
of an update: targets and versioned metadata are immutable files, made whole before timestamp.json, the only
file that is replaced, points at them. Only what changed is fetched, and what was fetched before an
interruption is kept.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import requests
from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata, TargetFile, Timestamp
from tuf.ngclient import FetcherInterface, Updater

from config.files import write_atomic
from config.settings import Settings
from sync.carried_roster import METADATA, TARGETS, CarriedRoster
from sync.faults import Fault, SyncFault
from sync.http import body, send
from sync.mirror import Mirror
from sync.protocol import TUF_METADATA, TUF_TARGETS
from sync.refusal import intruder, retry_after
from terminal.orders import Orders, OrdersError, parse_orders
from terminal.reasons import Reason
from terminal.roster_layout import (
    INDEX,
    MANIFEST,
    POLICY,
    RECENT,
    Index,
    Manifest,
    orders_target,
    shard_target,
    target_file,
)
from terminal.roster_refused import reason_of

log = logging.getLogger(__name__)

_MAX_FILE = 268_435_456  # bytes; TUF's own, tighter limits apply to every file whose size is signed
_TURN_WITHIN = 60.0  # seconds that a carried roster waits for a download to end


class Downlink:
    """Keeps the mirror of `settings` up to date. root: bytes of the root of trust from provisioning."""

    def __init__(self, settings: Settings, root: bytes, http: requests.Session) -> None:
        self._settings, self._root = settings, root
        self.fetcher = self._central = _CentralFetcher(http, settings.central.timeout)
        self._trusted = settings.state / "sync-trust"
        self._mirror = Mirror(settings.roster, self._trusted / "verified.json")
        self._orders_path = orders_target(settings.device.name)
        self._orders_refused = ""
        self._lock = threading.Lock()  # what was carried here comes in a thread of its own
        self.version = 0
        self.orders = Orders()
        """What central has for this terminal. Its settings are for this process, its commands are not."""

    def step(self) -> bool:
        """Fetch what is new, mend what was damaged; True when the mirror has changed. Raises: SyncFault."""
        url = self._settings.central.url
        with self._lock:
            return self._update(self.fetcher, self._central, url + TUF_METADATA, url + TUF_TARGETS)

    def take(self, carried: CarriedRoster) -> bool:
        """As `step`, from what was carried here. Raises: SyncFault."""
        if not self._lock.acquire(timeout=_TURN_WITHIN):
            raise SyncFault(Fault.ROSTER, "a download from central is not done yet; try again")
        try:
            return self._update(carried, carried, METADATA, TARGETS)
        finally:
            self._lock.release()

    def _update(
        self, fetcher: FetcherInterface, origin: _CentralFetcher | CarriedRoster, metadata: str, targets: str
    ) -> bool:
        """Bring trust and mirror up to what `fetcher` gives from those URLs."""
        try:
            self._trusted.mkdir(parents=True, exist_ok=True)
            self._mirror.make()
            client = Updater(
                str(self._trusted), metadata, target_base_url=targets, fetcher=fetcher, bootstrap=self._root
            )
            client.refresh()
            changed = self._mirror_all(client)
            self._read_orders(client)
            return changed
        except DownloadError as error:
            if isinstance(error.__cause__, SyncFault):
                raise error.__cause__ from error
            raise SyncFault(origin.unfit, f"{self._reason(error, origin)}: {error}") from error
        except RepositoryError as error:
            what = f"{origin.whose} does not verify: {self._reason(error, origin)}: {error}"
            raise SyncFault(Fault.ROSTER, what) from error
        except (ValueError, KeyError, TypeError) as error:
            raise SyncFault(Fault.ROSTER, f"what central signed is malformed: {error}") from error
        except OSError as error:
            directory = self._mirror.directory
            raise SyncFault(Fault.ROSTER, f"{directory}: cannot be written: {error.strerror}") from error

    def _reason(self, error: Exception, origin: _CentralFetcher | CarriedRoster) -> str:
        """The name that the terminal has for the same, and what to do."""
        reason = reason_of(error, origin.timestamp, self._trusted)
        return f"{reason}{origin.hint(reason)}"

    def _mirror_all(self, client: Updater) -> bool:
        timestamp = (self._trusted / "timestamp.json").read_bytes()
        current = self._mirror.metadata / "timestamp.json"
        new = not current.exists() or current.read_bytes() != timestamp
        small: set[Path] = set()
        changed = False
        for path in (MANIFEST, POLICY, INDEX, RECENT, self._orders_path):
            info = client.get_targetinfo(path)
            if info is None:
                if path in (RECENT, self._orders_path):
                    continue  # nothing has changed since everything was published, or there are no orders
                raise SyncFault(Fault.ROSTER, f"{path}: is not in the signed list of targets")
            file = target_file(self._mirror.directory, info)
            small.add(file)
            if not client.find_cached_target(info, str(file)):
                _fetch(client, info, file)
                changed = True
        index = self._index(client)
        shards = 0
        for shard, file in self._mirror.wanting(index):
            _fetch(client, shard_target(shard), file)
            self._mirror.note(shard, file)
            shards += 1
        if changed or shards:
            os.sync()  # one for thousands of files: they are on disk before anything points at them
        self._mirror.remember(index)
        written, metadata = self._publish_metadata()
        version = Metadata[Timestamp].from_bytes(timestamp).signed.version
        if not (written or changed or shards or new):
            self.version = version
            return False
        # Written even when only something was mended: the terminal looks again when this file changes.
        write_atomic(current, timestamp)
        self.version = version
        self._mirror.sweep(small | metadata, index, people=bool(shards))
        log.info("roster version %d is on disk, %d shards fetched", self.version, shards)
        return True

    def _read_orders(self, client: Updater) -> None:
        """Read the orders on the mirror, whose digest has just been verified."""
        info = client.get_targetinfo(self._orders_path)
        refused = ""
        try:
            if info is None:
                self.orders = Orders()
            else:
                data = target_file(self._mirror.directory, info).read_bytes()
                self.orders = parse_orders(data, self._settings.device.name)
        except OrdersError as error:
            refused = str(error)
        if refused and refused != self._orders_refused:
            log.warning("%s: %s; the settings of before stay", self._orders_path, refused)
        self._orders_refused = refused

    def _index(self, client: Updater) -> Index:
        """The index on the mirror, whose digest has just been verified."""
        data = []
        for path in (MANIFEST, INDEX):
            info = client.get_targetinfo(path)
            if info is None:
                raise SyncFault(Fault.ROSTER, f"{path}: is not in the signed list of targets")
            data.append(target_file(self._mirror.directory, info).read_bytes())
        return Index(data[1], Manifest.parse(data[0]).bits)

    def _publish_metadata(self) -> tuple[bool, set[Path]]:
        """Put the versioned metadata on the mirror; whether any was new or damaged, and all."""
        written = False
        files: set[Path] = set()
        for root in sorted((self._trusted / "root_history").iterdir()):
            written |= _write_once(self._mirror.metadata / root.name, root.read_bytes())
        for role in ("snapshot", "targets", "recent"):
            trusted = self._trusted / f"{role}.json"
            if role == "recent" and not trusted.exists():
                continue  # a central without an overlay
            data = trusted.read_bytes()
            file = self._mirror.metadata / f"{Metadata.from_bytes(data).signed.version}.{role}.json"
            written |= _write_once(file, data)
            files.add(file)
        return written, files


def _fetch(client: Updater, info: TargetFile, file: Path) -> None:
    """Fetch and verify one target; `file` is there whole or not at all, durable after the next os.sync()."""
    temporary = file.with_name(f".{file.name}.part")
    client.download_target(info, str(temporary))
    temporary.replace(file)


class _CentralFetcher(FetcherInterface):
    """python-tuf's network side on our own session: same CA, same time limits, same names for faults.

    timestamp.json is asked for at every round: when central says that it has not changed, it is not sent.
    """

    unfit = Fault.NOT_CENTRAL
    whose = "what central publishes"

    def __init__(self, http: requests.Session, timeout: float) -> None:
        self._http, self._timeout = http, timeout
        self._known: dict[str, tuple[str, bytes]] = {}  # by URL: ETag and body
        self.timestamp = b""  # as it came last, whether it verifies or not

    def hint(self, _reason: Reason) -> str:
        """A person at central sees to it."""
        return ""

    def _fetch(self, url: str) -> Iterator[bytes]:
        etag, known = self._known.get(url, ("", b""))
        headers = {"If-None-Match": etag} if etag else {}
        prepared = self._http.prepare_request(requests.Request("GET", url, headers=headers))
        response = send(self._http, prepared, self._timeout)
        if response.status_code == 304 and etag:
            response.close()
            return iter([known])
        if fault := intruder(response):
            response.close()
            raise fault
        if response.status_code != 200:
            response.close()
            if response.status_code >= 500:
                what = f"status {response.status_code} for the roster"
                raise SyncFault(Fault.SERVER_ERROR, what, retry_after=retry_after(response))
            # TUF itself asks for root versions that are not there yet.
            raise DownloadHTTPError(f"{url}: status {response.status_code}", response.status_code)
        pieces = body(response, limit=_MAX_FILE, seconds=self._timeout * 30)
        return self._remembered(url, response, pieces) if url.endswith("/timestamp.json") else pieces

    def _remembered(self, url: str, response: requests.Response, pieces: Iterator[bytes]) -> Iterator[bytes]:
        whole = b""
        for piece in pieces:
            whole += piece
            yield piece
        self.timestamp = whole
        if etag := _reliable_etag(response):
            self._known[url] = (etag, whole)


def _reliable_etag(response: requests.Response) -> str:
    """The ETag, or "" when another body might have the same (RFC 9110, 8.8.2.2).

    Many servers make it of size and second: a file changed twice within a second would seem unchanged.
    """
    etag = response.headers.get("ETag", "")
    try:
        changed = parsedate_to_datetime(response.headers["Last-Modified"])
        sent = parsedate_to_datetime(response.headers["Date"])
        return etag if sent - changed >= timedelta(seconds=2) else ""
    except (KeyError, ValueError, TypeError):
        return ""


def _write_once(path: Path, data: bytes) -> bool:
    if path.exists() and path.read_bytes() == data:
        return False
    write_atomic(path, data)
    return True
