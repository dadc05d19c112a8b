"""`campusgate provision` at one end of a cable and `campusgate console` at the other, as at a school."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from config.keys import public_pem
from config.settings import load_settings
from config.settings_history import SettingsHistory
from terminal.console.client import ConsoleClient, ConsoleRefused, Replies
from terminal.console.site_ledger import SiteLedger
from terminal.install import TrustBundle
from tests.terminal.console.null_modem import NullModem

CAMPUSGATE = (sys.executable, "-c", "from config.cli import main; main()")
SITE = """
trust = "trust.json"
settings.camera.width = 1920
[[terminal]]
name = "a-1"
place = "north"
[[terminal]]
name = "a-2"
place = "north"
"""


class Bench:
    """A blank machine with its console running, a cable, and a laptop with a site.toml."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.settings_path = directory / "machine" / "campusgate.toml"
        self.settings_path.parent.mkdir()
        preset = '[storage]\nstate = "state"\nrun = "run"\n'
        (self.settings_path.parent / "factory.toml").write_text(preset, "utf-8")
        record_key = public_pem(X25519PrivateKey.generate().public_key())
        bundle = TrustBundle("https://c.example", b"root", record_key)
        (directory / "trust.json").write_text(bundle.dump(), "utf-8")
        (directory / "site.toml").write_text(SITE, "utf-8")
        self.cable = NullModem(directory)
        options = ("--settings", str(self.settings_path), "--port", str(self.cable.near))
        with (directory / "log").open("wb") as log:
            self._console = subprocess.Popen((*CAMPUSGATE, "console", *options), stderr=log)

    def provision(self) -> str:
        """What `campusgate provision --once` prints."""
        options = ("--once", "--port", str(self.cable.far), "--out", str(self.directory / "out"))
        command = (*CAMPUSGATE, "provision", *options, str(self.directory / "site.toml"))
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr + (self.directory / "log").read_text()
        return done.stdout

    def close(self) -> None:
        """Stop the console."""
        self._console.terminate()
        self._console.wait(30)
        self.cable.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_a_blank_machine_is_set_up_is_left_alone_then_and_becomes_another_after_a_reset(bench: Bench) -> None:
    assert bench.provision().endswith("a-1: camera.width = 1920, was 1280\na-1: done\n")
    assert bench.provision().endswith("a-1: nothing to do\n")
    assert SettingsHistory(bench.settings_path).versions()[-1].comment == "provision site.toml"
    settings = load_settings(bench.settings_path)
    assert (settings.device.name, settings.camera.width) == ("a-1", 1920)
    known = SiteLedger(bench.directory / "out").password("a-1")
    assert known
    client = ConsoleClient(str(bench.cable.far))
    client.synchronise()
    with pytest.raises(ConsoleRefused, match="log in first"):
        client.do("factory reset a-1 discard-records")
    client.login_with_password(*known)
    again = Replies(ask=lambda _question, _answers: "a-1")
    assert client.do("factory reset a-1 discard-records", again)["was"] == "a-1"
    client.exit()
    client.close()
    left = {path.name for path in settings.state.iterdir()} - {"terminal.lock", "sync.lock"}
    assert left == set()
    assert bench.provision().endswith("a-2: done\n")
    assert load_settings(bench.settings_path).device.name == "a-2"
