"""Files of the state folder that are not what was written: named, with what to do; no traceback, and no guess."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric.errors import StateError
from oneiric.reload.state import State
from oneiric.runtime import host_of
from oneiric.serve.folder import StateFolder
from oneiric.serve.notes import Notes
from oneiric.trust.signature import parse as parse_signature
from oneiric_compiler.manifests.lock import parse_lock

from tests.unit.serve.damage import WHOLE, Damage, documents
from tests.unit.serve.serving import Served, command, copy_project, until

STATE = Path(".oneiric/lab")


@pytest.fixture(scope="module")
def left(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose process was swapped, paused and ended: every file has something in it."""
    root = copy_project(made, tmp_path_factory.mktemp("left") / "lab")
    with Served(root) as served:
        served.swap("service:greeter", "loud")
        served.swap("service:greeter", "plain", tenant="acme")
        served.swap("service:greeter", "broken")
        served.note("pause", "service:lazy", "disks")
        served.note("drain", "service:lazy", "new disks")
    return root


@pytest.fixture
def stopped(left: Path, tmp_path: Path) -> Path:
    return copy_project(left, tmp_path / "lab")


@pytest.fixture(scope="module")
def host(made: Path) -> Any:
    return host_of(oneiric.Runtime(oneiric.load(made / "generated" / "wiring.py")))


def _record(root: Path, host: Any) -> None:
    state = State(root / STATE)
    try:
        record = state.open()
        for digest in () if record is None else record.digests():
            state.has(digest)
    finally:
        state.close()


def _notes(root: Path, host: Any) -> None:
    Notes(StateFolder(root / STATE), host, None, lambda: None)


READERS = {"current.json": _record, "notes.json": _notes}


def test_status_survives_every_document_in_the_place_of_the_snapshot(stopped: Path) -> None:
    snapshot = stopped / STATE / "status.json"
    tried = 0
    for what, data in documents(snapshot):
        snapshot.write_bytes(data)
        done = command(stopped, "status", code=None)
        if done.returncode == 2:
            assert "status.json cannot be used: " in done.stderr, what
            assert "remove it" in done.stderr
        tried += 1
    assert tried > 500


@pytest.mark.parametrize("damage", WHOLE.values(), ids=WHOLE)
def test_status_names_a_snapshot_that_is_something_else(stopped: Path, damage: Damage) -> None:
    damage(stopped / STATE / "status.json")
    told = command(stopped, "status", code=2)
    assert told.stdout == ""
    document = json.loads(command(stopped, "status", "--json", code=2).stdout)
    for message in (told.stderr, document["error"]["message"]):
        assert "status.json cannot be" in message
        assert "remove it" in message
    command(stopped, "health", code=1)
    command(stopped, "reload", code=2)


@pytest.mark.parametrize("file", READERS)
def test_every_document_is_read_or_is_a_state_error(stopped: Path, host: Any, file: str) -> None:
    path = stopped / STATE / file
    tried = 0
    for what, data in documents(path):
        path.write_bytes(data)
        try:
            READERS[file](stopped, host)
        except StateError as error:
            assert f"{file} cannot be used: " in str(error), what
            assert "remove it" in str(error)
        tried += 1
    assert tried > 90


@pytest.mark.parametrize("file", READERS)
@pytest.mark.parametrize("damage", WHOLE.values(), ids=WHOLE)
def test_a_file_that_is_something_else_is_a_state_error(stopped: Path, host: Any, file: str, damage: Damage) -> None:
    damage(stopped / STATE / file)
    with pytest.raises(StateError, match=f"{file} cannot be .*remove it"):
        READERS[file](stopped, host)


