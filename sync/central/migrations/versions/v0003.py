"""The schema before there were migrations.

Versions up to 3 only ever added tables, so that making those that are missing brings each of them here.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = None


def upgrade() -> None:
    """Make the tables that are missing."""
    _tables().create_all(op.get_bind())


def _tables() -> sa.MetaData:
    schema = sa.MetaData()
    sa.Table(
        "device",
        schema,
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("through", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    sa.Table(
        "device_trust",
        schema,
        sa.Column("name", sa.String(63), sa.ForeignKey("device.name"), primary_key=True),
        sa.Column("rotate", sa.Boolean, nullable=False),
        sa.Column("next_key", sa.Text, nullable=False),
        sa.Column("revoked_at", sa.String(32), nullable=False),
    )
    sa.Table(
        "record",
        schema,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("received_at", sa.String(32), nullable=False),
        sa.UniqueConstraint("device", "sequence"),
    )
    sa.Table(
        "alarm",
        schema,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("device", sa.String(63), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("raised_at", sa.String(32), nullable=False),
    )
    sa.Table(
        "person",
        schema,
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("phone_key", sa.String(66), nullable=False),
    )
    sa.Table(
        "person_validity",
        schema,
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("valid_from", sa.BigInteger, nullable=True),
        sa.Column("valid_until", sa.BigInteger, nullable=True),
    )
    sa.Table(
        "person_group",
        schema,
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
    )
    sa.Table(
        "person_absence",
        schema,
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("starts_at", sa.BigInteger, primary_key=True),
        sa.Column("ends_at", sa.BigInteger, primary_key=True),
        sa.Column("make_up_until", sa.BigInteger, nullable=False),
    )
    sa.Table(
        "person_declaration",
        schema,
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("decidegrees", sa.Integer, nullable=True),
        sa.Column("symptoms", sa.Integer, nullable=False),
        sa.Column("contact", sa.Boolean, nullable=False),
    )
    sa.Table(
        "person_change",
        schema,
        sa.Column("subject", sa.String(64), primary_key=True),
        sa.Column("change", sa.BigInteger, nullable=False),
    )
    sa.Table(
        "claim",
        schema,
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False, index=True),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=True),
        sa.Column("used_key", sa.String(66), nullable=False),
    )
    sa.Table(
        "meta",
        schema,
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    return schema
