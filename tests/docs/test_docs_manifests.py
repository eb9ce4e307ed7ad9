"""The session that docs/manifests.md shows happens as it is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import yaml
from oneiric_compiler.settings.schema import validator

PAGE = (Path(__file__).parents[2] / "docs" / "manifests.md").read_text("utf-8")
DEADLINE = 120


def shell(command: str, folder: Path) -> str:
    """What a person sees who types the command, stdout and stderr."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    return done.stdout


def test_the_session(tmp_path: Path) -> None:
    manifest = re.search(r"```yaml\n(source: .*?)```", PAGE, re.S)
    assert manifest is not None
    assert list(validator("manifest").iter_errors(yaml.safe_load(manifest[1]))) == []
    shell("oneiric init", tmp_path)
    shell("oneiric manifest keygen --out bob.key > bob.pub", tmp_path)
    (tmp_path / "acme.yaml").write_text(manifest[1])
    session = [textwrap.dedent(text) for text in re.findall(r"^    \$ oneiric manifest .*\n(?:    .*\n)*", PAGE, re.M)]
    assert len(session) == 5
    for each in session:
        command, _, shown = each.removeprefix("$ ").partition("\n")
        seen = shell(command, tmp_path)
        if shown.endswith("  ...\n"):
            assert seen.startswith(shown.removesuffix("  ...\n"))
        else:
            assert seen == shown


def test_the_rules_are_those_that_reject() -> None:
    """Every rule that the code names is in the page's table, and no other."""
    folder = Path(__file__).parents[2] / "compiler" / "oneiric_compiler" / "manifests"
    code = "".join((folder / name).read_text("utf-8") for name in ("document.py", "verify.py", "signing.py"))
    named = set(re.findall(r'(?:Rejected\(|_refused\(event, )\s*"([a-z-]+)"', code))
    table = PAGE.partition("| rule | rejects |")[2].partition("\n\n")[0]
    assert named == {
        rule for row in re.findall(r"^\| (`.*?) \|", table, re.M) for rule in re.findall(r"`([a-z-]+)`", row)
    }
