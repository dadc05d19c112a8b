"""Publishing by itself while central runs: every so often, and only what changed."""

from __future__ import annotations

import logging
import threading

from sync.central.site import Site
from sync.central.store import Store

log = logging.getLogger(__name__)


class Publisher:
    """A thread that publishes changes of people, policy and issuers every `seconds`, until closed.

    What goes wrong (a policy being edited, a full disk) is logged once and tried again.
    """

    def __init__(self, site: Site, store: Store, seconds: float) -> None:
        self._site, self._store, self._seconds = site, store, seconds
        self._stop = threading.Event()
        self._fault = ""
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, after what is being published."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                version = self._site.publish_changes(self._store)
            except Exception as error:  # noqa: BLE001 - central must go on taking records, whatever it is
                if str(error) != self._fault:
                    self._fault = str(error)
                    log.error("nothing is published: %s", error)
                continue
            self._fault = ""
            if version is not None:
                log.info("version %d is published", version)
