"""Branches that edit different keys merge, and the merge is fresh; what comes or goes side by side conflicts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from oneiric_compiler.checking import check
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project

from tests.builtins import NONE, builtins_below
from tests.repository.repositories import KEYS, NEW, Section, Shop, committed, compiled, git, made, put
from tests.unit.cli.running import run

Edit: TypeAlias = Callable[[Shop], object]

SHOP = Shop()
CHANGES: dict[str, Callable[[str], Edit]] = {
    "select": lambda key: lambda shop: shop.base.selections.update({key: "two"}),
    "set": lambda key: lambda shop: shop.base.sizes.update({key: 5}),
    "select in the profile": lambda key: lambda shop: shop.production.selections.update({key: "two"}),
    "select for a tenant": lambda key: lambda shop: shop.tenants["acme"].selections.update({key: "one"}),
    "set for a tenant": lambda key: lambda shop: shop.tenants["zeta"].sizes.update({key: 7}),
}


def remove(key: str) -> Edit:
    def edit(shop: Shop) -> None:
        shop.keys.remove(key)
        for section in shop.tenants.values():
            section.selections.pop(key, None)

    return edit


def add(key: str) -> Edit:
    return lambda shop: shop.keys.add(key)


def add_tenant(name: str, key: str) -> Edit:
    return lambda shop: shop.tenants.update({name: Section({key: "own"})})


STAYING = {f"{name} {key}": (key, change(key)) for name, change in CHANGES.items() for key in KEYS}
COMING_AND_GOING = {
    **{f"remove {key}": (key, remove(key)) for key in KEYS},
    **{f"add {key}": (key, add(key)) for key in NEW},
    "tenant beta of kb": ("kb", add_tenant("beta", "kb")),
    "tenant gamma of kc": ("kc", add_tenant("gamma", "kc")),
}
EDITS = {**STAYING, **COMING_AND_GOING}
MERGED = ("explain.json", "wiring.py")


def side_by_side(one: str, other: str) -> bool:
    """Whether both come or go with nothing that stays between them."""
    if one.startswith("tenant") or other.startswith("tenant"):
        return one.startswith("tenant") and other.startswith("tenant")
    names = sorted((one.split()[-1], other.split()[-1]))
    return not [key for key in KEYS if names[0] < key < names[1]]


CONFLICTING = {pair for pair in itertools.combinations(COMING_AND_GOING, 2) if side_by_side(*pair)}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, bytes]]:
    """Compiles the shop with some edits made, without built-ins; the outputs by path."""
    root = tmp_path_factory.mktemp("edited")

    def outputs(*names: str) -> dict[str, bytes]:
        put(root, SHOP.edited(*(EDITS[name][1] for name in names)).files())
        with builtins_below(NONE):
            profiles = compiled(root).profiles.values()
        return {f"{folder}/{name}": files[name] for folder, files in profiles for name in MERGED}

    return outputs


def test_edits_of_keys_near_each_other_merge_to_what_both_compile_to(
    outputs: Callable[..., dict[str, bytes]], tmp_path: Path
) -> None:
    base, edited = outputs(), {name: outputs(name) for name in EDITS}
    order = sorted((*KEYS, *NEW))
    place = {name: order.index(key) for name, (key, _) in EDITS.items()}
    pairs = [pair for pair in itertools.combinations(EDITS, 2) if 0 < abs(place[pair[0]] - place[pair[1]]) <= 2]
    assert len(pairs) > 150
    for one, other in (pair for pair in pairs if pair not in CONFLICTING):
        merged = {path: merge(tmp_path, edited[one][path], base[path], edited[other][path]) for path in base}
        assert merged == outputs(one, other), f"{one} and {other}"


def test_what_comes_or_goes_side_by_side_is_a_conflict_that_git_shows(
    outputs: Callable[..., dict[str, bytes]], tmp_path: Path
) -> None:
    base, one, other = outputs(), outputs("add kab"), outputs("add kac")
    path = "generated/wiring.py"
    assert merge(tmp_path, one[path], base[path], other[path]) is None


def merge(folder: Path, ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
    """What git makes of the three; None for a conflict."""
    if base in (ours, theirs):
        return theirs if ours == base else ours
    for name, data in (("ours", ours), ("base", base), ("theirs", theirs)):
        (folder / name).write_bytes(data)
    done = git(folder, "merge-file", "-p", "ours", "base", "theirs")
    return done.stdout.encode() if done.returncode == 0 else None


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    made(root, SHOP)
    (root / ".gitignore").write_text("__pycache__/\n")
    git(root, "init")
    committed(root, "base")
    return root


def on_branches(root: Path, *edits: Edit) -> None:
    """Each edit on a branch of its own from main: `one`, `other`."""
    for name, edit in zip(("one", "other"), edits, strict=True):
        git(root, "checkout", "-q", "-b", name, "main")
        made(root, SHOP.edited(edit))
        committed(root, name)


BRANCHES: dict[str, tuple[Edit, Edit]] = {
    "selections of neighbours": (CHANGES["select"]("kb"), CHANGES["select in the profile"]("kc")),
    "a setting and a selection": (CHANGES["set"]("ka"), CHANGES["select"]("kb")),
    "new keys apart": (add("kab"), add("zz")),
    "a key that goes, a setting of its neighbour": (remove("ka"), CHANGES["set"]("kb")),
    "a new key, and a tenant's selection": (add("kbb"), CHANGES["set for a tenant"]("kd")),
    "two tenants": (CHANGES["select for a tenant"]("ka"), CHANGES["set for a tenant"]("kc")),
    "one tenant": (CHANGES["select for a tenant"]("ka"), CHANGES["select for a tenant"]("kc")),
    "a new tenant, another's selection": (add_tenant("zoo", "kc"), CHANGES["select for a tenant"]("kb")),
}


@pytest.mark.parametrize(("one", "other"), BRANCHES.values(), ids=BRANCHES)
def test_branches_merge_and_the_merge_is_fresh(repository: Path, one: Edit, other: Edit) -> None:
    on_branches(repository, one, other)
    merged = git(repository, "merge", "--no-edit", "one")
    assert merged.returncode == 0, merged.stdout
    assert git(repository, "diff", "--name-only", "main").stdout.count("generated/") >= 2
    diagnostics = Diagnostics()
    assert check(Project.at(repository, {}), diagnostics), [each.message for each in diagnostics]


SIDE_BY_SIDE: dict[str, tuple[Edit, Edit]] = {
    "new keys": (add("kab"), add("kac")),
    "new tenants": (add_tenant("beta", "ka"), add_tenant("gamma", "kc")),
    "lines of a tenant": (CHANGES["select for a tenant"]("ka"), CHANGES["select for a tenant"]("kb")),
}


@pytest.mark.parametrize(("one", "other"), SIDE_BY_SIDE.values(), ids=SIDE_BY_SIDE)
def test_a_conflict_in_the_outputs_is_settled_by_compiling(repository: Path, one: Edit, other: Edit) -> None:
    on_branches(repository, one, other)
    merged = git(repository, "merge", "--no-edit", "one")
    assert merged.returncode == 1
    conflicts = git(repository, "diff", "--name-only", "--diff-filter=U").stdout.split()
    assert conflicts
    assert all(path.startswith("generated/") for path in conflicts), "the settings themselves merge"
    if "generated/explain.json" in conflicts:
        assert "holds a merge conflict" in run("verify", cwd=repository).stderr
    assert run("compile", cwd=repository).returncode == 0
    committed(repository, "merged")
    assert run("compile", "--check", cwd=repository).stdout == "fresh\n"
    assert run("verify", cwd=repository).returncode == 0


def test_edits_that_meet_without_touching_are_noticed(repository: Path) -> None:
    """A tenant has an instance of its own of whatever needs a key that it overrides."""
    on_branches(repository, lambda shop: shop.needing_ka.add("kd"), CHANGES["set for a tenant"]("ka"))
    merged = git(repository, "merge", "--no-edit", "one")
    assert merged.returncode == 0, merged.stdout
    assert run("compile", "--check", cwd=repository).returncode == 1
    assert run("compile", cwd=repository).returncode == 0
    assert run("compile", "--check", cwd=repository).stdout == "fresh\n"
