"""The shape of the checkout: folders, the one-way street, no stray module, nothing of a machine."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from oneiric_compiler.cli.app import COMMANDS
from oneiric_compiler.tables.builtins import ROOTS, is_builtin

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "compiler",
    "runtime",
    "schemas",
    "templates",
    "settings",
    "generated",
    "tests",
    "benchmarks",
    "docs",
    "shop",
    "changes",
    ".ci",
}
FILES = {
    "pyproject.toml",
    "justfile",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "constraints.txt",
    ".gitignore",
    ".gitattributes",
    ".pre-commit-hooks.yaml",
    ".pre-commit-config.yaml",
}
ENTRIES = {
    "oneiric",
    "oneiric_compiler",
    "oneiric_compiler.__main__",
    "oneiric_compiler.child",
    "oneiric_compiler.cli",
    "oneiric_compiler.pages.__main__",
    "oneiric.flows.inline",
    "oneiric.profiles",
    "oneiric.flows.attempts",
    "oneiric.flows.interpreter",
    "oneiric.testing.contracts",
    "oneiric.testing.fixture",
}
"""What is imported or run from outside: the packages, the command, `python -m` tools, the pytest plugin, contracts; the
layers, which settings name; and what generated modules import. Integrations are imported by applications."""

MACHINE = re.compile(
    rb"/(home|Users|root|work|opt)/[A-Za-z0-9_.-]+|/tmp/pytest-of-|[A-Za-z]:\\\\Users"
    rb"|(index-url|find-links|trusted-host)\s*[= ]"
    rb"|file:///[a-z]+/|https?://(localhost|[a-z0-9.-]*\.(internal|local|corp|lan))[:/][^\s'\"]*simple"
)


def committed() -> list[str]:
    """The files that are, or would be, committed."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(git, cwd=CHECKOUT, capture_output=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [name for name in done.stdout.decode().split("\0") if name and (CHECKOUT / name).is_file()]


