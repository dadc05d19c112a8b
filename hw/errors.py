"""The errors of devices. Each says what the device did and what to do about it."""

from __future__ import annotations

from config.errors import CampusgateError


class DeviceError(CampusgateError, OSError):
    """Base of all device errors."""


class CameraAbsent(DeviceError):
    """Raised when no camera is where the settings say, or it was unplugged."""


class CameraGarbage(DeviceError):
    """Raised when a camera gives something that is not a picture."""


class UnknownDriver(DeviceError, LookupError):
    """Raised when the settings name a driver that no installed package has."""


class RelayError(DeviceError):
    """Raised when the relay's pin cannot be claimed or driven."""


class InputError(DeviceError):
    """Raised when the pin of a contact cannot be claimed."""


class IndicatorError(DeviceError):
    """Raised when the pin of a light or of the buzzer cannot be claimed."""


class MachineError(DeviceError):
    """Raised when this computer's clock cannot be set, or it cannot be started anew."""


class ThermalAbsent(DeviceError):
    """Raised when no thermal sensor is where the settings say, it was unplugged, or its driver is missing."""


class ThermalGarbage(DeviceError):
    """Raised when a thermal sensor gives something that is no measurement; the next one may be good."""


class BusError(DeviceError):
    """Raised when a transfer on a bus failed though the device may be there: noise, or a held line."""
