"""The command from end to end, in pipes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.unit.cli.reports import shop
from tests.unit.cli.running import DEADLINE, MAIN, environment, run, session


@pytest.fixture(scope="module")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scaffold")
    done = run("init", "shop 2", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "cd 'shop 2'" in done.stdout
    return root / "shop 2"


@pytest.fixture
def project(scaffolded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scaffolded, tmp_path / "project"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_init_makes_is_fresh_and_runs(project: Path) -> None:
    for path in project.joinpath("settings").rglob("*.yml"):
        schema = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / schema).is_file()
    assert run("compile", "--check", cwd=project).stdout == "fresh\n"
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stdout.count("is paid: balance/")) == (0, 2), done.stderr


def test_what_init_makes_can_be_committed_whole(project: Path) -> None:
    """Bytecode in a repository conflicts in every merge."""
    for arguments in (("init",), ("add", "-A")):
        subprocess.run(["git", *arguments], cwd=project, check=True, capture_output=True, timeout=DEADLINE)
    listed = subprocess.run(["git", "ls-files"], cwd=project, check=True, capture_output=True, timeout=DEADLINE)
    files = listed.stdout.decode().split()
    assert {".gitignore", "generated/wiring.py", "settings/app.yml", "settings/.schemas/app.schema.json"} <= {*files}
    assert list(project.glob("generated/__pycache__/*.pyc"))
    assert not [name for name in files if name.endswith(".pyc")]


def test_init_writes_over_nothing(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    (tmp_path / "main.py").write_text("mine")
    (tmp_path / "shop").mkdir()
    assert session([("init",)], cwd=tmp_path) == snapshot(name="a file is there")
    assert (tmp_path / "main.py").read_text() == "mine"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert session([("init",)], cwd=tmp_path, code=2) == snapshot(name="a project is there")
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_init_in_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("init", "file/project", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: file/project: Not a directory\n")


def test_a_mistake_is_shown_and_nothing_is_written(project: Path, snapshot: SnapshotAssertion) -> None:
    edit(project / "settings" / "services.yml", "prepaid  ", "prepayed ")
    before = (project / "generated" / "wiring.py").read_bytes()
    assert session([("compile",)], cwd=project, code=2) == snapshot
    assert (project / "generated" / "wiring.py").read_bytes() == before
    explained = run("explain", "service:payments", cwd=project)
    assert explained.returncode == 0
    assert "warning: the settings have errors" in explained.stderr


def test_places_are_named_as_reached_from_the_working_directory(project: Path) -> None:
    edit(project / "settings" / "services.yml", "prepaid  ", "prepayed ")
    outside = run("--project", "project", "compile", cwd=project.parent)
    assert " --> project/settings/services.yml:3:13\n" in outside.stderr
    annotated = run("--project", "project", "compile", "--format", "github", cwd=project.parent)
    assert annotated.stdout.startswith("::error file=project/settings/services.yml,line=3,")


def test_check_tells_stale_from_edited_from_wrong(project: Path) -> None:
    edit(project / "settings" / "services.yml", "payments: prepaid", "payments: invoice")
    stale = run("compile", "--check", cwd=project)
    assert stale.returncode == 1
    assert "ONE502" in stale.stderr
    assert "the report is not what the settings say now" in run("list", cwd=project).stderr
    written = run("compile", cwd=project)
    assert (written.returncode, written.stdout.splitlines()) == (
        0,
        ["compiled generated/wiring.py", "compiled generated/production/wiring.py"],
    )
    with (project / "generated" / "wiring.py").open("a") as wiring:
        wiring.write("# by hand\n")
    edited = run("compile", "--check", "--format", "json", cwd=project)
    document = json.loads(edited.stdout)
    assert (edited.returncode, document["status"]) == (1, "differs")
    assert {each["code"] for each in document["diagnostics"]} == {"ONE503"}
    edit(project / "settings" / "app.yml", "packages", "package")
    assert run("compile", "--check", cwd=project).returncode == 2


def test_machine_formats_are_one_document_on_stdout(project: Path) -> None:
    fine = run("compile", "--format", "json", cwd=project)
    assert json.loads(fine.stdout)["status"] == "compiled"
    assert fine.stderr == ""
    edit(project / "settings" / "services.yml", "prepaid  ", "prepayed ")
    for format in ("json", "sarif"):
        done = run("compile", "--format", format, cwd=project)
        assert (done.returncode, done.stderr) == (2, "")
        assert "ONE301" in json.dumps(json.loads(done.stdout))


def test_one_profile_is_compiled_alone(project: Path) -> None:
    done = run("compile", "--profile", "production", cwd=project)
    assert done.stdout == "compiled generated/production/wiring.py\n"
    unknown = run("compile", "--profile", "prod", cwd=project)
    assert (unknown.returncode, "ONE116" in unknown.stderr) == (2, True)
    explained = run("explain", "service:payments", "--profile", "production", cwd=project)
    assert "is served by invoice" in explained.stdout
    assert "profile-selection" in explained.stdout


def test_overrides_go_to_a_folder_of_their_own(project: Path) -> None:
    (project / "swaps.json").write_text('{"overrides": {"service:payments": "invoice"}}')
    before = (project / "generated" / "wiring.py").read_bytes()
    done = run("compile", "--overrides", "swaps.json", "--out", "swapped", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "override" in run("explain", "service:payments", "--from-report", "swapped/explain.json", cwd=project).stdout
    assert (project / "generated" / "wiring.py").read_bytes() == before


def test_tenants_are_explained(project: Path) -> None:
    (project / "settings" / "tenants").mkdir()
    (project / "settings" / "tenants" / "acme.yml").write_text("services:\n  selections:\n    payments: invoice\n")
    (project / "settings" / "tenants" / "plain.yml").write_text("adapters: {}\n")
    assert run("compile", cwd=project).returncode == 0
    own = run("explain", "service:payments", "--tenant", "acme", cwd=project)
    assert own.stdout.startswith("service:payments is served by invoice for tenant acme\n")
    shared = run("explain", "cache", "--tenant", "plain", "--json", cwd=project)
    assert json.loads(shared.stdout)["binding"]["shared"] is True
    unknown = run("explain", "--tenant", "acne", cwd=project)
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "did you mean `acme`?" in unknown.stderr


WRONG = (
    ("explain", "cash"),
    ("explain", "orders"),
    ("explain", "service:order"),
    ("explain", "service:orders", "--domain", "adapter"),
    ("explain", "--domain", "servces"),
    ("list", "--domain", "x"),
    ("explain", "--profile", "prod"),
    ("explain", "--profile", "../.."),
    ("explain", "--from-report", "none.json"),
    ("explain", "--from-report", "."),
    ("explain", "--from-report", "main.py"),
    ("explain", "--from-report", "generated/explain.json", "--profile", "production"),
    ("explain-code", "ONE111X"),
    ("--project", "nowhere", "list"),
    ("--project", "settings", "list"),
    ("compile", "--check", "--overrides", "x", "--out", "y"),
    ("compile", "--overrides", "x"),
)


def test_wrong_usage_is_answered(scaffolded: Path, snapshot: SnapshotAssertion) -> None:
    assert session(WRONG, cwd=scaffolded, code=2) == snapshot


def test_a_missing_report_says_what_to_run(project: Path, snapshot: SnapshotAssertion) -> None:
    shutil.rmtree(project / "generated")
    assert session([("list",)], cwd=project, code=2) == snapshot


def test_the_report_is_where_the_settings_say(project: Path) -> None:
    edit(project / "settings" / "app.yml", "packages", "output: out/wired\npackages")
    (project / "settings").rename(project / "conf")
    assert run("compile", cwd=project, ONEIRIC_CONFIG="conf").returncode == 0
    shutil.rmtree(project / "generated")
    done = run("explain", "service:payments", cwd=project, ONEIRIC_CONFIG="conf")
    assert (done.returncode, done.stderr) == (0, "")
    assert "decided at  settings/services.yml:3:13" in done.stdout


@pytest.mark.parametrize("deep", [400, 700, 900, 2_500])
def test_a_report_that_is_nested_too_deeply_is_answered(deep: int, tmp_path: Path) -> None:
    """Some of it is read, and what looks through it goes deeper than the reader did."""
    report = shop()
    report["bindings"]["adapter:cache"]["settings"]["token"]["value"] = 1
    before = json.dumps(report)
    told = before.replace('"value": 1', '"value": ' + "[" * deep + '"x"' + "]" * deep)
    assert told != before
    (tmp_path / "old.json").write_text(before)
    (tmp_path / "new.json").write_text(told)
    for command in (("explain", "cache", "--from-report", "new.json"), ("diff", "old.json", "new.json")):
        done = run(*command, cwd=tmp_path)
        assert done.returncode in (0, 1) or "nested deeper" in done.stderr or "is not JSON" in done.stderr


def test_a_reader_that_goes_away_is_no_error(scaffolded: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "list"],
            cwd=scaffolded,
            env=environment(),
            stdout=gone,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_is_told(scaffolded: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "list"],
            cwd=scaffolded,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, b"error: the output cannot be written: No space left on device\n")


def test_a_narrow_encoding_is_no_error(project: Path) -> None:
    edit(project / "settings" / "services.yml", "opening_cents: 50000", "opening_cents: 日本")
    done = run("compile", cwd=project, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert "\\u65e5\\u672c" in done.stderr


def test_an_interrupt_ends_the_command_quietly(scaffolded: Path) -> None:
    interrupted = f"report.read_report = lambda path: os.kill(os.getpid(), {int(signal.SIGINT)})"
    code = f"import os; from oneiric import report; {interrupted}; {MAIN}"
    done = subprocess.run(
        [sys.executable, "-c", code, "list"],
        cwd=scaffolded,
        env=environment(),
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, b"")
    assert b"Traceback" not in done.stderr


def test_the_demo_tells_the_whole_story(tmp_path: Path) -> None:
    done = run("demo", cwd=tmp_path, TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    figures = ("failed calls: 0", "/s")
    killed = ("was ended by kill -9", "40 of 40 orders fulfilled, each by one run", "after kill -9")
    for told in ("is served by prepaid", "is paid by invoices/", "Secret(****)", "error[ONE301]", *killed, *figures):
        assert told in done.stdout
    assert not list(tmp_path.iterdir())
    for pid in re.findall(r"^process (\d+):", done.stdout, re.MULTILINE):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_the_demo_says_what_it_leaves_out_where_nothing_keeps_runs(tmp_path: Path) -> None:
    done = run("demo", cwd=tmp_path, blocked=("dbos",), TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "left out: orders that survive kill -9" in done.stdout
    assert "oneiric[engine-dbos]" in done.stdout
    assert "error[ONE301]" in done.stdout
    assert "after kill -9" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_completion_is_offered(tmp_path: Path) -> None:
    done = run("--show-completion", "bash", cwd=tmp_path)
    assert (done.returncode, "_ONEIRIC_COMPLETE" in done.stdout) == (0, True)


INTERRUPTED = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "oneiric_compiler.cli.usage":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
"""


def test_an_interrupt_while_the_command_is_loaded_ends_it_without_a_word(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED + MAIN, "list"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
