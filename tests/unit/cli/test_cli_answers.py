"""What a person is answered who stands in the wrong place, or whose files are not what they should be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.unit.cli.running import DEADLINE, run, session


@pytest.fixture(scope="module")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("answers") / "stall"
    root.mkdir()
    assert run("init", cwd=root).returncode == 0
    return root


@pytest.fixture
def project(scaffolded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scaffolded, tmp_path / "work" / "stall"))


def test_where_there_are_no_settings(project: Path, snapshot: SnapshotAssertion) -> None:
    (project / "empty").mkdir()
    commands = [("compile",), ("list",), ("compile", "--check")]
    told = [
        session(commands, cwd=project / "shop", code=2),
        session(commands, cwd=project.parent, code=2),
        session([("--project", "empty", "compile")], cwd=project, code=2),
        session(commands, cwd=project, code=2, ONEIRIC_CONFIG="nowhere"),
        session(commands, cwd=project, code=2, ONEIRIC_CONFIG="main.py"),
    ]
    shutil.rmtree(project / "settings")
    told.append(session(commands, cwd=project, code=2))
    (project / "settings").touch()
    told.append(session(commands, cwd=project, code=2))
    assert "\n".join(told) == snapshot


def test_files_that_are_not_there(project: Path, snapshot: SnapshotAssertion) -> None:
    (project / "settings/tasks.yml").symlink_to("gone.yml")
    commands = [
        ("compile",),
        ("compile", "--overrides", "gone.json", "--out", "x"),
        ("compile", "--overrides", "shop", "--out", "x"),
        ("diff", "generated", "gone"),
        ("diff", "gone.json", "generated/explain.json"),
        ("diff", "generated", "generated/wiring.py"),
    ]
    assert session(commands, cwd=project, code=2) == snapshot


@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_where_the_outputs_are_to_be(project: Path, snapshot: SnapshotAssertion, kind: str) -> None:
    shutil.rmtree(project / "generated")
    if kind == "file":
        (project / "generated").write_text("notes")
    else:
        (project / "generated").symlink_to("gone")
    assert session([("compile",)], cwd=project, code=2) == snapshot


def test_outputs_that_a_merge_or_another_system_changed(project: Path, snapshot: SnapshotAssertion) -> None:
    wiring, report = project / "generated/wiring.py", project / "generated/production/explain.json"
    wiring.write_bytes(wiring.read_bytes().replace(b"\n", b"\r\n"))
    lines = report.read_text().splitlines(keepends=True)
    both = ["<<<<<<< HEAD\n", lines[5], "=======\n", lines[5], ">>>>>>> feature\n"]
    report.write_text("".join([*lines[:5], *both, *lines[6:]]))
    told = session([("compile", "--check")], cwd=project, code=1)
    told += session([("list", "--profile", "production")], cwd=project, code=2)
    assert told == snapshot
    assert run("compile", cwd=project).returncode == 0
    assert run("compile", "--check", cwd=project).returncode == 0


@pytest.mark.parametrize("cut", ["middle", "text", "nothing", "other"])
def test_a_report_that_is_no_json(project: Path, snapshot: SnapshotAssertion, cut: str) -> None:
    report = project / "generated/explain.json"
    text = report.read_text()
    middle = text.index('"provider"')
    report.write_text({"middle": text[:middle], "text": text[: middle + 4], "nothing": "", "other": "{,}"}[cut])
    assert session([("list",), ("diff", "generated", "generated/production")], cwd=project, code=2) == snapshot


def test_a_folder_and_a_profile_in_it_are_compared_as_the_base_and_the_profile(project: Path) -> None:
    asked = ("diff", "generated/explain.json", "generated/production/explain.json")
    found = run("diff", "generated", "generated/production", cwd=project)
    assert (found.returncode, found.stdout) == (1, run(*asked, cwd=project).stdout)
    assert run("diff", "generated/production", "generated", cwd=project).returncode == 1
    assert run("diff", "generated", "generated", cwd=project).returncode == 0


def test_git_leaves_the_line_ends_of_outputs_as_they_are(project: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-c", "core.autocrlf=true", *arguments]
        done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True, timeout=DEADLINE)
        return done.stdout

    git("init")
    git("add", "-A")
    git("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-m", "all")
    shutil.rmtree(project / "generated")
    shutil.rmtree(project / "shop")
    git("checkout", "--", ".")
    assert b"\r\n" in (project / "shop/orders.py").read_bytes()
    assert run("compile", "--check", cwd=project).returncode == 0


def test_commands_and_options_as_upstream_and_others_write_them(project: Path, snapshot: SnapshotAssertion) -> None:
    commands = [
        ("compil",),
        ("zzz",),
        ("compile", "--chek"),
        ("compile", "--format", "xml"),
        ("compile", "more"),
        ("manifest", "sgin"),
        ("swap",),
        ("list", "--project"),
        ("list", "--", "--project", "x"),
        ("list", "--demo"),
        ("--project", "..", "--demo", "list"),
        ("--config", "settings.toml", "list"),
        ("status", "--domain", "adapter", "--key", "cache"),
        ("action-invoke", "compression.encode", "--payload", "{}"),
        ("event", "emit", "order.placed"),
        ("workflow", "run", "fulfil"),
        ("activity",),
        ("orchestrate", "--manifest", "x.yaml"),
        ("orchestrate", "--no-workflow-checkpoints"),
        ("remote-sync", "--manifest", "x.yaml", "--refresh-interval", "60"),
        ("swap", "cache", "--provider", "redis"),
    ]
    assert session(commands, cwd=project, code=2) == snapshot


def test_the_project_may_be_named_behind_the_command(project: Path) -> None:
    told = run("--project", "stall", "list", "--domain", "service", cwd=project.parent).stdout
    assert told
    for asked in (
        ("list", "--project", "stall", "--domain", "service"),
        ("list", "--domain", "service", "--project=stall"),
    ):
        assert run(*asked, cwd=project.parent).stdout == told


def test_without_a_command_help_is_shown(project: Path) -> None:
    done = run(cwd=project)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: oneiric ")


def test_what_cannot_be_served(project: Path, snapshot: SnapshotAssertion) -> None:
    commands = [
        ("serve", "--profile", "prodction"),
        ("serve", "--profile", "zzz"),
        ("list", "--profile", "prodction"),
        ("serve", "--wiring", "gone.py"),
    ]
    told = [session(commands, cwd=project, code=2), session([("serve",)], cwd=project / "shop", code=2)]
    shutil.rmtree(project / "generated")
    told.append(session([("serve",), ("serve", "--profile", "production")], cwd=project, code=2))
    assert "\n".join(told) == snapshot
