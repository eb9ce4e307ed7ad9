"""The runbook of docs/signed-wiring.md, its commands run against a process that trusts the signer."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

from oneiric_compiler.manifests.keys import show_key

from tests.unit.runtime.signing import ONE, public
from tests.unit.serve.serving import Served, command, copy_project, make_project, select, until

PAGE = (Path(__file__).parents[2] / "docs" / "signed-wiring.md").read_text("utf-8")
RUNBOOK = re.findall(r"^    \$ (.+)$", PAGE.partition("<!-- runbook -->\n")[2].partition("\n\n")[0], re.M)


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True, timeout=60)


def committed(root: Path, message: str) -> None:
    command(root, "compile", "--sign", "ada.key")
    git(root, "add", "settings", "generated")
    git(root, "commit", "--message", message)


def test_the_older_wiring_is_deployed_again(tmp_path: Path) -> None:
    root = copy_project(make_project(tmp_path / "made" / "lab"), tmp_path / "lab")
    (root / "ada.key").write_text(show_key(bytes([1]) * 32))
    (root / "ada.key").chmod(0o600)
    (root / "trusted").write_text(public(ONE))
    git(root, "init")
    committed(root, "one")
    with Served(root, "--trust", "trusted") as served:
        select(root, "loud")
        committed(root, "two")
        command(root, "reload")
        until(lambda: served.heard() == "HELLO")
        old = json.loads(subprocess.check_output(["git", "show", "HEAD~1:generated/wiring.sig"], cwd=root))
        said = {}
        for line in RUNBOOK:
            program, *arguments = shlex.split(line)
            if program == "git":
                git(root, *arguments)
                # without another serial, what git brought back is the replay that production refuses
                if arguments[0] == "revert":
                    refused = command(root, "reload", code=1).stderr
                    assert "serial 1; this state folder accepted 2" in refused
                    assert "--serial 3" in refused
            else:
                said[arguments[0]] = command(root, *arguments).stdout
        until(lambda: served.heard() == "hello")
        assert re.search(r"serial +2$", said["status"], re.M)
        new = json.loads((root / "generated/wiring.sig").read_text())
        assert (old["generation"], old["serial"] + 2) == (new["generation"], new["serial"])
        assert "(serial 3)" in command(root, "history").stdout
        command(root, "compile", "--check")
