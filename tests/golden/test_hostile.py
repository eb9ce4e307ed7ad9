"""Mistakes that cannot be committed as files: what file systems, encodings and sizes can do to a compile."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from golden_cases import surroundings
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.diagnostics.render import as_text
from oneiric_compiler.checking import check
from oneiric_compiler.stages.write import write

PART = 'from oneiric import component\n\n\n@component("adapter", "mail", provider="smtp")\nclass Smtp:\n    pass\n'


def app_not_utf8(root: Path) -> None:
    (root / "settings/app.yml").write_bytes(b"name: shop\npackages: [shop]\n# caf\xe9\n")


def settings_not_utf8(root: Path) -> None:
    (root / "settings/adapters.yml").write_bytes("selections:\n  grüße: x\xff".encode("latin-1"))


def settings_utf16(root: Path) -> None:
    (root / "settings/adapters.yml").write_bytes("selections: {}\n".encode("utf-16"))


def source_not_utf8(root: Path) -> None:
    (root / "shop/parts.py").write_bytes(b"# -*- coding: latin-1 -*-\nNAME = 'caf\xe9'\n")


def huge_file(root: Path) -> None:
    with (root / "settings/adapters.yml").open("wb") as stream:
        stream.truncate(50 * 1024 * 1024)


def deep_brackets(root: Path) -> None:
    (root / "settings/adapters.yml").write_text("selections: " + "[" * 200_000)


def deep_lines(root: Path) -> None:
    text = "".join(" " * depth + "a:\n" for depth in range(2_000))
    (root / "settings/adapters.yml").write_text(text)


def dangling_link(root: Path) -> None:
    (root / "settings/adapters.yml").symlink_to("nowhere.yml")


def linked_to_itself(root: Path) -> None:
    (root / "settings/adapters.yml").symlink_to("adapters.yml")


def pipe_for_file(root: Path) -> None:
    os.mkfifo(root / "settings/adapters.yml")


def socket_for_file(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(root / "settings")
        try:
            listener.bind("adapters.yml")
        finally:
            os.chdir(here)


def file_for_folder(root: Path) -> None:
    (root / "settings/profiles").write_text("not a folder")


def unreadable_settings(root: Path) -> None:
    (root / "settings").chmod(0o000)


def unlisted_settings(root: Path) -> None:
    (root / "settings").chmod(0o100)


def unreadable_file(root: Path) -> None:
    (root / "settings/adapters.yml").write_text("selections: {}\n")
    (root / "settings/adapters.yml").chmod(0o000)


def unreadable_source(root: Path) -> None:
    (root / "shop/parts.py").chmod(0o000)


def unreadable_profiles(root: Path) -> None:
    (root / "settings/profiles").mkdir(mode=0o000)


def root_behind_a_link(root: Path) -> None:
    (root / "settings/app.yml").write_text("name: shop\npackages: [shop]\nsource_roots: [., src]\n")
    (root / "src").symlink_to(root.parent)


def nulls_in_source(root: Path) -> None:
    (root / "shop/parts.py").write_bytes(b"NAME = '\0'\n")


def nested_source(root: Path) -> None:
    (root / "shop/parts.py").write_text("X = " + "(" * 5_000 + ")" * 5_000 + "\n")


READS: dict[str, tuple[Callable[[Path], None], list[tuple[str, str, int, int]]]] = {
    "app_not_utf8": (app_not_utf8, [("ONE102", "settings/app.yml", 3, 6)]),
    "settings_not_utf8": (settings_not_utf8, [("ONE102", "settings/adapters.yml", 2, 5)]),
    "settings_utf16": (settings_utf16, [("ONE102", "settings/adapters.yml", 1, 1)]),
    "source_not_utf8": (source_not_utf8, [("ONE102", "shop/parts.py", 2, 12)]),
    "huge_file": (huge_file, [("ONE103", "settings/adapters.yml", 1, 1)]),
    "deep_brackets": (deep_brackets, [("ONE103", "settings/adapters.yml", 1, 45)]),
    "deep_lines": (deep_lines, [("ONE103", "settings/adapters.yml", 33, 33)]),
    "dangling_link": (dangling_link, [("ONE101", "settings/adapters.yml", 1, 1)]),
    "linked_to_itself": (linked_to_itself, [("ONE101", "settings/adapters.yml", 1, 1)]),
    "pipe_for_file": (pipe_for_file, [("ONE101", "settings/adapters.yml", 1, 1)]),
    "socket_for_file": (socket_for_file, [("ONE101", "settings/adapters.yml", 1, 1)]),
    "file_for_folder": (file_for_folder, [("ONE101", "settings/profiles", 1, 1)]),
    "root_behind_a_link": (root_behind_a_link, [("ONE111", "settings/app.yml", 3, 19)]),
    "nulls_in_source": (nulls_in_source, [("ONE202", "shop/parts.py", 1, 1)]),
    "nested_source": (nested_source, [("ONE202", "shop/parts.py", 1, 205)]),
}
FORBIDDEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "settings": (unreadable_settings, "settings/app.yml"),
    "list_of_settings": (unlisted_settings, "settings"),
    "file": (unreadable_file, "settings/adapters.yml"),
    "source": (unreadable_source, "shop/parts.py"),
    "profiles": (unreadable_profiles, "settings/profiles"),
}
HOSTILE_CODES = {code for _, found in READS.values() for code, *_ in found} | {
    *("ONE124", "ONE125", "ONE501", "ONE502", "ONE503", "ONE504", "ONE505"),
}


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A small project that compiles, in a folder that everybody may reach."""
    root = tmp_path / "project"
    for folder in (root, root / "settings", root / "shop"):
        folder.mkdir()
    (root / "settings/app.yml").write_text("name: shop\npackages: [shop]\n")
    (root / "shop/__init__.py").touch()
    (root / "shop/parts.py").write_text(PART)
    with surroundings(root):
        yield root
    for path in (root / "settings", root / "settings/profiles"):
        if path.is_dir():
            path.chmod(0o700)


