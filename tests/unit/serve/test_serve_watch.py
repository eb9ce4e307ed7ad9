"""Seeing a change of a wiring by its content: writes, renames, swapped links."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from oneiric.serve.watch import digest, folders, watch

from tests.unit.serve.serving import Served, select, until


def _mounted(root: Path) -> Path:
    """A folder as orchestrators mount configuration: a link to a link to a folder of one version."""
    for version in ("1", "2"):
        (root / f"..{version}").mkdir(parents=True)
        (root / f"..{version}" / "wiring.py").write_text(f"version = {version}\n")
    (root / "..data").symlink_to("..1")
    (root / "wiring.py").symlink_to("..data/wiring.py")
    return root / "wiring.py"


def _released(root: Path) -> Path:
    """A wiring below a link to the current release."""
    for version in ("1", "2"):
        (root / version / "generated").mkdir(parents=True)
        (root / version / "generated" / "wiring.py").write_text(f"version = {version}\n")
    (root / "current").symlink_to("1")
    return root / "current" / "generated" / "wiring.py"


def _link(path: Path, target: str) -> None:
    part = path.with_name("part")
    part.symlink_to(target)
    os.replace(part, path)


def _write(path: Path, text: str) -> None:
    part = path.with_name("part")
    part.write_text(text)
    os.replace(part, path)


def _changes(wiring: Path, *acts: Callable[[], object]) -> int:
    """How many changes are seen, each act done once those before were; the last act is the last that is seen."""

    async def seen() -> int:
        count = 0
        change = asyncio.Event()

        async def changed() -> None:
            nonlocal count
            count += 1
            change.set()

        watching = asyncio.create_task(watch(wiring, digest(wiring), changed))
        try:
            for act in acts:
                change.clear()
                act()
                async with asyncio.timeout(20):
                    await change.wait()
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            assert watching.cancelled()
        return count

    return asyncio.run(seen())


def test_a_rename_is_one_change(tmp_path: Path) -> None:
    wiring = tmp_path / "wiring.py"
    wiring.write_text("version = 1\n")
    acts = [lambda: _write(wiring, "version = 2\n"), lambda: _write(wiring, "version = 3\n")]
    assert _changes(wiring, *acts) == 2


def test_the_tenants_count(tmp_path: Path) -> None:
    wiring = tmp_path / "wiring.py"
    wiring.write_text("version = 1\n")
    assert _changes(wiring, lambda: _write(tmp_path / "tenants.jsonl", "{}\n")) == 1


@pytest.mark.parametrize("make", [_mounted, _released])
def test_a_swapped_link_is_a_change(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    wiring = make(tmp_path)
    name, first, second = ("..data", "..1", "..2") if make is _mounted else ("current", "1", "2")
    there = lambda: _link(tmp_path / name, second)  # noqa: E731
    back = lambda: _link(tmp_path / name, first)  # noqa: E731
    assert _changes(wiring, there, back, there) == 3


def test_the_same_content_is_no_change(tmp_path: Path) -> None:
    wiring = tmp_path / "wiring.py"
    wiring.write_text("version = 1\n")

    def touch_then_change() -> None:
        for _ in range(3):
            _write(wiring, "version = 1\n")
        _write(tmp_path / "explain.json", "{}")
        _write(wiring, "version = 2\n")

    assert _changes(wiring, touch_then_change) == 1


def test_a_wiring_that_goes_away_and_comes_back_is_one_change(tmp_path: Path) -> None:
    wiring = tmp_path / "wiring.py"
    wiring.write_text("version = 1\n")

    def replace() -> None:
        wiring.unlink()
        wiring.write_text("version = 2\n")

    assert _changes(wiring, replace) == 1


def test_every_folder_where_a_link_could_be_swapped_is_watched(tmp_path: Path) -> None:
    real = tmp_path.resolve()
    (tmp_path / "mount").mkdir()
    (tmp_path / "releases").mkdir()
    assert folders(_mounted(tmp_path / "mount")) >= {real / "mount", real / "mount" / "..1"}
    found = folders(_released(tmp_path / "releases"))
    assert found >= {real / "releases", real / "releases" / "1" / "generated"}


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert tmp_path.resolve() in folders(tmp_path / "a" / "wiring.py")
    assert digest(tmp_path / "a" / "wiring.py") is None


def test_a_process_that_watches_takes_over_what_is_compiled(project: Path) -> None:
    with Served(project, "--watch") as served:
        until(lambda: served.heard() == "hello")
        select(project, "loud")
        until(lambda: served.heard() == "HELLO")
        assert until(lambda: served.events("reload accepted"))[0]["by"] == "--watch"
        assert not (project / "failures").exists()
