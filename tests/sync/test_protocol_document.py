"""sync/PROTOCOL.md: its shell examples run as they stand, against a real central."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.sim.campus import Campus

DOCUMENT = Path(__file__).parents[2] / "sync" / "PROTOCOL.md"
EXAMPLE = re.compile(r"^<!-- ci -->\n```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_example_of_the_document_works_against_a_real_central(
    campus: Campus, central: str, tmp_path: Path
) -> None:
    examples = EXAMPLE.findall(DOCUMENT.read_text("utf-8"))
    assert len(examples) >= 5
    work = tmp_path / "example"
    work.mkdir()
    commands = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(examples)],
        cwd=work,
        env=os.environ
        | {
            "CENTRAL": central,
            "SITE": str(campus.site.directory),
            "PATH": f"{commands}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