@pytest.mark.parametrize("name", READS)
def test_what_cannot_be_read_is_told_at_its_place(root: Path, name: str) -> None:
    spoil, want = READS[name]
    diagnostics = Diagnostics()
    spoil(root)
    assert compile_project(Project.at(root, {}), diagnostics) is None
    errors = [each for each in diagnostics if each.severity == "error"]
    assert [(e.code, e.span.source.path, e.span.line, e.span.column) for e in errors if e.span] == want
    assert all(each.help for each in errors)
    assert str(root) not in as_text(diagnostics)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_may_not_be_read_is_told_at_its_place(root: Path, name: str) -> None:
    spoil, want = FORBIDDEN[name]
    assert compile_project(Project.at(root, {}), Diagnostics()) is not None
    diagnostics = Diagnostics()
    spoil(root)
    with unprivileged(root):
        assert compile_project(Project.at(root, {}), diagnostics) is None
    assert [(each.code, each.span and each.span.source.path) for each in diagnostics] == [("ONE101", want)]
    assert all(each.help for each in diagnostics)
    assert str(root) not in as_text(diagnostics)


def test_a_chain_of_a_thousand_branches_is_read(root: Path) -> None:
    branches = "".join(f"elif x == {number}:\n    pass\n" for number in range(1_000))
    (root / "shop/parts.py").write_text(f"{PART}\nx = 0\nif x:\n    pass\n{branches}")
    diagnostics = Diagnostics()
    assert compile_project(Project.at(root, {}), diagnostics) is not None, list(diagnostics)


def test_a_byte_order_mark_and_line_ends_of_others_are_read(root: Path) -> None:
    (root / "settings/adapters.yml").write_bytes(b"\xef\xbb\xbfselections:\r\n  mail: smtp\r\n  sms: nothing\r\n")
    diagnostics = Diagnostics()
    assert compile_project(Project.at(root, {}), diagnostics) is None
    [found] = diagnostics
    assert found.span is not None
    assert (found.code, found.span.line, found.span.column) == ("ONE305", 3, 3)


def test_an_output_that_cannot_be_written_is_told(root: Path) -> None:
    outputs = compile_project(Project.at(root, {}), Diagnostics())
    assert outputs is not None
    (root / "generated").write_text("a file where the folder belongs")
    diagnostics = Diagnostics()
    assert not write(outputs, diagnostics)
    assert [each.code for each in diagnostics] == ["ONE501"]
    assert all(each.help for each in diagnostics)


def test_a_folder_that_may_not_be_written_is_told_and_nothing_changes(root: Path) -> None:
    outputs = compile_project(Project.at(root, {}), Diagnostics())
    assert outputs is not None
    root.chmod(0o555)
    diagnostics = Diagnostics()
    with unprivileged(root, owned=False):
        assert not write(outputs, diagnostics)
    root.chmod(0o755)
    assert [each.code for each in diagnostics] == ["ONE501"]
    assert not (root / "generated").exists()


def test_stale_and_edited_outputs_are_told_apart(root: Path) -> None:
    project = Project.at(root, {})
    assert check_codes(project) == ["ONE502", "ONE502"]
    outputs = compile_project(project, Diagnostics())
    assert outputs is not None
    assert write(outputs, Diagnostics())
    assert check_codes(project) == []
    wiring = root / "generated/wiring.py"
    wiring.write_text(wiring.read_text() + "# edited\n")
    assert check_codes(project) == ["ONE503"]


def test_a_report_that_is_none_is_told(tmp_path: Path) -> None:
    report = tmp_path / "explain.json"
    report.write_text('{"format": "oneiric.explain/2"}')
    main = "from oneiric_compiler.cli import main; main()"
    command = [sys.executable, "-c", main, "explain", "--from-report", str(report)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("error[ONE504]")


def check_codes(project: Project) -> list[str]:
    diagnostics = Diagnostics()
    check(project, diagnostics)
    assert all(each.help for each in diagnostics)
    return [each.code for each in diagnostics]


@contextmanager
def unprivileged(root: Path, *, owned: bool = True) -> Iterator[None]:
    """As a user whom permissions bind, when the tests run as one whom they do not; `root` is that user's or not."""
    if os.geteuid() != 0:
        yield
        return
    nobody, above = 65534, [folder for folder in root.parents if folder.stat().st_uid == 0 and folder != Path("/")]
    modes = {folder: folder.stat().st_mode for folder in above}
    for folder in above:
        folder.chmod(modes[folder] | 0o011)
    if owned:
        for path in (root, *root.rglob("*")):
            os.chown(path, nobody, nobody, follow_symlinks=False)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)
