"""The settings of what maintenance staff use: the console, lights and buzzer, and the machine itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.table import Pin, Table

Group = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]


class ConsoleSettings(Table):
    """The maintenance console, and who may ask the processes on this machine."""

    port: str | None = Field(
        None, description="serial port that the console listens on, such as /dev/ttyGS0; none when absent"
    )
    baud: Literal[9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600] = Field(
        115_200, description="bits a second, 8N1"
    )
    idle_minutes: int = Field(10, ge=1, le=240, description="a session without a key for so long ends")
    sticks: str = Field("/media", description="directory in which USB sticks are mounted")
    group: Group | None = Field(
        None, description="Unix group that may use the control sockets; their owner's when absent"
    )


class IndicatorSettings(Table):
    """Two lights and a buzzer for people at the gate; each is left out where it is not fitted."""

    green: Pin | None = Field(None, description="GPIO number (BCM) of the green light: somebody may go in")
    red: Pin | None = Field(None, description="GPIO number (BCM) of the red light: somebody may not")
    buzzer: Pin | None = Field(None, description="GPIO number (BCM) of the buzzer")


class MachineSettings(Table):
    """The computer inside: maintenance sets its clock and starts it anew."""

    driver: str = Field("linux", description="linux, simulated, or one that a package adds")
    path: str | None = Field(None, description="simulated: the file that gets what the machine was told")

    @model_validator(mode="after")
    def _needs_path(self) -> MachineSettings:
        if self.driver == "simulated" and not self.path:
            raise ValueError("driver 'simulated' needs machine.path")
        return self