@pytest.mark.parametrize("file", READERS)
@pytest.mark.parametrize("damage", ["list", "deep", "directory", "fifo"])
def test_serve_does_not_start_on_a_file_that_is_something_else(stopped: Path, file: str, damage: str) -> None:
    WHOLE[damage](stopped / STATE / file)
    served = Served(stopped)
    assert served.wait() != 0
    assert f"{file} cannot be" in served.text()
    assert "Traceback" not in served.text()
    path = stopped / STATE / file
    _ = path.rmdir() if damage == "directory" else path.unlink()
    with Served(stopped) as again:
        assert again.state() == "running"


@pytest.mark.parametrize("damage", ["empty", "binary", "cut", "directory", "link to itself"])
@pytest.mark.parametrize("name", ["wiring.py", "explain.json", "tenants.jsonl", "overrides.json", "lock"])
def test_serve_starts_or_says_what_keeps_it(stopped: Path, name: str, damage: str) -> None:
    """What a generation consists of is known by its digest: of one that is not whole the swaps are compiled again. What
    cannot be written any more, or locked, keeps it from starting."""
    found = list((stopped / STATE).rglob(name))
    assert found
    for path in found:
        WHOLE[damage](path)
    served = Served(stopped)
    ended = until(lambda: served.runs() or served.process.poll())
    if ended is True:
        with served:
            assert served.state() == "running"
    else:
        assert ended == 2
        assert f"{name}: " in served.text()
    assert "Traceback" not in served.text()


@pytest.mark.parametrize("end", [20, -1])
def test_bytecode_that_is_not_whole_is_left_out(stopped: Path, end: int) -> None:
    command(stopped, "compile")
    wiring = stopped / "generated" / "wiring.py"
    (cached,) = wiring.parent.glob("__pycache__/wiring.*.pyc")
    cached.write_bytes(cached.read_bytes()[:end])
    assert oneiric.load(wiring).__app__ == "lab"


def test_a_running_process_does_not_read_what_it_wrote(stopped: Path) -> None:
    with Served(stopped) as served:
        for file in ("status.json", *READERS):
            WHOLE["deep"](stopped / STATE / file)
        assert command(stopped, "status").stdout.startswith("lab running")
        command(stopped, "swap", "service:greeter", "loud")
        until(lambda: served.heard() == "HELLO")


DIGEST, KEY = "a" * 64, "A" * 43 + "="
LOCK = {
    "format": "oneiric.lock/1",
    "sources": {
        "acme": {
            "address": "https://cdn.example/acme.yaml",
            "file": "acme.yaml",
            "version": 1,
            "digest": DIGEST,
            "signers": [KEY],
            "signed_at": "2026-01-01T00:00:00Z",
            "not_before": None,
            "expires_at": None,
            "artifacts": {DIGEST: {"file": f"artifacts/{DIGEST}.py", "uri": "acme.py", "size": 3}},
        }
    },
}
SIGNATURE = {
    "format": "oneiric.signature/1",
    "app": "lab",
    "profile": "default",
    "generation": DIGEST,
    "signatures": [{"key": KEY, "signature": "B" * 86 + "=="}],
}


@pytest.mark.parametrize(
    ("whole", "read"),
    [(LOCK, lambda data: parse_lock(data)), (SIGNATURE, lambda data: parse_signature(data).by(b"\1" * 32))],
    ids=["lock.json", "wiring.sig"],
)
def test_every_document_in_the_place_of_a_lock_or_signature_is_read_or_refused(
    tmp_path: Path, whole: object, read: Callable[[bytes], object]
) -> None:
    path = tmp_path / "file"
    path.write_text(json.dumps(whole))
    read(path.read_bytes())
    tried = 0
    others = [data for _, data in documents(path)]
    for damage in ("empty", "binary", "utf-16", "null", "deep", "deep, whole", "digits", "not a number", "huge"):
        path.write_text(json.dumps(whole))
        WHOLE[damage](path)
        others.append(path.read_bytes())
    for data in others:
        with suppress(ValueError):  # `LockError`, or what is told as a `TrustError`
            read(data)
        tried += 1
    assert tried > 100
