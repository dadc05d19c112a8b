"""The settings of one gate terminal and its sync daemon: one TOML file, typed, validated, never guessed.

Relative paths are relative to the file itself, so that a whole installation can be moved or copied.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator

from config.errors import SettingsError
from config.settings_maintenance import ConsoleSettings, IndicatorSettings, MachineSettings
from config.settings_thermal import ThermalSettings
from config.table import Pin, Table
from config.validation import explain
from config.wiring import conflicts

DEFAULT_PATH = Path("/etc/campusgate/campusgate.toml")

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


def _central_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL such as https://central.school.example")
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError("a port is a number from 0 to 65535") from error
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise ValueError("https:// is needed for any host but this machine itself")
    _no_secret(parts.netloc)
    return url.rstrip("/")


def _code_url(url: str) -> str:
    parts = urlsplit(url)
    well_formed = parts.scheme == "https" and parts.hostname and url.isascii() and len(url) <= 200
    if not well_formed or not url.endswith(("#", "=")) or any(c.isspace() for c in url):
        raise ValueError("an https:// URL that ends in # or =, such as https://school.example/c#")
    _no_secret(parts.netloc)
    return url


def _no_secret(netloc: str) -> None:
    if "@" in netloc:
        raise ValueError("no user or password may stand in it: settings are shown, and hold no secret")


class DeviceSettings(Table):
    """Which terminal this is and where it stands."""

    name: Name = Field(description="the terminal's name at central: lower-case letters, digits and -")
    place: Name = Field(description="the policy's name of the place where it stands, such as north-gate")


class StorageSettings(Table):
    """Where the terminal keeps what must survive."""

    state: str = Field("/var/lib/campusgate", description="directory of journal, keys, roster and receipts")
    run: str = Field("/run/campusgate", description="directory of the control sockets")
    quota_mb: int = Field(4096, ge=1, le=1_048_576, description="most that the journal may take, megabytes")
    keep_days: float = Field(30.0, ge=0, le=3650, description="how long records stay here once they are sent")


class ClockSettings(Table):
    """What vouches for the time."""

    trust: Literal["auto", "system"] = Field(
        "auto",
        description="auto: only RTC, network time or central's signed time vouch for it; system: this"
        " machine's clock is kept right by other means, as in a virtual machine",
    )


class CentralSettings(Table):
    """The school's central server. Only the sync daemon uses it."""

    url: Annotated[str, AfterValidator(_central_url)] = Field(description="its URL, https unless on loopback")
    ca: str | None = Field(None, description="file of CA certificates; the system's when absent")
    timeout: float = Field(
        10.0, gt=0, le=120, description="seconds to wait for a connection or for the next bytes"
    )


class SyncSettings(Table):
    """How the sync daemon paces itself."""

    batch_records: int = Field(1000, ge=1, le=5000, description="most records in one request")
    batch_bytes: int = Field(
        1_048_576, ge=4096, le=8_388_608, description="most bytes of records in one request"
    )
    poll_seconds: float = Field(0.5, ge=0.05, le=60, description="how often the journal is looked at")
    backoff_seconds: float = Field(300.0, ge=0.1, le=3600, description="longest wait after failures")
    roster_seconds: float = Field(
        30.0, ge=0.2, le=86_400, description="how often roster and policy are fetched"
    )


class CameraSettings(Table):
    """Where frames come from."""

    driver: str = Field(
        "auto",
        description="auto: picamera2 for a CSI camera, else v4l2. video, folder, simulated, a package's own",
    )
    device: int | str = Field(
        0, description="its number, or for v4l2 the path of the device, such as /dev/video0"
    )
    path: str | None = Field(None, description="video, folder, simulated: the file or directory to read")
    width: int = Field(1280, ge=160, le=7680, description="pixels")
    height: int = Field(720, ge=120, le=4320, description="pixels")
    fps: float = Field(30.0, ge=1, le=240, description="frames a second")
    format: Literal["MJPG", "YUYV"] | None = Field("MJPG", description="v4l2: how frames cross the cable")
    exposure_ms: float | None = Field(
        None, gt=0, le=100, description="v4l2, picamera2: fixed exposure, short against motion blur"
    )
    focus: int | None = Field(None, ge=0, le=1023, description="v4l2: fixed focus, in the camera's own unit")
    retry_seconds: float = Field(1.0, ge=0.05, le=60, description="wait before trying an absent camera again")

    @model_validator(mode="after")
    def _needs_path(self) -> CameraSettings:
        if self.driver in ("video", "folder", "simulated") and not self.path:
            raise ValueError(f"driver {self.driver!r} needs camera.path")
        return self


class RelaySettings(Table):
    """The relay that moves the gate."""

    pin: Pin = Field(17, description="GPIO number (BCM), 0 to 27")
    active_high: bool = Field(True, description="true when a high level energises the relay")
    safe_state: Literal["secure", "safe"] = Field(
        "secure", description="secure: locked without power or program; safe: released (escape routes)"
    )


