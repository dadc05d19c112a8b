"""Spans ahead of a backlog, the chain after a loss, clock anchors, and room for more records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables `span`, `clock_anchor`, `command` and `device_setting`, the column `device.chained`, an
    index over alarms; ids of 64 bits; look no device up for each record."""
    op.create_table(
        "span",
        sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), primary_key=True),
        sa.Column("first", sa.BigInteger, primary_key=True),
        sa.Column("through", sa.BigInteger, nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("chained", sa.String(64), nullable=False),
        sa.Column("opening", sa.Text, nullable=False),
    )
    op.create_table(
        "clock_anchor",
        sa.Column("device", sa.String(63), primary_key=True),
        sa.Column("boot", sa.String(16), primary_key=True),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("time", sa.String(32), nullable=False),
        sa.Column("uptime", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "command",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("identity", sa.String(36), nullable=False, unique=True),
        sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), nullable=False),
        sa.Column("do", sa.String(32), nullable=False),
        sa.Column("issued_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    for column in ("device", "expires_at"):
        op.create_index(f"ix_command_{column}", "command", [column])
    op.create_table(
        "device_setting",
        sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.add_column("device", sa.Column("chained", sa.String(64), nullable=True))
    op.create_index("alarm_device_sequence", "alarm", ["device", "sequence"])
    if op.get_bind().dialect.name == "sqlite":
        _copy_records()
    else:  # SQLite's integers are that long already
        op.drop_constraint("record_device_fkey", "record", type_="foreignkey")
        for table in ("record", "alarm"):
            op.alter_column(table, "id", type_=sa.BigInteger)
            op.execute(f"alter sequence {table}_id_seq as bigint")


def _copy_records() -> None:
    """SQLite drops no constraint but by another table."""
    op.rename_table("record", "record_before")
    op.create_table(
        "record",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("device", sa.String(63), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("received_at", sa.String(32), nullable=False),
        sa.UniqueConstraint("device", "sequence"),
    )
    op.execute(
        "insert into record select id, device, sequence, digest, event, received_at from record_before"
    )
    op.drop_table("record_before")
