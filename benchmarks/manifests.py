"""Verifying a manifest in a fresh process: time and memory by the number of entries, in JSON and in YAML."""

from __future__ import annotations

import json
import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.command import main
from benchmarks.measure import answer, by_turns, child
from benchmarks.table import Row, Table

COUNTS = (1_000, 10_000)

READ = """\
import gc, time
from datetime import UTC, datetime
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from oneiric_compiler.manifests.verify import Policy, verify
data = Path({file!r}).read_bytes()
policy = Policy(keys=({key!r},), now=datetime.now(UTC), source="acme", max_bytes=2**25, max_entries={count})
"""
VERIFY = "verify(data, policy)\n"
TIMED = """\
verify(data, policy)
gc.collect()
start = time.perf_counter()
verify(data, policy)
print(time.perf_counter() - start)
"""
FLOOR = """\
import json, yaml
load = json.loads if {file!r}.endswith(".json") else lambda text: sum(1 for _ in yaml.parse(text, Loader=yaml.CLoader))
load(data)
gc.collect()
start = time.perf_counter()
load(data)
print(time.perf_counter() - start)
"""


def tables(short: bool) -> Iterator[Table]:
    rows: list[Row] = []
    rounds = 3 if short else 15
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in COUNTS[:1] if short else COUNTS:
            for form in ("json", "yaml"):
                key = _written(folder / f"{count}.{form}", count)
                read = READ.format(file=f"{count}.{form}", key=key, count=count)
                rows += _rows(folder, f"{count:,} entries, {form.upper()}", read, f"{count}.{form}", rounds)
    yield Table(
        "Verifying a manifest",
        "time: the parser alone (`json.loads`, events of libyaml); memory: a process that only reads the file",
        rows,
    )


def _written(path: Path, count: int) -> str:
    """The same in a process of its own: what this one once held would count as memory of its children."""
    code = "from pathlib import Path; from benchmarks.manifests import write_manifest as write\n"
    return answer(f"{code}print(write(Path({str(path)!r}), {count}))", Path(__file__).parent.parent).strip()


def write_manifest(path: Path, count: int, artifact: Mapping[str, str] | None = None) -> str:
    """A signed manifest of so many entries, all in one `artifact` if given; the public key of its signer."""
    import yaml
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from oneiric_compiler.manifests.document import canonical

    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    entries = [{**_entry(number), **(artifact or {})} for number in range(count)]
    document: dict[str, Any] = {"source": "acme", "version": 1, "entries": entries}
    signature = b64encode(private.sign(canonical(document))).decode()
    signed = {**document, "signatures": [{"signature": signature, "algorithm": "ed25519"}]}
    if path.suffix == ".json":
        path.write_text(json.dumps(signed), "utf-8")
    else:
        path.write_text(yaml.dump(signed, Dumper=yaml.CSafeDumper, sort_keys=False), "utf-8")
    return b64encode(private.public_key().public_bytes_raw()).decode()


def _entry(number: int) -> dict[str, Any]:
    return {
        "domain": "adapter",
        "key": f"store-{number}",
        "provider": "acme",
        "factory": f"acme.stores.part_{number // 100}:Store{number}",
        "stack_level": number % 5,
        "capabilities": ["kv", {"name": "ttl", "description": "entries that end"}],
        "metadata": {"description": f"Store number {number}", "weight": number / 7},
    }


def _rows(folder: Path, what: str, read: str, file: str, rounds: int) -> Iterator[Row]:
    floor, verified = by_turns(
        rounds,
        lambda: float(answer(read + FLOOR.format(file=file), folder)) * 1e3,
        lambda: float(answer(read + TIMED, folder)) * 1e3,
    )
    yield Row(what, "ms", verified, floor, "total")
    empty, whole = by_turns(
        min(rounds, 5), lambda: child(["-c", read], folder), lambda: child(["-c", read + VERIFY], folder)
    )
    peaks = [[each.peak / 2**20 for each in found] for found in (whole, empty)]
    yield Row(f"{what}, peak memory", "MiB", peaks[0], peaks[1], "above")


if __name__ == "__main__":
    main("manifests", tables)
