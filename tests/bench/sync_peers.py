"""What bench-sync measures the uplink beside: a loop that posts one record a request, and a server for it.

The loop does as offline check-in programs do: a table of what waits in SQLite, its oldest row posted over a
connection that is kept open, and removed when the server has it. Nothing is signed, chained or checked, in
its favour; its server stores one row durably and answers. The same server has a sink that reads a body and
stores nothing: what HTTP itself costs.

Run by tests.bench.drain: python -m tests.bench.sync_peers DATABASE PORT
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path

import requests
import uvicorn
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool


class CheckInLoop:
    """Posts what waits in the queue at `path` to `url`, a record a request."""

    def __init__(self, path: Path, url: str) -> None:
        self._url, self._http = url, requests.Session()
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("create table queue (id integer primary key, record text)")

    def put(self, texts: Iterable[str]) -> None:
        """Let `texts` wait."""
        self._db.execute("begin")
        self._db.executemany("insert into queue (record) values (?)", ((text,) for text in texts))
        self._db.execute("commit")

    def drain(self) -> int:
        """Post until nothing waits; how many records that were. Raises: requests.RequestException."""
        done = 0
        while row := self._db.execute("select id, record from queue order by id limit 1").fetchone():
            headers = {"Content-Type": "application/cloudevents+json"}
            answer = self._http.post(f"{self._url}/check-in", row[1].encode(), headers=headers, timeout=10)
            answer.raise_for_status()
            self._db.execute("delete from queue where id = ?", [row[0]])
            done += 1
        return done

    def close(self) -> None:
        """Close the queue and the connection."""
        self._http.close()
        self._db.close()


def check_in_server(path: Path) -> FastAPI:
    """The loop's server, its table in `path`."""
    app = FastAPI()
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    db.execute("create table record (id integer primary key, event text)")

    @app.post("/check-in")
    async def check_in(request: Request) -> dict[str, str]:
        text = (await request.body()).decode()
        await run_in_threadpool(db.execute, "insert into record (event) values (?)", [text])
        return {"status": "stored"}

    @app.post("/sink")
    async def sink(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    return app


if __name__ == "__main__":
    uvicorn.run(
        check_in_server(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="warning", access_log=False
    )
