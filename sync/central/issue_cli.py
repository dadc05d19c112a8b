"""The command `campusgate code`: making passes, and reading what any code says."""

from __future__ import annotations

import json
import time
from io import BytesIO
from pathlib import Path

import click

from config.files import write_atomic
from sync.central.card_cli import check_places, check_subject, check_suffix, make_cards, make_visitor
from sync.central.options import site_option
from terminal.codes import Claim, CodeRefused, PassKind, parse


@click.group()
def code() -> None:
    """Campus codes: make passes, look into a code.

    \b
    Example:
      campusgate code card S20240001 --out cards.pdf
      campusgate code visitor 王芳 --place north-gate --hours 8 --out pass.pdf
      campusgate code show "CC1:..."
    """


code.add_command(make_cards)
code.add_command(make_visitor)


@code.command("pass")
@site_option
@click.argument("subject")
@click.option("--kind", type=click.Choice([k.value for k in PassKind]), required=True, help="What it is.")
@click.option("--hours", type=click.FloatRange(0.1, 87_600), required=True, help="How long it is good for.")
@click.option("--place", "places", multiple=True, help="The only places it is good for; any when not given.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a QR picture (PNG).")
def make_pass(  # noqa: PLR0917 - click passes options by name
    directory: Path, subject: str, kind: str, hours: float, places: tuple[str, ...], out: Path | None
) -> None:
    """Make a pass for SUBJECT, signed by this central's issuer key, and print its text.

    \b
    Example:
      campusgate code pass S20240001 --kind card --hours 8760 --out card.png
    """
    import segno

    from sync.central.mint import pass_code
    from sync.central.site import Site

    site = Site(directory)
    check_subject(subject)
    check_places(site, places)
    if out:
        check_suffix(out, ".png")
    now = int(time.time())
    text = pass_code(
        site.issuer_key(),
        subject,
        PassKind(kind),
        not_before=now,
        expires_at=now + int(hours * 3600),
        places=places,
    )
    if out:
        picture = BytesIO()
        segno.make(text, error="m", micro=False).save(picture, kind="png", scale=8)
        write_atomic(out, picture.getvalue(), mode=0o600)
    click.echo(text)


@code.command()
@click.argument("text")
def show(text: str) -> None:
    """What the code TEXT says of itself. Its signature is not checked: that takes a roster.

    \b
    Example:
      campusgate code show "CC1:..."
    """
    try:
        claimed = parse(text)
    except CodeRefused as refused:
        raise click.ClickException(str(refused)) from refused
    names = {int(claim): claim.name.lower() for claim in Claim}
    claims = {names.get(key, str(key)): value for key, value in claimed.claims.items()}
    document = {"kind": str(claimed.kind), "issuer_key": claimed.key_id, "claims": claims, "verified": False}
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, skipkeys=True, default=repr))
