"""Central's tables: SQLAlchemy Core, the same in SQLite and in PostgreSQL.

The steps that bring a database of an earlier version to this schema are in migrations/.
"""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA_VERSION = 4

schema = sa.MetaData()
_Identity = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite numbers rows of that type alone

device = sa.Table(
    "device",
    schema,
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("through", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("chained", sa.String(64), nullable=True),  # what the next record names, if that is not `digest`
)
span = sa.Table(
    "span",  # records ahead of `device.through`; see ingest.Span
    schema,
    sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True),
    sa.Column("through", sa.BigInteger, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("chained", sa.String(64), nullable=False),
    sa.Column("opening", sa.Text, nullable=False),
)
device_trust = sa.Table(
    "device_trust",
    schema,
    sa.Column("name", sa.String(63), sa.ForeignKey("device.name"), primary_key=True),
    sa.Column("rotate", sa.Boolean, nullable=False),
    sa.Column("next_key", sa.Text, nullable=False),  # PEM of the key that takes over at its first use, or ""
    sa.Column("revoked_at", sa.String(32), nullable=False),  # or ""
)
record = sa.Table(
    "record",
    schema,
    sa.Column("id", _Identity, primary_key=True),
    sa.Column("device", sa.String(63), nullable=False),  # its row is locked as it comes: no key to look up
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("received_at", sa.String(32), nullable=False),
    sa.UniqueConstraint("device", "sequence"),
)
alarm = sa.Table(
    "alarm",
    schema,
    sa.Column("id", _Identity, primary_key=True),
    sa.Column("device", sa.String(63), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("raised_at", sa.String(32), nullable=False),
    sa.Index("alarm_device_sequence", "device", "sequence"),
)
person = sa.Table(
    "person",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("phone_key", sa.String(66), nullable=False),  # compressed point as hex, or ""
)
validity = sa.Table(
    "person_validity",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("valid_from", sa.BigInteger, nullable=True),  # Unix seconds, both
    sa.Column("valid_until", sa.BigInteger, nullable=True),
)
person_group = sa.Table(
    "person_group",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(63), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),  # in the order in which the groups were given
)
person_absence = sa.Table(
    "person_absence",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("starts_at", sa.BigInteger, primary_key=True),  # Unix seconds, all three
    sa.Column("ends_at", sa.BigInteger, primary_key=True),
    sa.Column("make_up_until", sa.BigInteger, nullable=False),
)
person_declaration = sa.Table(
    "person_declaration",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("day", sa.String(10), nullable=False),  # the school's date, such as 2026-11-24
    sa.Column("decidegrees", sa.Integer, nullable=True),  # tenths of a degree Celsius
    sa.Column("symptoms", sa.Integer, nullable=False),  # flags of terminal.declaration.Symptom
    sa.Column("contact", sa.Boolean, nullable=False),
)
person_change = sa.Table(
    "person_change",
    schema,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("change", sa.BigInteger, nullable=False),  # the number of the change, rising
)
claim = sa.Table(
    "claim",
    schema,
    sa.Column("digest", sa.String(64), primary_key=True),  # SHA-256 of the claim's 16 bytes, as hex
    sa.Column("subject", sa.String(64), nullable=False, index=True),
    sa.Column("expires_at", sa.BigInteger, nullable=False),  # Unix seconds
    sa.Column("used_at", sa.BigInteger, nullable=True),
    sa.Column("used_key", sa.String(66), nullable=False),  # the key it was used for, or ""
)
clock_anchor = sa.Table(
    "clock_anchor",
    schema,
    sa.Column("device", sa.String(63), primary_key=True),
    sa.Column("boot", sa.String(16), primary_key=True),
    sa.Column("rank", sa.Integer, nullable=False),  # of what vouched for it: the lower, the better
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("time", sa.String(32), nullable=False),
    sa.Column("uptime", sa.BigInteger, nullable=False),  # milliseconds
)
command = sa.Table(
    "command",
    schema,
    sa.Column("number", sa.Integer, primary_key=True),  # in the order in which they were issued
    sa.Column("identity", sa.String(36), nullable=False, unique=True),
    sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), nullable=False, index=True),
    sa.Column("do", sa.String(32), nullable=False),
    sa.Column("issued_at", sa.BigInteger, nullable=False),  # Unix seconds, both
    sa.Column("expires_at", sa.BigInteger, nullable=False, index=True),
)
device_setting = sa.Table(
    "device_setting",
    schema,
    sa.Column("device", sa.String(63), sa.ForeignKey("device.name"), primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),  # such as sync.batch_records
    sa.Column("value", sa.Text, nullable=False),  # JSON
)
meta = sa.Table(
    "meta",
    schema,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
