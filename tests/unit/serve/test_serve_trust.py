"""`oneiric serve --trust FILE`: a process that switches to nothing that its people did not sign."""

from __future__ import annotations

import json
import marshal
import os
import shutil
import sys
from importlib.util import MAGIC_NUMBER, source_hash
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


def test_it_runs_the_profile_and_app_that_were_asked_for(project: Path) -> None:
    """All signed by the same people, but lying where another one is looked for."""
    _keys(project)
    command(project, "compile", "--sign", "one.key")
    base, other = project / "generated", project / "generated/other"
    for name in ("wiring.py", "wiring.sig", "tenants.jsonl"):
        os.replace(base / name, project / name)
        if (other / name).exists():
            shutil.copy(other / name, base / name)
    refused = command(project, "serve", "--trust", "trusted", code=2)
    assert "is of lab, profile other; asked for is lab, profile default" in refused.stderr
    for name in ("wiring.py", "wiring.sig", "tenants.jsonl"):
        (base / name).unlink(missing_ok=True)
        shutil.copy(project / name, other / name)
    refused = command(project, "serve", "--profile", "other", "--trust", "trusted", code=2)
    assert "is of lab, profile default; asked for is lab, profile other" in refused.stderr
    settings = project / "settings/app.yml"
    for name in ("wiring.py", "wiring.sig", "tenants.jsonl"):
        os.replace(project / name, base / name)
    settings.write_text(settings.read_text().replace("name: lab", "name: shop"))
    refused = command(project, "serve", "--trust", "trusted", code=2)
    assert "is of lab, profile default; asked for is shop, profile default" in refused.stderr


def test_nothing_unsigned_beside_a_signed_wiring_steers_what_runs(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment, what lies in the output and in `.oneiric`, and a report of another wiring."""
    _keys(project)
    command(project, "compile", "--sign", "one.key")
    generated, evil = project / "generated", "open('steered', 'a').write(__name__)\n"
    (generated / "explain.json").write_text((generated / "other/explain.json").read_text())
    for name in ("sitecustomize", "usercustomize", "lab", "oneiric", "json", "asyncio"):
        (generated / f"{name}.py").write_text(evil)
    (generated / "__init__.py").write_text(evil)
    cached = generated / f"__pycache__/wiring.{sys.implementation.cache_tag}.pyc"
    cached.parent.mkdir(exist_ok=True)
    evil_code = marshal.dumps(compile(evil, "wiring.py", "exec"))
    head = MAGIC_NUMBER + (0b11).to_bytes(4, "little") + source_hash((generated / "wiring.py").read_bytes())
    cached.write_bytes(head + evil_code)
    state = project / ".oneiric/lab"
    (state / "generations").mkdir(parents=True)
    (state / "wiring.py").write_text(evil)
    (state / "sitecustomize.py").write_text(evil)
    (state / "overrides.json").write_text('{"overrides": {"service:greeter": "loud"}, "tenants": {}}')
    monkeypatch.setenv("ONEIRIC_STACK_ORDER", "lab:1")
    monkeypatch.setenv("ONEIRIC_PROFILE", "other")
    monkeypatch.setenv("ONEIRIC_TRUSTED_PUBLIC_KEYS", public(STRANGER))
    with Served(project, "--trust", "trusted") as served:
        assert until(served.heard) == "hello"
        status = served.ask("status")
        assert (status["profile"], status["serial"], status["overrides"]["overrides"]) == ("default", 1, {})
    assert not (project / "steered").exists()


def test_a_tenants_line_that_nobody_signed_starts_nothing(project: Path) -> None:
    _keys(project)
    command(project, "compile", "--sign", "one.key")
    lines = project / "generated/tenants.jsonl"
    lines.write_bytes(lines.read_bytes().replace(b"Calm", b"Loud"))
    assert "not what was signed" in command(project, "serve", "--trust", "trusted", code=2).stderr
