"""A compile killed at any moment leaves whole files, and either one of the two pairs or a state that check reports.

The long form: ONEIRIC_CRASH_ROUNDS=1000 (`just crash`).
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Outputs
from oneiric_compiler.stages.write import write
from small_project import compiled, make, outputs_of, set_fee, state, told

from tests.crashing import in_child, stop_at

pytestmark = pytest.mark.usefixtures("no_builtins")

ROUNDS = int(os.environ.get("ONEIRIC_CRASH_ROUNDS", "30"))
STEPS = ("mkstemp", "fsync", "replace", "unlink")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path)


def both(root: Path) -> tuple[Outputs, Outputs]:
    """The outputs of the settings as they are, with a tenant and fee 1, and after a change of both."""
    set_fee(root, 1)
    old = outputs_of(root)
    set_fee(root, 2)
    (root / "settings/tenants/acme.yml").write_text("")
    return old, outputs_of(root)


def wanted(outputs: Outputs) -> dict[str, bytes]:
    files = {f"{folder}/{name}": data for folder, named in outputs.profiles.values() for name, data in named.items()}
    return files | {f"{folder}/__init__.py": b"" for folder, _ in outputs.profiles.values()}


def assert_old_new_or_reported(root: Path, old: Outputs, new: Outputs) -> str:
    """What a crash left; the settings on disk are those of the new outputs."""
    found = {name: data for name, data in state(root).items() if not Path(name).name.startswith(".")}
    for name, data in found.items():
        assert data in (wanted(old).get(name), wanted(new).get(name)), f"{name} is torn"
    problems = told(root)
    if found == wanted(new):
        assert problems == {}
        return "new"
    assert problems
    return "old" if found == wanted(old) else "reported"


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_each_step(root: Path, step: str) -> None:
    old, new = both(root)
    seen = set()
    for count in range(1, 9):
        write(old, Diagnostics())

        def act(count: int = count) -> None:
            stop_at(step, count)
            write(new, Diagnostics())

        in_child(act)
        seen.add(assert_old_new_or_reported(root, old, new))
    if step == "replace":
        assert seen == {"old", "reported", "new"}
    assert told(compiled(root)) == {}


def test_a_crash_of_the_first_compile(root: Path) -> None:
    outputs = outputs_of(root)
    for count in range(1, 7):

        def act(count: int = count) -> None:
            stop_at("replace", count)
            write(outputs, Diagnostics())

        in_child(act)
        assert (told(root) == {}) == (state(root).keys() >= wanted(outputs).keys())
    assert told(compiled(root)) == {}


def test_kills_at_random_moments(root: Path) -> None:
    old, new = both(root)
    moments = random.Random(ROUNDS)
    seen: dict[str, int] = {}
    write(old, Diagnostics())
    longest = 0.02
    for _ in range(ROUNDS):
        write(old, Diagnostics())

        def act() -> None:
            for _ in range(1000):
                write(new, Diagnostics())
                write(old, Diagnostics())

        in_child(act, kill_after=moments.random() * longest)
        found = assert_old_new_or_reported(root, old, new)
        seen[found] = seen.get(found, 0) + 1
        for path in (root / "generated").rglob(".*"):
            path.unlink()
    print(f"after {ROUNDS} kills: {seen}", file=sys.stderr)
    assert told(compiled(root)) == {}
