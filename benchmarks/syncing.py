"""A sync of a source that did not change, against a real HTTPS server on loopback: asked conditionally, not written."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.command import main
from benchmarks.manifests import COUNTS, write_manifest
from benchmarks.measure import answer, by_turns
from benchmarks.table import Row, Table
from tests.remote.mirror import Authority, serving

READY = """\
import asyncio, os, ssl, time
from pathlib import Path
import httpx
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.stages.read import read
from oneiric_compiler.remote.fetch import Fetcher
from oneiric_compiler.remote.status import Memory
from oneiric_compiler.remote.sync import sync
os.environ["SSL_CERT_FILE"] = {authority!r}
project = Project.at(Path.cwd(), os.environ)
settings = read(project, Diagnostics())
memory = Memory(project.root)

async def synced():
    async with memory.held(), Fetcher() as fetcher:
        remembered = memory.read()
        start = time.perf_counter()
        done = await sync(project, settings, fetcher, remembered, Diagnostics())
        taken = time.perf_counter() - start
        memory.write(remembered)
        assert done.ok
        return done, taken
"""
FIRST = "asyncio.run(synced())\n"
UNCHANGED = """\
done, taken = asyncio.run(synced())
assert done.results["acme"].outcome == "unchanged" and not done.changed
print(taken)
"""
REQUEST = """\
etag = memory.read().sources["acme"].etag
with httpx.Client() as client:
    start = time.perf_counter()
    assert client.get(settings.remote.sources[0].address, headers={"if-none-match": etag}).status_code == 304
    print(time.perf_counter() - start)
"""


def tables(short: bool) -> Iterator[Table]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        authority = Authority(Path(name))
        with serving(authority.context("localhost")) as mirror:
            for count in COUNTS[:1] if short else COUNTS:
                project = Path(name, str(count))
                (project / "settings").mkdir(parents=True)
                key = write_manifest(project / "acme.json", count)
                mirror.put(f"/{count}.json", (project / "acme.json").read_bytes())
                source = {
                    "name": "acme",
                    "address": mirror.url(f"/{count}.json"),
                    "keys": [key],
                    "caps": {"bytes": 2**25},
                }
                (project / "settings/app.yml").write_text("name: shop\n")
                (project / "settings/remote.yml").write_text(json.dumps({"sources": [source]}))
                ready = READY.format(authority=str(authority.certificate))
                answer(ready + FIRST, project)
                before = written(project)
                floor, taken = by_turns(
                    3 if short else 15,
                    lambda ready=ready, project=project: float(answer(ready + REQUEST, project)) * 1e3,
                    lambda ready=ready, project=project: float(answer(ready + UNCHANGED, project)) * 1e3,
                )
                assert written(project) == before
                rows.append(Row(f"{count:,} entries, nothing written", "ms", taken, floor, "total"))
    yield Table("Syncing an unchanged source", "the conditional request alone, over TLS on loopback", rows)


def written(project: Path) -> dict[str, int]:
    """When each pinned file was last written."""
    found = (project / "generated/manifests").rglob("*")
    return {os.path.relpath(path, project): path.stat().st_mtime_ns for path in found}


if __name__ == "__main__":
    main("syncing", tables)
