"""The settings of the thermal sensor: where it is, what it says, and what is made of that.

A sensor is set up wrongly in silence more easily than any other part, so what a driver needs and what cannot
go together is refused here, at start, and never guessed.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from config.table import Table

_GROUPS = frozenset({"celsius", "ambient", "distance_mm"})


def _line_pattern(pattern: str) -> str:
    """`pattern` if it is a regular expression that says where the temperature is."""
    try:
        groups = set(re.compile(pattern, re.ASCII).groupindex)
    except re.error as error:
        raise ValueError(f"a regular expression; this one is not: {error}") from error
    if "celsius" not in groups:
        raise ValueError("it needs a group named celsius, such as T=(?P<celsius>[0-9.]+)")
    if groups - _GROUPS:
        raise ValueError(f"its groups are {', '.join(sorted(_GROUPS))}, not {min(groups - _GROUPS)}")
    return pattern


class ThermalSettings(Table):
    """Where body temperatures come from."""

    driver: str = Field(
        "none", description="none, mlx90614, mlx90640, serial, simulated, or one that a package adds"
    )
    path: str | None = Field(None, description="simulated: the file that holds the temperature in view")
    bus: int = Field(
        1, ge=0, le=99, description="mlx90614, mlx90640: number of the I2C bus, as in /dev/i2c-1"
    )
    address: int | None = Field(
        None, ge=0x03, le=0x77, description="mlx90614, mlx90640: I2C address; 0x5a and 0x33 when absent"
    )
    port: str | None = Field(None, description="serial: the port, such as /dev/ttyUSB0")
    baudrate: int = Field(9600, ge=300, le=4_000_000, description="serial: bits a second, 8N1")
    pattern: Annotated[str, AfterValidator(_line_pattern)] | None = Field(
        None,
        description="serial: regular expression of a whole line, with a group celsius, and ambient and"
        " distance_mm if the module says them",
    )
    unit: Literal["celsius", "fahrenheit", "tenths", "hundredths"] = Field(
        "celsius", description="serial: what the module counts in; tenths and hundredths of a degree Celsius"
    )
    offset: float = Field(
        0.0, ge=-3, le=3, description="degrees Celsius added to what the sensor sees, from calibration"
    )
    ambient_offset: float = Field(
        0.0,
        ge=-20,
        le=20,
        description="degrees Celsius added to the ambient temperature: less in a warm case",
    )
    compensation: Literal["forehead", "none"] = Field(
        "forehead", description="forehead: the sensor sees skin; none: it already gives body temperature"
    )
    heat_balance: float = Field(
        0.19,
        ge=0,
        le=0.5,
        description="forehead: share of the drop from skin to air that lies inside the skin",
    )
    max_distance_mm: int = Field(
        600, ge=20, le=5000, description="further away is too far; only for sensors that know the distance"
    )
    min_area: float = Field(
        0.03,
        gt=0,
        le=1,
        description="mlx90640: share of the view that a face fills at least; less is too far",
    )
    window_seconds: float = Field(
        5.0, ge=0.5, le=30, description="the newest samples of one person that are taken together"
    )
    ambient_rate: float = Field(
        1.0, gt=0, le=20, description="degrees Celsius a minute; a sensor that warms or cools faster drifts"
    )
    drift_people: int = Field(
        40, ge=10, le=1000, description="people whose median temperature tells whether the sensor drifts"
    )
    retry_seconds: float = Field(1.0, ge=0.05, le=60, description="wait before trying an absent sensor again")

    @model_validator(mode="after")
    def _needs(self) -> ThermalSettings:
        if self.driver == "simulated" and not self.path:
            raise ValueError("driver 'simulated' needs thermal.path")
        if self.driver == "serial":
            if not self.port:
                raise ValueError("driver 'serial' needs thermal.port, such as /dev/ttyUSB0")
            if not self.pattern:
                raise ValueError(
                    "driver 'serial' needs thermal.pattern, such as T=(?P<celsius>[0-9.]+) (as the module's"
                    " lines are)"
                )
            if self.compensation == "forehead" and "ambient" not in re.compile(self.pattern).groupindex:
                raise ValueError(
                    "thermal.pattern has no group ambient, without which skin cannot be compensated: add it,"
                    " or set thermal.compensation = 'none' if the module gives body temperature"
                )
        return self
