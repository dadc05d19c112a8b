"""One receiver of central on a database of its own choice, to be one of several.

Run by tests.bench.ingest: python -m tests.bench.ingest_receiver SITE PORT, with the database's URL in
CAMPUSGATE_BENCH.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uvicorn

from sync.central.app import create_app
from sync.central.site import Site
from sync.central.store import Store

URL = "CAMPUSGATE_BENCH"

if __name__ == "__main__":
    store = Store(os.environ[URL])
    try:
        app = create_app(Site(Path(sys.argv[1])), store)
        uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
    finally:
        store.close()
