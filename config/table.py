"""What every table of the settings is: unknown keys are refused, types are strict, nothing changes later."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Pin = Annotated[int, Field(ge=0, le=27)]
"""A GPIO number (BCM) of the Pi's 40-pin header."""


class Table(BaseModel):
    """Base of all settings tables."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
