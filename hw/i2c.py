"""The I2C bus: opened by its number, its failures as sentences that say what to look at.

Transfers are smbus2's messages on /dev/i2c-N, so that what goes over the wire is seen whole: a register's
address, a repeated start, the answer with its checksum. Retries are for who holds the device.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any, Protocol

import smbus2

from hw.errors import BusError, DeviceError, ThermalAbsent

_NACK = (errno.ENXIO, errno.EREMOTEIO, errno.ENODEV)  # which of them, differs between bus drivers


class Bus(Protocol):
    """An open I2C bus: smbus2's, or a simulated one."""

    def i2c_rdwr(self, *i2c_msgs: smbus2.i2c_msg) -> None:
        """Carry out the messages as one transfer, with repeated starts between them. Raises: OSError."""

    def close(self) -> None:
        """Let the bus go."""


OpenBus = Callable[[int], Bus]


def open_i2c(number: int, opener: OpenBus = smbus2.SMBus) -> Bus:
    """The bus /dev/i2c-`number`. Raises: ThermalAbsent, with what to do.

    opener: another one stands in for the hardware in tests.
    """
    try:
        return opener(number)
    except PermissionError as error:
        raise ThermalAbsent(
            f"/dev/i2c-{number}: no permission; add the user to the group i2c: sudo usermod -aG i2c USER"
        ) from error
    except OSError as error:
        raise ThermalAbsent(
            f"/dev/i2c-{number}: {error.strerror or error}; set thermal.bus, or enable I2C:"
            " sudo raspi-config nonint do_i2c 0"
        ) from error


def ask(bus: Bus, address: int, register: bytes, size: int) -> bytes:
    """`size` bytes that the device at `address` answers when `register` was named to it. Raises: BusError."""
    answer: Any = smbus2.i2c_msg.read(address, size)
    transfer(bus, smbus2.i2c_msg.write(address, list(register)), answer)
    return bytes(list(answer))


def transfer(bus: Bus, *messages: smbus2.i2c_msg) -> None:
    """Carry out `messages`. Raises: BusError, with the errno of the bus driver."""
    try:
        bus.i2c_rdwr(*messages)
    except OSError as error:
        failure = BusError(_advice(error))
        failure.errno = error.errno
        raise failure from error


def absent(error: DeviceError, what: str) -> DeviceError:
    """`error` while opening `what`: ThermalAbsent if nothing answered at its address, otherwise as it is."""
    if error.errno in _NACK:
        return ThermalAbsent(
            f"{what}: nothing answers; check its wires and power, and thermal.bus and .address"
        )
    return error


def _advice(error: OSError) -> str:
    if error.errno in _NACK:
        return "I2C: no answer; a loose wire?"
    if error.errno == errno.ETIMEDOUT:
        return "I2C: timed out; is SCL or SDA held low? Power the sensor off and on"
    return f"I2C: {error.strerror or error}; check the pull-ups, and keep the wires short"
