"""`campusgate code card` and `campusgate code visitor`: passes to print and hand out (R9, R16)."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from config.files import write_atomic
from sync.central.options import site_option
from sync.central.people_cli import opened
from terminal.codes import PassKind
from terminal.person import SUBJECT, Person, Status

if TYPE_CHECKING:
    from sync.central.site import Site

_DAY = 86_400  # seconds
_KINDS = {
    "student": "学生 Student",
    "staff": "教职工 Staff",
    "worker": "工作人员 Worker",
    "visitor": "访客 Visitor",
}
_OUT = click.Path(path_type=Path, dir_okay=False)


@click.command("card")
@site_option
@click.argument("subjects", nargs=-1, required=True, metavar="SUBJECT...")
@click.option("--out", type=_OUT, required=True, help="The PDF: A4 sheets of ten cards with cut marks.")
@click.option("--png", "pictures", type=click.Path(path_type=Path, file_okay=False), help="Also a PNG each.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="Good for.")
@click.option("--place", "places", multiple=True, help="The only places it is good for; any when not given.")
@click.option("--school", help="The school's name, if not the one given to `central init`.")
def make_cards(  # noqa: PLR0917 - click passes options by name
    directory: Path,
    subjects: tuple[str, ...],
    out: Path,
    pictures: Path | None,
    days: int,
    places: tuple[str, ...],
    school: str | None,
) -> None:
    """Print cards for people of the roster who have no phone. No card outlives its person's own validity.

    \b
    Example:
      campusgate code card S20240001 S20240002 --out cards.pdf --png cards
    """
    from sync.central import cards
    from sync.central.mint import pass_code
    from sync.central.site import Site

    site = Site(directory)
    check_suffix(out, ".pdf")
    check_places(site, places)
    with opened(directory) as store:
        people = store.roster.several(subjects)
    now = int(time.time())
    faces = []
    for one in people:
        until = _usable(one, now, now + days * _DAY)
        start = max(now, one.valid_from or now)
        qr = pass_code(
            site.issuer_key(), one.subject, PassKind.CARD, not_before=start, expires_at=until, places=places
        )
        faces.append(
            cards.card(
                school=site.school if school is None else school,
                name=one.name,
                subject=one.subject,
                kind=_KINDS[str(one.kind)],
                validity=f"{_day(start)} – {_day(until - 1)}",
                qr=qr,
            )
        )
    write_atomic(out, cards.pdf(faces, "campusgate cards"), mode=0o600)
    if pictures:
        pictures.mkdir(parents=True, exist_ok=True)
        for one, face in zip(people, faces, strict=True):
            cards.png(face, pictures / f"{one.subject}.png")
    click.echo(f"{out}: {len(faces)} cards on {-(-len(faces) // 10)} sheets; print at 100 %")


@click.command("visitor")
@site_option
@click.argument("name")
@click.option("--place", "places", multiple=True, required=True, help="Where it opens; may be repeated.")
@click.option("--hours", type=click.FloatRange(0.1, 720), required=True, help="How long it is good for.")
@click.option("--out", type=_OUT, required=True, help="A picture (.png) or a receipt slip (.pdf).")
@click.option("--subject", help="The visitor's number, if not one made up: V- and the date.")
@click.option("--school", help="The school's name, if not the one given to `central init`.")
def make_visitor(  # noqa: PLR0917 - click passes options by name
    directory: Path,
    name: str,
    places: tuple[str, ...],
    hours: float,
    out: Path,
    subject: str | None,
    school: str | None,
) -> None:
    """Make a pass for the visitor NAME. It opens at once: no roster has to be published.

    \b
    Example:
      campusgate code visitor 王芳 --place north-gate --hours 8 --out pass.pdf
    """
    from sync.central import cards
    from sync.central.mint import pass_code
    from sync.central.site import Site

    site = Site(directory)
    check_suffix(out, ".png", ".pdf")
    check_places(site, places)
    number = subject or f"V-{datetime.now(UTC):%y%m%d}-{secrets.token_hex(3)}"
    check_subject(number)
    with opened(directory) as store:
        known = store.person(number)
    now = int(time.time())
    until = now + int(hours * 3600)
    if known:
        until = _usable(known, now, until)
    qr = pass_code(
        site.issuer_key(), number, PassKind.VISITOR, not_before=now, expires_at=until, places=places
    )
    face = cards.slip(
        school=site.school if school is None else school,
        name=name,
        subject=number,
        places=", ".join(places),
        validity=f"{_minute(now)} – {_minute(until)}",
        qr=qr,
    )
    if out.suffix == ".pdf":
        write_atomic(out, cards.pdf([face], f"Visitor pass {number}"), mode=0o600)
    else:
        cards.png(face, out)
    click.echo(f"{out}: pass of {number} until {_minute(until)}")


def check_subject(subject: str) -> None:
    """Raises: click.BadParameter unless `subject` is a number that a roster can hold."""
    if not SUBJECT.fullmatch(subject):
        raise click.BadParameter(
            f"{subject!r:.80}: 1 to 64 letters, digits, dots, dashes, underscores", param_hint="SUBJECT"
        )


def check_suffix(path: Path, *suffixes: str) -> None:
    """Raises: click.BadParameter unless `path` ends in one of `suffixes`."""
    if path.suffix not in suffixes:
        raise click.BadParameter(f"{path}: must end in {' or '.join(suffixes)}", param_hint="--out")


def check_places(site: Site, places: tuple[str, ...]) -> None:
    """Raises: click.BadParameter for a place that the policy does not know; SettingsError."""
    known = site.policy().places
    for place in places:
        if place not in known:
            raise click.BadParameter(
                f"{place!r} is not in the policy: one of {', '.join(sorted(known))}", param_hint="--place"
            )


def _usable(one: Person, now: int, until: int) -> int:
    """When a pass of `one` ends that should be good until `until`."""
    if one.status is not Status.ACTIVE:
        raise click.ClickException(f"{one.subject} is {one.status}: no pass is made")
    if one.valid_until is not None and one.valid_until <= now:
        raise click.ClickException(f"{one.subject} is no longer valid: no pass is made")
    until = until if one.valid_until is None else min(until, one.valid_until)
    if one.valid_from is not None and one.valid_from >= until:
        raise click.ClickException(f"{one.subject} is valid only from {_day(one.valid_from)}")
    return until


def _day(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def _minute(moment: int) -> str:
    """In the zone of this machine: visitors read it."""
    return f"{datetime.fromtimestamp(moment, UTC).astimezone():%Y-%m-%d %H:%M}"
