"""The command `campusgate central`."""

from __future__ import annotations

from pathlib import Path

import click

from sync.central.keys_cli import KEY_COMMANDS
from sync.central.maintenance_cli import maintenance_command
from sync.central.options import site_option
from sync.central.orders_cli import ORDER_COMMANDS
from sync.central.people_cli import opened
from sync.central.records_import_cli import import_command
from sync.central.register_cli import register, register_all
from sync.central.selftest_cli import report_command


@click.group()
def central() -> None:
    """The reference central server.

    \b
    Example:
      campusgate central init --url https://central.school.example
      campusgate central trust > trust.json
      campusgate central register north-gate-1 north-gate-1.pem
      campusgate central run
    """


for _command in (*KEY_COMMANDS, *ORDER_COMMANDS):
    central.add_command(_command)
central.add_command(import_command)
central.add_command(report_command)
central.add_command(maintenance_command)
central.add_command(register)
central.add_command(register_all)


@central.command()
@site_option
@click.option("--url", required=True, help="How terminals reach it, such as https://central.school.example")
@click.option("--school", default="", help="The school's name, as it is printed on cards.")
@click.option(
    "--database",
    default="",
    metavar="URL",
    help="A PostgreSQL database, such as postgresql://central@db.lan/central; without: SQLite.",
)
def init(directory: Path, url: str, school: str, database: str) -> None:
    """Make a new central: keys, database, repository, a sample policy.

    A password for PostgreSQL is not part of the URL: libpq takes it from ~/.pgpass, PGPASSFILE or a service.

    \b
    Example:
      campusgate central init --dir central --url https://central.school.example
      campusgate central init --url https://central.school.example --database postgresql://central@db.lan/central
    """
    from sync.central.database import has_password
    from sync.central.site import Site
    from sync.central.store import Store

    if has_password(database):
        raise click.BadParameter(
            "no password here, others can see it; put it into ~/.pgpass or name a PGPASSFILE",
            param_hint="--database",
        )
    site = Site(directory)
    site.create(url, school, database)
    store = Store(site.database_url)
    site.publish(store)
    store.close()
    click.echo(f"{directory}: ready; edit policy.toml, then `campusgate roster publish`")


@central.command()
@site_option
def trust(directory: Path) -> None:
    """Print what a new terminal must be given: nothing in it is secret.

    \b
    Example:
      campusgate central trust --dir central > trust.json
    """
    from sync.central.site import Site

    click.echo(Site(directory).trust_bundle().dump())


@central.command()
@site_option
def reuse(directory: Path) -> None:
    """List codes that were let in where one code cannot have been twice, one JSON object a line.

    It opens records: only for those who may read them (R28).

    \b
    Example:
      campusgate central reuse --dir central
    """
    import json
    from dataclasses import asdict

    from sync.central.reuse import opened_records, reused
    from sync.central.site import Site
    from sync.central.store import Store

    site = Site(directory)
    store = Store(site.database_url)
    try:
        for found in reused(opened_records(store, site.record_key())):
            click.echo(json.dumps(asdict(found), default=str, ensure_ascii=False))
    finally:
        store.close()


@central.command()
@site_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with the evidence.")
def alarms(directory: Path, as_json: bool) -> None:
    """List what must not be: forks and breaks of a terminal's chain of records, and records that it lost.

    The evidence is the event itself, sealed as it came.

    \b
    Example:
      campusgate central alarms
      campusgate central alarms --json > alarms.jsonl
    """
    import json
    from dataclasses import asdict

    with opened(directory) as store:
        for one in store.alarms():
            if as_json:
                click.echo(json.dumps(asdict(one), ensure_ascii=False))
            else:
                click.echo(f"{one.raised_at}  {one.device}  record {one.sequence}  {one.kind}")


@central.command()
@site_option
def openapi(directory: Path) -> None:
    """Print central's OpenAPI document, as it is at /openapi.json.

    \b
    Example:
      campusgate central openapi > openapi.json
    """
    import json

    from sync.central.app import create_app
    from sync.central.site import Site

    with opened(directory) as store:
        click.echo(json.dumps(create_app(Site(directory), store).openapi(), indent=2, ensure_ascii=False))


@central.command()
@site_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
@click.option(
    "--publish-every",
    type=click.FloatRange(0),
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="Publish what changed this often; 0: only by `campusgate roster publish`.",
)
@click.option(
    "--batches-at-once",
    type=click.IntRange(1),
    default=32,
    show_default=True,
    help="Answer 503 with Retry-After to more batches than this.",
)
def run(directory: Path, host: str, port: int, publish_every: float, batches_at_once: int) -> None:
    """Serve terminals until stopped. Put a TLS proxy such as nginx in front of it.

    With PostgreSQL, any number of these may run behind the proxy, each on a port of its own and with a copy
    of this directory or sharing it; only one of them publishes.

    \b
    Example:
      campusgate central run --dir central --port 8000
      campusgate central run --dir central --port 8001 --publish-every 0
    """
    import logging

    import uvicorn

    from sync.central.app import create_app
    from sync.central.publisher import Publisher
    from sync.central.shedding import Shedder
    from sync.central.site import Site
    from sync.central.store import Store

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    site = Site(directory)
    store = Store(site.database_url)
    app = create_app(site, store, Shedder(batches_at_once))
    publisher = Publisher(site, store, publish_every) if publish_every else None
    try:
        uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
    finally:
        if publisher:
            publisher.close()
        store.close()