def modules() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for root in ("compiler", "runtime"):
        for path in (CHECKOUT / root).rglob("*.py"):
            parts = path.relative_to(CHECKOUT / root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def named(path: Path, known: dict[str, Path]) -> set[str]:
    """Modules that a file imports anywhere in it, or names in a text such as `module:Class`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value.partition(":")[0])
    return {
        ".".join(parts[:n]) for parts in (each.split(".") for each in found) for n in range(1, len(parts) + 1)
    } & set(known)


def built_ins(known: dict[str, Path]) -> set[str]:
    """Modules that the compiler reads `@component` from: a wiring imports them."""
    return {name for name, path in known.items() if is_builtin(name) and "@component" in path.read_text()}


def test_top_level_folders_and_files_are_those_of_the_design() -> None:
    names = committed()
    assert {name.partition("/")[0] for name in names if "/" in name} <= FOLDERS
    assert {name for name in names if "/" not in name} <= FILES


def test_every_module_is_reached() -> None:
    known = modules()
    named_by_users = {name for name in known if re.fullmatch(r"oneiric\.(layers|integrations)\.[a-z]\w*", name)}
    commands = {f"oneiric_compiler.cli.{command.module}" for command in COMMANDS.values()}
    pending = list(ENTRIES | built_ins(known) | named_by_users | commands)
    reached: set[str] = set()
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending.extend({*named(known[name], known), *({name.rpartition(".")[0]} & set(known))})
    assert set(known) - reached == set()


def test_entries_are_there() -> None:
    assert set(modules()) >= ENTRIES


def test_source_roots_hold_one_package_each() -> None:
    assert [path.name for path in (CHECKOUT / "compiler").iterdir() if path.name != "__pycache__"] == [
        "oneiric_compiler"
    ]
    assert [path.name for path in (CHECKOUT / "runtime").iterdir() if path.name != "__pycache__"] == ["oneiric"]


def test_nothing_committed_names_a_machine() -> None:
    found = {
        name: match[0]
        for name in committed()
        if name != Path(__file__).relative_to(CHECKOUT).as_posix()
        and (match := MACHINE.search((CHECKOUT / name).read_bytes()))
    }
    assert found == {}


def test_each_change_is_named_for_what_it_is_about_and_by_no_number() -> None:
    wanted = r"\+[a-z]+(-[a-z0-9]+)*\.(added|changed|fixed|removed)\.md"
    names = [path.name for path in (CHECKOUT / "changes").iterdir()]
    assert [name for name in names if not re.fullmatch(wanted, name)] == []


def test_nothing_committed_is_a_build_product() -> None:
    assert [name for name in committed() if re.search(r"\.(pyc|whl|gz|so|egg-info|db|sqlite)$|__pycache__", name)] == []


def test_every_folder_of_snapshots_is_of_a_module_that_compares_with_them() -> None:
    """Where a folder's last such test went, syrupy looks for nothing there that is unused."""
    folders = {path.parent for path in (CHECKOUT / "tests").glob("**/__snapshots__/*/*")}
    modules = {folder.parents[1] / f"{folder.name}.py" for folder in folders}
    assert modules
    assert [path for path in modules if not path.is_file() or " == snapshot" not in path.read_text()] == []


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    """The contracts of the pyproject.toml in a folder, held against the two packages in it."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": f"{folder / 'compiler'}:{folder / 'runtime'}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_room_imports_only_those_below_it() -> None:
    done = linted(CHECKOUT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9]\d* kept, 0 broken", done.stdout)
    unmatched = re.findall(r"No matches for ignored import (\S+) -> ", done.stdout)
    missing = [root for root in ROOTS if not (CHECKOUT / "runtime" / root.replace(".", "/")).is_dir()]
    assert {each.removesuffix(".**") for each in unmatched} == set(missing), "exceptions that nothing needs"


@pytest.mark.parametrize(
    ("file", "added", "told"),
    [
        ("runtime/oneiric/errors.py", "import oneiric_compiler.text", "oneiric is not allowed to import"),
        (
            "compiler/oneiric_compiler/text/paint.py",
            "if TYPE_CHECKING:\n    from oneiric_compiler.model import Key",
            "oneiric_compiler.text is not allowed to import oneiric_compiler.model",
        ),
        (
            "compiler/oneiric_compiler/linking/graph.py",
            "def f():\n    import oneiric_compiler.stages.emit",
            "oneiric_compiler.linking is not allowed to import oneiric_compiler.stages",
        ),
        (
            "compiler/oneiric_compiler/verify/decisions.py",
            "from oneiric.report import Report",
            "oneiric_compiler.verify is not allowed to import oneiric",
        ),
        ("compiler/oneiric_compiler/attic.py", "", "attic"),
        ("runtime/oneiric/attic.py", "", "attic"),
        (
            "runtime/oneiric/tenants/idle.py",
            "if TYPE_CHECKING:\n    from oneiric.runtime import Runtime",
            "oneiric.tenants is not allowed to import oneiric.runtime",
        ),
        (
            "runtime/oneiric/lifecycle/steps.py",
            "def f():\n    from oneiric.reload import changes",
            "oneiric.lifecycle is not allowed to import oneiric.reload",
        ),
        ("runtime/oneiric/lines.py", "from oneiric import Secret", "oneiric.lines is not allowed to import oneiric."),
        ("runtime/oneiric/reload/outcome.py", "import oneiric.reload.changes", "cycle"),
        (
            "runtime/oneiric/adapters/cache/memory.py",
            "from oneiric.slot import Slot",
            "oneiric.adapters is not allowed to import oneiric.slot",
        ),
        (
            "runtime/oneiric/adapters/cache/memory.py",
            "from oneiric.adapters.storage.local import LocalStorage",
            "oneiric.adapters.cache is not allowed to import oneiric.adapters.storage",
        ),
    ],
    ids=[
        "one-way street",
        "type-only",
        "lazy",
        "second opinion",
        "a room on no floor",
        "runtime: a room on no floor",
        "runtime: type-only",
        "runtime: lazy",
        "runtime: by the package's names",
        "runtime: in a circle",
        "an adapter of the application",
        "an adapter of another",
    ],
)
def test_the_contracts_notice_a_breach(tmp_path: Path, file: str, added: str, told: str) -> None:
    for folder in ("compiler", "runtime"):
        shutil.copytree(CHECKOUT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    with (tmp_path / file).open("a") as breached:
        breached.write(f"\n{added}\n")
    done = linted(tmp_path)
    assert done.returncode == 1
    assert told in " ".join((done.stdout + done.stderr).split())


def test_built_in_components_take_of_the_package_what_users_declare_theirs_with() -> None:
    """The linter lets them import the package itself, whose names lead everywhere."""
    taken = {
        alias.name
        for root in ROOTS
        for path in (CHECKOUT / "runtime" / root.replace(".", "/")).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.module == "oneiric")
        for alias in node.names
        if isinstance(node, ast.ImportFrom) or alias.name == "oneiric"
    }
    assert taken == {"Application", "Secret", "component"}


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    wanted = {re.split(r"[\[<>=!~ ;]", text)[0].lower() for text in (*project["dependencies"], *extras)} - {"oneiric"}
    lines = [line for line in (CHECKOUT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = [re.fullmatch(r"([a-z0-9.-]+)==[0-9][0-9a-z.]*(; python_version .*)?", line) for line in lines]
    assert wanted <= {each[1] for each in pinned if each is not None}
    assert all(pinned)
