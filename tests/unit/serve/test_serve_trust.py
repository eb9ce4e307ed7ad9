"""`oneiric serve --trust FILE`: a process that goes over to nothing that its people did not sign."""

from __future__ import annotations

from pathlib import Path

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
    assert "is no file of public keys" in command(project, "serve", "--trust", "settings/app.yml", code=2).stderr
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
        assert "nobody signs what a swap compiles" in command(project, "swap", "service:greeter", "loud", code=1).stderr
        assert served.heard() == "hello"
        command(project, "compile", "--sign", "two.key")
        command(project, "reload")
        until(lambda: served.heard() == "HELLO")
