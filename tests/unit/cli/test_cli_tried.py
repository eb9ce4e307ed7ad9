"""`oneiric --demo COMMAND`: a command on a project that is there for it alone."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.running import run


def test_a_command_is_tried_and_nothing_of_it_stays(tmp_path: Path) -> None:
    there = tmp_path / "tmp"
    there.mkdir()
    done = run("--demo", "explain", "service:payments", cwd=tmp_path, TMPDIR=str(there))
    assert done.stdout.startswith("service:payments is served by prepaid\n"), done.stderr
    assert "settings/services.yml:3:13" in done.stdout
    assert (list(there.iterdir()), list(tmp_path.iterdir())) == ([], [there])


def test_what_is_checked_is_fresh_and_an_error_is_answered(tmp_path: Path) -> None:
    assert run("--demo", "compile", "--check", cwd=tmp_path).stdout == "fresh\n"
    done = run("--demo", "explain", "service:paymants", cwd=tmp_path)
    assert (done.returncode, "did you mean `service:payments`?" in done.stderr) == (2, True), done.stderr
