"""The command `campusgate answer`: signs a console's challenge on a laptop, without a network."""

from __future__ import annotations

from pathlib import Path

import click

from terminal.console.roles import Role


@click.command()
@click.argument("challenge")
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The school's maintenance key, private (`campusgate central maintenance-key`).",
)
@click.option("--name", required=True, help="Who logs in, for the records, such as 'Li Wei'.")
@click.option(
    "--role",
    type=click.Choice([str(role) for role in Role]),
    default=str(Role.MAINTAIN),
    show_default=True,
    help="What they may do.",
)
def answer(challenge: str, key_file: Path, name: str, role: str) -> None:
    """Print the response to CHALLENGE, which a terminal's console shows: it logs NAME in there, once.

    \b
    Example:
      campusgate answer north-gate-1.000G40R40M30E209185GR38E1WF9J6MQ --key maintenance.pem --name "Li Wei"
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from config.keys import load_private
    from terminal.console.challenge import Challenge
    from terminal.console.response import Response, sign_response

    asked = Challenge.parse(challenge)
    key = load_private(key_file, Ed25519PrivateKey)
    click.echo(sign_response(Response(asked.device, asked.nonce, name, Role(role)), key))
