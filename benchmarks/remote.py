"""`oneiric compile` of pinned manifests in a fresh process: time and memory by the number of remote entries."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from benchmarks.command import main
from benchmarks.manifests import COUNTS, READ, VERIFY, write_manifest
from benchmarks.measure import answer, by_turns, child
from benchmarks.projects import compile_project
from benchmarks.table import Row, Table

WHEEL = "acme-1.0-py3-none-any.whl"
_STORE = """\
class Store{number}:
    def __init__(self, *, url: str = "store://localhost/{number}", timeout: float = 5.0, size: int = 1) -> None:
        self.url, self.timeout, self.size = url, timeout, size

    async def get(self, key: str) -> bytes | None:
        return None


"""
_INFO = {
    "acme-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n",
    "acme-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "acme-1.0.dist-info/RECORD": "",
}


def tables(short: bool) -> Iterator[Table]:
    with tempfile.TemporaryDirectory() as name:
        counts = COUNTS[:1] if short else COUNTS
        rows = [row for count in counts for row in _rows(Path(name, str(count)), count, 3 if short else 7)]
    yield Table("`oneiric compile` of pinned manifests", "a process that verifies the same manifest", rows)


def _rows(folder: Path, count: int, rounds: int) -> Iterator[Row]:
    """The project is written by a process of its own: what this one held would count as memory of its children."""
    code = "from pathlib import Path; from benchmarks.remote import write_project as write\n"
    key = answer(f"{code}print(write(Path({str(folder)!r}), {count}))", Path(__file__).parent.parent).strip()
    read = READ.format(file="generated/manifests/acme.json", key=key, count=count) + VERIFY
    verified, compiled = by_turns(rounds, lambda: child(["-c", read], folder), lambda: compile_project(folder))
    what = f"{count:,} remote entries, one wheel"
    yield Row(what, "s", [each.wall for each in compiled], [each.wall for each in verified], "total")
    peaks = [[each.peak / 2**20 for each in found] for found in (compiled, verified)]
    yield Row(f"{what}, peak memory", "MiB", peaks[0], peaks[1], "above")


def write_project(folder: Path, count: int) -> str:
    """A project with one source, which offers so many entries in one wheel; the public key of its signer."""
    from oneiric_compiler.manifests.lock import Lock, Pin, PinnedArtifact, render_lock

    wheel = _wheel(count)
    digest = sha256(wheel).hexdigest()
    pinned = folder / "generated/manifests"
    (pinned / "artifacts").mkdir(parents=True)
    (pinned / f"artifacts/{digest}.whl").write_bytes(wheel)
    uri = f"https://cdn.example/{WHEEL}"
    key = write_manifest(pinned / "acme.json", count, artifact={"uri": uri, "sha256": digest})
    manifest = sha256((pinned / "acme.json").read_bytes()).hexdigest()
    artifacts = {digest: PinnedArtifact(f"artifacts/{digest}.whl", uri, len(wheel))}
    pin = Pin("https://cdn.example/acme.json", "acme.json", 1, manifest, (key,), artifacts=artifacts)
    (pinned / "lock.json").write_bytes(render_lock(Lock({"acme": pin})))
    source = {"name": "acme", "address": pin.address, "keys": [key], "allow": ["acme"]}
    source["caps"] = {"bytes": 2**25, "entries": count}
    (folder / "settings").mkdir()
    (folder / "settings/app.yml").write_text("name: shop\n", "utf-8")
    (folder / "settings/remote.yml").write_text(json.dumps({"sources": [source]}), "utf-8")
    return key


def _wheel(count: int) -> bytes:
    modules = {"acme/__init__.py": "", "acme/stores/__init__.py": ""}
    for first in range(0, count, 100):
        numbers = range(first, min(first + 100, count))
        modules[f"acme/stores/part_{first // 100}.py"] = "".join(_STORE.format(number=number) for number in numbers)
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        for path, text in {**modules, **_INFO}.items():
            archive.writestr(path, text)
    return packed.getvalue()


if __name__ == "__main__":
    main("remote", tables)
