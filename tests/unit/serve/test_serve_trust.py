"""`oneiric serve --trust FILE`: a process that switches to nothing that its people did not sign."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oneiric.errors import LoadError
from oneiric.serve.process import source_roots
from oneiric.wiring import Wiring
from oneiric_compiler.manifests.keys import show_key

from tests.unit.runtime.signing import ONE, STRANGER, TWO, public
from tests.unit.serve.serving import Served, command, select, until


def _keys(project: Path) -> None:
    (project / "trusted").write_text(f"# release managers\n{public(ONE)}\n{public(TWO)}\n")
    for name, number in (("one", 1), ("two", 2), ("stranger", 3)):
        (project / f"{name}.key").write_text(show_key(bytes([number]) * 32))
        (project / f"{name}.key").chmod(0o600)
    assert public(STRANGER)


def test_it_does_not_start_without_signatures_or_keys(project: Path) -> None:
    _keys(project)
    unsigned = command(project, "serve", "--trust", "trusted", code=2)
    assert "is not signed" in unsigned.stderr
    command(project, "compile", "--sign", "one.key")
    few = command(project, "serve", "--trust", "trusted", "--threshold", "2", code=2)
    assert "signed by 1 trusted keys; 2 have to sign it" in few.stderr
    assert "cannot be read" in command(project, "serve", "--trust", "none", code=2).stderr
    assert "is not a file of public keys" in command(project, "serve", "--trust", "settings/app.yml", code=2).stderr
    assert "3 signatures cannot" in command(project, "serve", "--trust", "trusted", "--threshold", "3", code=2).stderr
    assert "--trust" in command(project, "serve", "--threshold", "2", code=2).stderr


def test_it_reloads_what_is_signed_and_refuses_the_rest(project: Path) -> None:
    _keys(project)
    command(project, "compile", "--sign", "one.key")
    with Served(project, "--trust", "trusted") as served:
        until(lambda: served.heard() == "hello")
        select(project, "loud")
        command(project, "compile")
        refused = command(project, "reload", code=1)
        assert "is not signed" in refused.stderr
        command(project, "compile", "--sign", "stranger.key")
        assert "signed by 0 trusted keys" in command(project, "reload", code=1).stderr
        assert "a swap compiles is not signed" in command(project, "swap", "service:greeter", "loud", code=1).stderr
        assert served.heard() == "hello"
        command(project, "compile", "--sign", "two.key")
        command(project, "reload")
        until(lambda: served.heard() == "HELLO")


def test_the_report_beside_a_signed_wiring_does_not_say_what_is_imported(project: Path, tmp_path: Path) -> None:
    _keys(project)
    command(project, "compile", "--sign", "one.key")
    evil = tmp_path / "evil"
    (evil / "lab").mkdir(parents=True)
    (evil / "lab/__init__.py").write_text("")
    (evil / "lab/parts.py").write_text((project / "lab/parts.py").read_text().replace('"hello"', '"evil"'))
    report = project / "generated/explain.json"
    document = json.loads(report.read_text())
    for roots in ([str(evil)], ["../evil"]):
        document["inputs"]["source_roots"] = roots
        report.write_text(json.dumps(document))
        (project / "heard").unlink(missing_ok=True)
        with Served(project, "--trust", "trusted") as served:
            assert until(served.heard) == "hello"


def test_a_source_root_outside_of_the_project_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path)

    class Rooted(Wiring, app="lab"):
        pass

    Rooted.__source_roots__ = ("src", ".")
    assert source_roots(root, Rooted) == [str(root / "src"), str(root)]
    for outside in (str(tmp_path), "..", "src/../..", "link"):
        Rooted.__source_roots__ = (outside,)
        with pytest.raises(LoadError, match="outside of the project"):
            source_roots(root, Rooted)
