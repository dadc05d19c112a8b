"""Alembic's environment: migrates over the connection that `upgrade` gives, inside its transaction."""

from __future__ import annotations

from alembic import context

from sync.central.tables import schema

context.configure(connection=context.config.attributes["connection"], target_metadata=schema)
context.run_migrations()