class InputSettings(Table):
    """Contacts at the terminal's case."""

    tamper: Pin | None = Field(
        None, description="GPIO number (BCM) of the case's switch, closed to ground while the case is shut"
    )


class KeypadSettings(Table):
    """Where keys come from, besides a keyboard at the screen."""

    driver: str = Field("none", description="none, simulated, or one that a package adds")
    path: str | None = Field(None, description="simulated: the file that keys are appended to")

    @model_validator(mode="after")
    def _needs_path(self) -> KeypadSettings:
        if self.driver == "simulated" and not self.path:
            raise ValueError("driver 'simulated' needs keypad.path")
        return self


class ScreenSettings(Table):
    """The display."""

    width: int = Field(800, ge=320, le=3840, description="pixels")
    height: int = Field(480, ge=240, le=3840, description="pixels")
    fullscreen: bool = Field(False, description="true on a terminal with its own panel")
    device_code_url: Annotated[str, AfterValidator(_code_url)] | None = Field(
        None,
        description="show phones a device code behind this URL, such as https://school.example/c#",
    )


class Settings(Table):
    """Everything in one campusgate.toml."""

    device: DeviceSettings = Field(description="the table [device]")
    central: CentralSettings = Field(description="the table [central]")
    storage: StorageSettings = StorageSettings()
    sync: SyncSettings = SyncSettings()
    clock: ClockSettings = Field(default_factory=lambda: ClockSettings.model_validate({}))
    camera: CameraSettings = CameraSettings()
    thermal: ThermalSettings = Field(default_factory=lambda: ThermalSettings.model_validate({}))
    relay: RelaySettings = RelaySettings()
    inputs: InputSettings = Field(default_factory=lambda: InputSettings.model_validate({}))
    keypad: KeypadSettings = Field(default_factory=lambda: KeypadSettings.model_validate({}))
    screen: ScreenSettings = Field(default_factory=lambda: ScreenSettings.model_validate({}))
    console: ConsoleSettings = Field(default_factory=lambda: ConsoleSettings.model_validate({}))
    indicators: IndicatorSettings = Field(default_factory=lambda: IndicatorSettings.model_validate({}))
    machine: MachineSettings = Field(default_factory=lambda: MachineSettings.model_validate({}))

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        if found := list(conflicts(self)):
            raise ValueError("; ".join(found))
        return self

    _base: Path = Path()

    def path(self, text: str) -> Path:
        """`text` from this file as a path, relative ones to the file's own directory."""
        return self._base / text

    @property
    def state(self) -> Path:
        """Directory of journal, keys, roster and receipts."""
        return self.path(self.storage.state)

    @property
    def keys(self) -> Path:
        """Directory of this device's keys and of the public keys it trusts."""
        return self.state / "keys"

    @property
    def roster(self) -> Path:
        """Directory of the verified TUF mirror; the sync daemon alone writes it."""
        return self.state / "roster"

    @property
    def journal(self) -> Path:
        """The record journal (SQLite); the terminal alone writes it."""
        return self.state / "journal.db"

    @property
    def receipt(self) -> Path:
        """Central's last receipt; the sync daemon alone writes it."""
        return self.state / "receipt.json"

    @property
    def quarantine(self) -> Path:
        """The records that central refused (SQLite); the sync daemon alone writes it."""
        return self.state / "quarantine.db"

    @property
    def clock_offer(self) -> Path:
        """The time that central signed last; the sync daemon alone writes it."""
        return self.state / "clock.json"

    @property
    def staff_time(self) -> Path:
        """The time that maintenance staff set last; the console alone writes it."""
        return self.state / "staff-time.json"

    @property
    def reports(self) -> Path:
        """Directory of the signed reports of self-tests; the console alone writes it."""
        return self.state / "reports"

    def socket(self, process: str) -> Path:
        """The control socket of `process` ("terminal" or "sync")."""
        return self.path(self.storage.run) / f"{process}.sock"


def parse_settings(text: str, *, source: str, base: Path) -> Settings:
    """Settings from TOML text.

    source: how errors name the text. base: the directory that relative paths start from.
    Raises: SettingsError with one line for each problem.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{source}: is not TOML: {error}"]) from error
    except RecursionError as error:
        raise SettingsError([f"{source}: is nested too deeply"]) from error
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        raise SettingsError(explain(error, Settings, source)) from error
    settings._base = base
    return settings


def load_settings(path: Path) -> Settings:
    """The settings in the file `path`. Raises: SettingsError."""
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path}: is not UTF-8 text (byte {error.start})"]) from error
    except OSError as error:
        raise SettingsError(
            [f"{path}: cannot be read: {error.strerror}; see `campusgate terminal init --help`"]
        ) from error
    return parse_settings(text, source=str(path), base=path.parent.absolute())
