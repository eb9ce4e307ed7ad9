"""A sync that is killed, or finds no room, leaves the old state whole, or one that `--check` reports.

The long form: ONEIRIC_CRASH_ROUNDS=1000.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from oneiric_compiler.manifests.lock import Lock, parse_lock
from oneiric_compiler.remote import status
from oneiric_compiler.remote.status import Busy

from tests.crashing import in_child, stop_at
from tests.remote.project import DEADLINE, MAIN, Signer, Site, entry, sha256, signed, with_module

ROUNDS = int(os.environ.get("ONEIRIC_CRASH_ROUNDS", "25"))
EXPIRES = "2999-01-01T00:00:00Z"
SIGNER = Signer()


def module(version: int) -> bytes:
    return f"VERSION = {version}\n".encode()


def manifest(name: str, version: int) -> bytes:
    parts = with_module(module(version), "acme_parts.py") if name == "acme" else entry()
    return signed(SIGNER, source=name, version=version, entries=[parts], expires_at=EXPIRES)


def publish(site: Site, version: int) -> None:
    """Both sources at that version, and the artifact of one."""
    for name in ("acme", "beta"):
        (site.root / f"vendor/{name}.json").write_bytes(manifest(name, version))
    (site.root / "vendor/acme_parts.py").write_bytes(module(version))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Two sources in files, synced at version 1."""
    site = Site(tmp_path / "project")
    (site.root / "vendor").mkdir()
    stated = [{"name": name, "address": f"vendor/{name}.json", "keys": [SIGNER.public]} for name in ("acme", "beta")]
    site.state(*stated, roots=["vendor"])
    publish(site, 1)
    assert site.sync().ok
    return site


def whole(version: int) -> dict[str, bytes]:
    """What is pinned of a version, besides the lock."""
    manifests = {f"{name}.json": manifest(name, version) for name in ("acme", "beta")}
    return {**manifests, f"artifacts/{sha256(module(version))}.py": module(version)}


def versions(site: Site) -> dict[str, int | None]:
    return {name: pin.version for name, pin in site.lock().sources.items()}


def assert_whole_or_reported(site: Site, known: list[int]) -> str:
    """What a crash left: no file is torn, and whatever is not of one version is reported."""
    found = {name: data for name, data in site.pinned().items() if not name.startswith(".staging/")}
    for name, data in found.items():
        if name == "lock.json":
            parse_lock(data)
        else:
            assert data in [whole(version).get(name) for version in known], f"{name} is torn"
    if site.check():
        return "reported"
    (version,) = set(versions(site).values())
    assert version is not None
    assert found.items() >= whole(version).items()
    return f"{version}"


@pytest.mark.parametrize("step", ["replace", "fsync", "unlink"])
def test_a_crash_at_each_step(site: Site, step: str) -> None:
    seen = set()
    publish(site, 2)
    for count in range(1, 9):

        def act(count: int = count) -> None:
            stop_at(step, count)
            site.sync()

        in_child(act)
        seen.add(assert_whole_or_reported(site, [1, 2]))
        assert site.sync().ok
        assert site.check() == []
        assert sorted(site.pinned()) == sorted({**whole(2), "lock.json": b""})
        publish(site, 1)
        (site.root / "generated/manifests/lock.json").unlink()
        assert site.sync().ok
        publish(site, 2)
    assert seen >= {"replace": {"1", "reported", "2"}, "fsync": {"1", "2"}, "unlink": {"2"}}[step]


def test_kills_at_random_moments(site: Site) -> None:
    moments = random.Random(ROUNDS)
    seen: dict[str, int] = {}
    version = 1
    for _ in range(ROUNDS):
        first = version

        def act(first: int = first) -> None:
            for number in range(first + 1, first + 1000):
                publish(site, number)
                site.sync()

        in_child(act, kill_after=0.01 + moments.random() * 0.06)
        found = assert_whole_or_reported(site, list(range(first, first + 100)))
        kind = "reported" if found == "reported" else "whole"
        seen[kind] = seen.get(kind, 0) + 1
        version = max(number or 0 for number in versions(site).values()) + 1
        publish(site, version)
        assert site.sync().ok
        assert site.check() == []
    print(f"after {ROUNDS} kills: {seen}", file=sys.stderr)


@pytest.mark.parametrize("room", [0, 1, 300, 700])
def test_a_full_disk_is_told_and_leaves_what_was_there(site: Site, room: int) -> None:
    """`room` bytes fit into a file, as on a disk that has no more."""
    before = site.pinned()
    publish(site, 2)
    done = site.run("remote-sync", before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))
    assert done.returncode == 2
    assert "ONE501" in done.stderr
    assert site.pinned() == before
    assert site.check() == []


@pytest.mark.parametrize("link", ["generated/manifests", "generated/manifests/artifacts"])
def test_where_a_link_leads_nothing_is_written_or_removed(site: Site, link: str) -> None:
    """A checkout may hold links that its reader never made."""
    home = site.root.parent / "home"
    shutil.move(site.root / link, home)
    (home / "diary.txt").write_text("mine")
    (site.root / link).symlink_to(home)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    with pytest.raises(OSError, match="is a symbolic link"):
        site.pins.remove_unnamed(Lock())
    for version in (1, 2):
        publish(site, version)
        done = site.run("remote-sync")
        assert (done.returncode, "is a symbolic link" in done.stderr) == (2, True), done.stderr
        assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_a_link_in_the_place_of_what_is_staged_is_not_followed(site: Site) -> None:
    home = site.root.parent / "home"
    home.mkdir()
    (site.root / "generated/manifests/.staging").symlink_to(home)
    publish(site, 2)
    assert site.sync().ok
    assert list(home.iterdir()) == []
    assert site.check() == []


def test_a_folder_among_the_artifacts_is_left_alone(site: Site) -> None:
    (site.root / "generated/manifests/artifacts/notes").mkdir()
    publish(site, 2)
    assert site.run("remote-sync").returncode == 0
    assert site.check() == []


def test_a_pipe_in_a_manifests_place_is_not_waited_for(site: Site) -> None:
    before = site.pinned()
    os.unlink(site.root / "vendor/acme.json")
    os.mkfifo(site.root / "vendor/acme.json")
    done = site.run("remote-sync")
    assert (done.returncode, "ONE620" in done.stderr) == (1, True)
    assert site.pinned() == before


def test_syncs_at_once_take_turns(site: Site) -> None:
    publish(site, 2)
    command = [sys.executable, "-c", MAIN, "remote-sync"]
    running = [
        subprocess.Popen(command, cwd=site.root, env=site.environ, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for each in running:
        assert each.communicate(timeout=DEADLINE)[1] == ""
        assert each.returncode == 0
    assert site.check() == []
    assert versions(site) == {"acme": 2, "beta": 2}


def test_a_sync_that_hangs_is_not_waited_for_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "LONGEST_WAIT", 0.2)

    async def held() -> None:
        async with site.memory.held():
            with pytest.raises(Busy):
                async with site.memory.held():
                    raise AssertionError("both hold it")

    asyncio.run(held())


LOOK = '{"looked_at": "", "outcome": "", "failure": null, "etag": 5}'


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", *(f'{{"format": "oneiric.remote/1", "sources": {{"acme": {each}}}}}' for each in ("3", LOOK))],
)
def test_nothing_depends_on_what_is_remembered(site: Site, text: str) -> None:
    (site.root / ".oneiric/remote/sources.json").write_text(text)
    assert site.sync().ok
    assert json.loads((site.root / ".oneiric/remote/sources.json").read_text())["sources"].keys() == {"acme", "beta"}
