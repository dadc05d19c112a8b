"""Seeded schedules of faults, as many as wanted: whatever happens, every record is at central exactly once.

Example:
  python -m tests.sim.soak --schedules 2000 --seed 1
  python -m tests.sim.soak --only 1234 --keep /tmp/1234
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import click

from tests.sim.exactly_once import Outcome
from tests.sim.report import Report, wrong
from tests.sim.schedule import schedule
from tests.sim.trial import Trial, make_template
from tests.sim.zygote import Zygote

_OURS = "CAMPUSGATE_SOAK_MOUNTS"  # set in the user namespace that this program made for itself


def trials(
    seeds: Iterable[int], directory: Path, zygote: Zygote, template: Path, *, parallel: int = 4
) -> Iterator[Outcome]:
    """The outcomes of the schedules of `seeds` as they end, `parallel` at a time. Failed ones leave files."""
    waiting = iter(seeds)
    running: set[Future[Outcome]] = set()
    with ThreadPoolExecutor(parallel, thread_name_prefix="trial") as pool:
        while True:
            for seed in waiting:
                running.add(pool.submit(_trial, seed, directory, zygote, template))
                if len(running) >= parallel:
                    break
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                yield one.result()


def _trial(seed: int, directory: Path, zygote: Zygote, template: Path) -> Outcome:
    place = directory / str(seed)
    outcome = Trial(schedule(seed), place, template, zygote).run()
    if outcome.clean:
        shutil.rmtree(place)
    return outcome


def _with_mounts() -> None:
    """Go on in a user namespace of our own, where small file systems can be mounted, unless root."""
    if os.geteuid() == 0 or _OURS in os.environ:
        return
    os.environ[_OURS] = "1"
    again = ["unshare", "--user", "--map-root-user", "--mount", "--", sys.executable, "-m", "tests.sim.soak"]
    able = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], check=False)
    if able.returncode == 0:
        os.execvp(again[0], [*again, *sys.argv[1:]])  # noqa: S606 - our own program, no shell wanted
    click.echo("no right to mount small file systems here: full disks are left out", err=True)


@click.command()
@click.option("--schedules", default=2000, show_default=True, help="How many.")
@click.option("--seed", "first", default=1, show_default=True, help="Of the first; the others follow it.")
@click.option("--only", type=int, help="Run just the schedule of this seed.")
@click.option("--parallel", default=4, show_default=True, help="How many at a time.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory for logs and databases of what failed; else one is made and named.",
)
@click.option(
    "--json",
    "json_file",
    default=Path("bench-out/soak.json"),
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File for the report.",
)
def main(  # noqa: PLR0917 - click gives them by name
    schedules: int, first: int, only: int | None, parallel: int, keep: Path | None, json_file: Path
) -> None:
    """Run seeded schedules of faults against terminal, sync daemon and central, and check every record.

    Ctrl-C ends it with the report of what was run until then. Exit status 1: a schedule was not clean.

    \b
    Example:
      python -m tests.sim.soak --schedules 2000 --seed 1
      python -m tests.sim.soak --only 1234
    """
    _with_mounts()
    directory = keep or Path(tempfile.mkdtemp(prefix="soak-"))
    template = make_template(directory / "template")
    zygote, report, begun = Zygote(), Report(), time.monotonic()
    seeds = [only] if only is not None else range(first, first + schedules)
    outcomes = trials(seeds, directory, zygote, template, parallel=parallel)
    try:
        for outcome in outcomes:
            report.add(outcome)
            if not outcome.clean:
                click.echo(
                    f"\nseed {outcome.seed}: {wrong(outcome)}; files in {directory / str(outcome.seed)}; "
                    f"again: python -m tests.sim.soak --only {outcome.seed}"
                )
            minutes = (time.monotonic() - begun) / 60
            line = f"{report.schedules} of {len(seeds)} schedules, {report.injected.total()} faults, "
            line += f"{report.durable} records, {len(report.failed)} failed, {minutes:.1f} min"
            click.echo(f"\r{line}" if sys.stdout.isatty() else line, nl=not sys.stdout.isatty())
    except KeyboardInterrupt:
        click.echo("\nstopping")
        with contextlib.suppress(KeyboardInterrupt):
            outcomes.close()  # type: ignore[attr-defined]
    finally:
        zygote.close()
    click.echo("")
    for text in report.lines():
        click.echo(text)
    json_file.parent.mkdir(parents=True, exist_ok=True)
    json_file.write_text(json.dumps(report.document(), indent=2) + "\n", "utf-8")
    if not report.failed:
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started it in the background
        signal.signal(number, signal.default_int_handler)
    main()
