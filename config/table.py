"""What every table of the settings is: unknown keys are refused, types are strict, nothing changes later."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """Base of all settings tables."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
