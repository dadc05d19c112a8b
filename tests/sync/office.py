"""A school's office: central in a directory, and its commands, run in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from click.testing import CliRunner, Result

from config.errors import CampusgateError
from sync.central.cli import central
from sync.central.issue_cli import code
from sync.central.roster_cli import roster
from sync.central.site import Site
from sync.central.store import Store
from terminal.person import Person, PersonKind

GROUPS: dict[str, click.Group] = {"central": central, "roster": roster, "code": code}


def run(site: Site, group: str, verb: str, *arguments: str) -> Result:
    """`campusgate GROUP VERB ARGUMENTS`; an error of ours is in `output`, as `main` would print it."""
    done = CliRunner().invoke(GROUPS[group], [verb, "--dir", str(site.directory), *arguments])
    if isinstance(done.exception, CampusgateError | OSError):
        done.stderr_bytes = str(done.exception).encode()
        done.output_bytes = done.stderr_bytes
    elif done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def good(site: Site, group: str, verb: str, *arguments: str) -> str:
    """What the command printed; it must succeed."""
    done = run(site, group, verb, *arguments)
    assert done.exit_code == 0, done.output
    return done.output


def refused(site: Site, group: str, verb: str, *arguments: str) -> str:
    """What the command said; it must fail."""
    done = run(site, group, verb, *arguments)
    assert done.exit_code != 0, done.output
    return done.output


@contextmanager
def opened(site: Site) -> Iterator[Store]:
    """Central's store."""
    store = Store(site.database_url)
    try:
        yield store
    finally:
        store.close()


def put(site: Site, *people: Person) -> None:
    """Make `people` known to central."""
    with opened(site) as store:
        store.put_people(people)


def student(subject: str, name: str = "张伟") -> Person:
    """A student."""
    return Person(subject, name, PersonKind.STUDENT)


def write_csv(path: Path, lines: Sequence[str], encoding: str = "utf-8") -> str:
    """Write the lines; the path as text."""
    path.write_bytes("\n".join(lines).encode(encoding))
    return str(path)
