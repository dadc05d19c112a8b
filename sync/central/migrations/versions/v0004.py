"""Spans ahead of a backlog, what the record after a loss is chained to, and room for more records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table `span`, the column `device.chained`, an index over alarms; ids of 64 bits."""
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
    op.add_column("device", sa.Column("chained", sa.String(64), nullable=True))
    op.create_index("alarm_device_sequence", "alarm", ["device", "sequence"])
    if op.get_bind().dialect.name == "postgresql":  # SQLite's integers are that long already
        for table in ("record", "alarm"):
            op.alter_column(table, "id", type_=sa.BigInteger)
            op.execute(f"alter sequence {table}_id_seq as bigint")
