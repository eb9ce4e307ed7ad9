"""`oneiric fix`: a diff, or what it says written; never over what changed meanwhile, never a secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oneiric_compiler.diagnostics.edits import (
    Advice,
    bracing,
    listing,
    quoting,
    renaming,
    requoting,
    unquoting,
    without_default,
    writing,
)
from oneiric_compiler.editor import fixing

from tests.unit.cli.running import run

APP = "name: shop # the shop\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings/app.yml").write_text(APP)
    return tmp_path


def adapters(project: Path, text: str) -> Path:
    file = project / "settings/adapters.yml"
    file.write_bytes(text.encode())
    return file


def test_it_shows_a_diff_and_writes_nothing(project: Path) -> None:
    text = 'selections:\n  cache:   "memry" # fast\n  http: httpx\n'
    file = adapters(project, text)
    done = run("fix", cwd=project)
    assert done.returncode == 1
    assert done.stdout == (
        "--- settings/adapters.yml\n+++ settings/adapters.yml\n@@ -1,3 +1,3 @@\n selections:\n"
        '-  cache:   "memry" # fast\n+  cache:   "memory" # fast\n   http: httpx\n'
    )
    assert "--write" in done.stderr
    assert file.read_text() == text


def test_what_it_writes_is_as_it_was_but_for_the_edits(project: Path) -> None:
    file = adapters(project, '\ufeffselections: {cache: "memry"}\r\n# é ${X}\r\n')
    file.chmod(0o640)
    done = run("fix", "--write", cwd=project)
    assert (done.returncode, done.stdout) == (0, "fixed settings/adapters.yml (1)\n")
    assert file.read_bytes() == '\ufeffselections: {cache: "memory"}\r\n# é ${X}\r\n'.encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in file.parent.iterdir()) == ["adapters.yml", "app.yml"]
    assert run("fix", cwd=project).stderr == "nothing to fix\n"


def test_nothing_to_fix_is_said_and_what_is_left_too(project: Path) -> None:
    assert run("fix", cwd=project).stderr == "nothing to fix\n"
    adapters(project, "selections: {cache: [\n")
    done = run("fix", cwd=project)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("1 error left to you")


def test_sources_are_fixed_at_the_place_of_their_argument(project: Path) -> None:
    (project / "settings/app.yml").write_text("name: shop\npackages: [shop]\n")
    (project / "shop.py").write_text(
        'from oneiric import component\n\n\n@component("servise", "é", prioritty=3)  # plain\nclass A: ...\n'
    )
    run("fix", "--write", cwd=project)
    text = (project / "shop.py").read_text()
    assert '@component("service", "é", priority=3)  # plain' in text


def test_a_selection_is_written_where_it_was_meant(project: Path) -> None:
    file = adapters(project, "cache: memory # fast\nhttp: httpx\n")
    run("fix", "--write", cwd=project)
    assert file.read_text() == "selections: {cache: memory} # fast\nhttp: httpx\n"


def test_two_that_mean_one_name_are_not_both_made(project: Path) -> None:
    file = adapters(project, "selections: {cach: memory, cahe: redis}\n")
    run("fix", "--write", cwd=project)
    assert file.read_text() == "selections: {cache: memory, cahe: redis}\n"


def test_no_secret_is_shown(project: Path) -> None:
    adapters(project, "provider_settings:\n  redis:\n    pasword: hunter2\n    api_key: hunter2\n    token: hunter2\n")
    for arguments in ("fix",), ("fix", "--json"), ("fix", "--write", "--json"):
        done = run(*arguments, cwd=project)
        assert "hunter2" not in done.stdout + done.stderr


def test_the_document_says_what_was_written(project: Path) -> None:
    adapters(project, "selections: {cache: memry}\n")
    document = json.loads(run("fix", "--write", "--json", cwd=project).stdout)
    edit = {"line": 1, "column": 21, "end_line": 1, "end_column": 26, "text": "memory"}
    assert document["written"] is True
    assert document["files"] == ["settings/adapters.yml"]
    assert [each["edits"] for each in document["fixes"]] == [[edit]]


def test_a_file_that_changed_meanwhile_is_left_as_it_is(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = adapters(project, "selections: {cache: memry}\n")
    found = fixing.fixes

    def raced(*arguments: object) -> fixing.Fixes:
        made = found(*arguments)  # type: ignore[arg-type]
        file.write_text("selections: {}\n")
        return made

    monkeypatch.setattr(fixing, "fixes", raced)
    done = run("fix", "--write", cwd=project)
    assert (done.returncode, file.read_text()) == (1, "selections: {}\n")
    assert "settings/adapters.yml changed" in done.stderr


def test_a_link_that_leads_out_is_not_followed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "adapters.yml"
    outside.write_text("selections: {cache: memry}\n")
    (project / "settings/adapters.yml").symlink_to(outside)
    assert run("fix", "--write", cwd=project).returncode == 0
    assert outside.read_text() == "selections: {cache: memry}\n"


def test_the_settings_of_another_folder_are_fixed_there(project: Path) -> None:
    (project / "settings").rename(project / "config")
    (project / "config/adapters.yml").write_text("selections: {cache: memry}\n")
    done = run("fix", "--write", cwd=project, ONEIRIC_CONFIG="config")
    assert done.stdout == "fixed config/adapters.yml (1)\n"
    assert (project / "config/adapters.yml").read_text() == "selections: {cache: memory}\n"


@pytest.mark.parametrize(
    ("advice", "text", "wanted"),
    [
        (renaming("", "a", "b"), "a", "b"),
        (renaming("", "a", "b"), "'a'", "'b'"),
        (renaming("", "a", "b"), '"m.n:a"', '"m.n:b"'),
        (renaming("", "a", "b"), "a:outer", "b:outer"),
        (renaming("", "a", "b"), "aa", None),
        (renaming("", "a", "b"), r'"\x61"', None),
        (renaming("", "a", "true"), "a", None),
        (renaming("", "a", "b: c"), "a", None),
        (quoting(""), "010", '"010"'),
        (quoting(""), "[1]", None),
        (quoting(""), "'1'", None),
        (unquoting(""), "'1'", "1"),
        (unquoting(""), "'a b'", None),
        (listing(""), "ttl", "[ttl]"),
        (listing(""), "a, b", None),
        (listing(""), "|\n  a", None),
        (writing("", "30s", "30"), '"30s"', "30"),
        (writing("", "30s", "30"), ">-", None),
        (requoting(""), r'"C:\new"', r"'C:\new'"),
        (requoting(""), r'"C:\n\"w"', None),
        (without_default(""), "a/${A:-{b}}c", "a/${A}c"),
        (without_default(""), "${A:-${B:-c}}", None),
        (without_default(""), "$${A:-b}", None),
        (bracing("", "A"), "$A/$A $AB $$A ${A}", "${A}/${A} $AB $$A ${A}"),
    ],
)  # fmt: skip
def test_an_edit_is_made_where_the_text_is_what_was_expected(advice: Advice, text: str, wanted: str | None) -> None:
    pieces = advice.change(text)
    made = text
    for start, end, written in reversed(pieces):
        made = made[:start] + written + made[end:]
    assert (made if pieces else None) == wanted
