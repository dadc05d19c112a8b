"""The command `campusgate roster root`: the keys at the top, which need not be on central."""

from __future__ import annotations

from pathlib import Path

import click

from sync.central.cli import site_option

_FILE = click.Path(dir_okay=False, path_type=Path)
_GIVEN = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def root() -> None:
    """The root of trust: who may sign for this central, and passing that on.

    Two of three offline keys take over like this.

    \b
    Example:
      campusgate roster root key ann.pem        (on each key holder's own machine)
      campusgate roster root export next.json --add ann.pub --add bo.pub --add cy.pub --threshold 2
      campusgate roster root sign next.json ann.pem          (on ann's machine, then on bo's)
      campusgate roster root import next.json
    """


@root.command()
@click.argument("key_file", type=_FILE)
def key(key_file: Path) -> None:
    """Make a root key on the machine that is to keep it, and its public half beside it.

    \b
    Example:
      campusgate roster root key ann.pem        (writes ann.pem and ann.pub)
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from config.errors import KeyFileError
    from config.files import write_atomic
    from config.keys import private_pem, public_pem
    from sync.central.roles import public_key

    if key_file.exists():
        raise KeyFileError(f"{key_file}: a key is already here")
    private = Ed25519PrivateKey.generate()
    write_atomic(key_file, private_pem(private).encode(), mode=0o600)
    public = key_file.with_suffix(".pub")
    write_atomic(public, public_pem(private.public_key()).encode())
    click.echo(f"{public}: key {public_key(private.public_key()).keyid[:12]}; {key_file} stays here")


@root.command()
@site_option
def show(directory: Path) -> None:
    """Say which keys count, until when, and how far a next root is.

    \b
    Example:
      campusgate roster root show --dir central
    """
    from sync.central.site import Site

    draft = Site(directory).repository.next_root
    now = draft.current().signed
    click.echo(f"root {now.version}, good until {now.expires:%Y-%m-%d}")
    for role, entry in now.roles.items():
        ids = ", ".join(keyid[:12] for keyid in entry.keyids)
        click.echo(f"  {role}: {entry.threshold} of {len(entry.keyids)}: {ids}")
    if draft.staged():
        _tell(directory)


@root.command()
@site_option
@click.argument("draft_file", type=_FILE)
@click.option("--add", multiple=True, type=_GIVEN, help="Public key (PEM) that is to be a root key.")
@click.option("--remove", multiple=True, help="Id (or its beginning) of a root key that is to be none.")
@click.option("--threshold", type=click.IntRange(min=1), help="How many root keys must sign from then on.")
@click.option(
    "--rotate",
    multiple=True,
    type=click.Choice(["root", "targets", "snapshot", "timestamp"]),
    help="A role that gets a new key, made here.",
)
def export(  # noqa: PLR0917 - one for each option
    directory: Path,
    draft_file: Path,
    add: tuple[Path, ...],
    remove: tuple[str, ...],
    threshold: int | None,
    rotate: tuple[str, ...],
) -> None:
    """Draw up the next root and write it to a file for the key holders to sign.

    Root keys that are on central sign it at once.

    \b
    Example:
      campusgate roster root export next.json --rotate timestamp --rotate snapshot
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from config.files import write_atomic
    from config.keys import load_public
    from sync.central.roles import public_key
    from sync.central.site import Site

    repository = Site(directory).repository
    keys = [public_key(load_public(file, Ed25519PublicKey)) for file in add]
    repository.next_root.draw_up(add=keys, remove=remove, threshold=threshold, rotate=rotate)
    repository.next_root.sign_here()
    draft = repository.next_root.staged()
    assert draft is not None  # noqa: S101 - drawn up three lines above
    write_atomic(draft_file, draft.to_bytes())
    _tell(directory)


@root.command()
@click.argument("draft_file", type=_GIVEN)
@click.argument("key_file", type=_GIVEN)
def sign(draft_file: Path, key_file: Path) -> None:
    """Sign a next root with a key file. Needs no central and no network.

    \b
    Example:
      campusgate roster root sign next.json ann.pem
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from config.files import write_atomic
    from config.keys import load_private
    from sync.central.next_root import sign_root

    signed = sign_root(draft_file.read_bytes(), load_private(key_file, Ed25519PrivateKey))
    write_atomic(draft_file, signed)
    click.echo(f"{draft_file}: signed; bring it to central and `campusgate roster root import` it there")


@root.command("import")
@site_option
@click.argument("draft_files", nargs=-1, required=True, type=_GIVEN)
def import_signatures(directory: Path, draft_files: tuple[Path, ...]) -> None:
    """Take signatures in; with enough of them the next root comes into force.

    \b
    Example:
      campusgate roster root import from-ann.json from-bo.json
    """
    from sync.central.site import Site

    repository = Site(directory).repository
    for file in draft_files:
        standing = repository.next_root.take_signatures(file.read_bytes())
    _tell(directory)
    if standing.complete:
        click.echo(f"root {repository.adopt_root()} is in force")


@root.command()
@site_option
def discard(directory: Path) -> None:
    """Drop a next root that is not in force yet.

    \b
    Example:
      campusgate roster root discard
    """
    from sync.central.site import Site

    Site(directory).repository.next_root.discard()
    click.echo("no next root is drawn up")


@root.command("renew-recent")
@site_option
def renew_recent(directory: Path) -> None:
    """Replace the key for recent changes, as after a theft, and publish in full. Needs no root key.

    \b
    Example:
      campusgate roster root renew-recent
    """
    from sync.central.site import Site
    from sync.central.store import Store

    site = Site(directory)
    site.repository.renew_recent_key()
    store = Store(site.database_url)
    version = site.publish(store)
    store.close()
    click.echo(f"version {version} is published; the old key for recent changes counts no more")


def _tell(directory: Path) -> None:
    from sync.central.site import Site

    standing = Site(directory).repository.next_root.standing()
    (old, of_old), (new, of_new) = standing.old, standing.new
    by = f"{old} of {of_old} old and {new} of {of_new} new keys"
    click.echo(f"next root {standing.version}: signed by {by}")
