"""Signs and pins manifests for tests, and for the cases beside this module, with keys that are for nothing else.

    python -m tests.golden.signing

writes what the cases pin again: Ed25519 is deterministic, so the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from oneiric_compiler.manifests.document import canonical, parse
from oneiric_compiler.manifests.lock import Lock, Pin, PinnedArtifact, parse_lock, render_lock

HERE = Path(__file__).parent
KEYS = {name: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number, name in enumerate("abc", 1)}
PUBLIC = {name: base64.b64encode(key.public_key().public_bytes_raw()).decode() for name, key in KEYS.items()}
"""a: Acme's; b: Beta's; c: somebody else's."""
LONG = "2030-01-01T00:00:00Z"


def manifest(
    source: str, entries: Iterable[Mapping[str, Any]], *, by: str = "a", as_json: bool = False, **fields: Any
) -> bytes:
    """A manifest signed by the keys in `by`; a field that is None is left out."""
    stated = {"source": source, "version": 1, "expires_at": LONG, **fields, "entries": [dict(each) for each in entries]}
    document = {name: value for name, value in stated.items() if value is not None}
    signed = canonical(document)
    document["signatures"] = [
        {"signature": base64.b64encode(KEYS[name].sign(signed)).decode(), "algorithm": "ed25519"} for name in by
    ]
    text = json.dumps(document, indent=1) if as_json else yaml.safe_dump(document, sort_keys=False, width=200)
    return text.encode()


def pin(
    root: Path,
    name: str,
    data: bytes,
    artifacts: Mapping[str, bytes] | None = None,
    **facts: Any,
) -> None:
    """Pins bytes as a sync would have, had it accepted them; `facts` replace what the lock says then."""
    folder = root / "generated/manifests"
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    pinned: dict[str, PinnedArtifact] = {}
    for file, content in (artifacts or {}).items():
        place = f"artifacts/{digest(content)}{Path(file).suffix}"
        pinned[digest(content)] = PinnedArtifact(place, f"https://cdn.example/{file}", len(content))
        (folder / place).write_bytes(content)
    found = Pin(f"https://cdn.example/{name}.yaml", f"{name}.{_suffix(data)}", *_accepted(data), pinned)
    found = replace(found, **facts)
    (folder / found.file).write_bytes(data)
    lock = folder / "lock.json"
    known = parse_lock(lock.read_bytes()).sources if lock.exists() else {}
    lock.write_bytes(render_lock(Lock({**known, name: found})))


def entry(
    key: str, provider: str, factory: str, artifact: str = "", content: bytes = b"", **fields: Any
) -> dict[str, Any]:
    """An adapter's entry; with the name and content of an artifact, one that is in it."""
    named = {"uri": f"https://cdn.example/{artifact}", "sha256": digest(content)} if artifact else {}
    return {"domain": "adapter", "key": key, "provider": provider, "factory": factory, **named, **fields}


def wheel(name: str, version: str, files: Mapping[str, str]) -> tuple[str, bytes]:
    """A pure-Python wheel: its file name and its bytes, which are the same every time."""
    info = f"{name}-{version}.dist-info"
    facts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in {**files, **facts}.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}-{version}-py3-none-any.whl", packed.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _accepted(
    data: bytes,
) -> tuple[int | None, str, tuple[str, ...], datetime | None, datetime | None, datetime | None]:
    """What the lock says of a manifest: version, digest, signers, times."""
    document: dict[str, Any] = parse(data, max_bytes=len(data))
    signatures = {each["signature"] for each in document.get("signatures", ())}
    signed = canonical(document)
    signers = {PUBLIC[name] for name, key in KEYS.items() if base64.b64encode(key.sign(signed)).decode() in signatures}
    times = [document.get(name) for name in ("signed_at", "not_before", "expires_at")]
    signed_at, not_before, expires_at = (datetime.fromisoformat(time) if time else None for time in times)
    return document.get("version"), digest(data), tuple(sorted(signers)), signed_at, not_before, expires_at


def _suffix(data: bytes) -> str:
    return "json" if data.startswith(b"{") else "yaml"


# The cases ---------------------------------------------------------------------------------------------------

_PARTS = """
from __future__ import annotations

from enum import Enum


class Mode(Enum):
    FAST = "fast"
    SAFE = "safe"


class Postal:
    def __init__(self, *, sender: str = "shop", mode: Mode = Mode.SAFE) -> None:
        self.sender, self.mode = sender, mode

    async def send(self, to: str, text: str) -> bool:
        return True


async def pigeon(*, wings: int = 2) -> Postal:
    return Postal(sender=f"{wings} wings")
""".lstrip().encode()


def case_manifests(root: Path) -> None:
    named = ("acme_mail.py", _PARTS)
    entries = [
        entry("mail", "postal", "acme_mail:Postal", *named, port="manifests.ports:Mail", priority=90, stack_level=7),
        entry(
            "news",
            "postal",
            "acme_mail:Postal",
            *named,
            port="manifests.ports:Mail",
            capabilities=["bulk", {"name": "receipt", "description": "x"}],
        ),
        entry("flock", "pigeon", "acme_mail:pigeon", *named, eager=True, needs={"wings": "adapter:count"}),
        entry("mail", "later", "acme_mail:Postal", *named, python_version=">=3.14"),
        entry("mail", "unknown", "acme_mail:Postal", *named, requires=["nobody-knows>=1"]),
        entry("mail", "outside", "acme_other:Postal", stack_level=100),
        entry("shell", "outside", "subprocess:run"),
    ]
    data = manifest(
        "acme", entries, version=7, signed_at="2026-05-01T00:00:00Z", not_before="2026-05-02T00:00:00Z", by="ab"
    )
    pin(root, "acme", data, dict([named]))
    own = [
        entry("count", "three", "manifests.parts:three", stack_level=100),
        entry("mail", "lower", "manifests.parts:Lower"),
    ]
    pin(root, "beta", manifest("beta", own, by="b", version=None, expires_at=None, as_json=True))


def case_manifest_expires_soon(root: Path) -> None:
    pin(root, "acme", manifest("acme", [], expires_at="2026-06-14T00:00:00Z"))


def case_manifest_keys_elsewhere(root: Path) -> None:
    pin(root, "acme", manifest("acme", []))
    pin(root, "beta", manifest("beta", [], by="b"))


def case_manifest_spellings(root: Path) -> None:
    """As upstream and its users write entries, and what nothing serves yet."""
    named = ("acme_mail.py", _PARTS)
    entries = [
        entry("mail", "postal", "acme_mail: Postal", *named, os_platform=["freebsd", "linux"], timeout_seconds=5),
        entry("mail", "elsewhere", "acme_mail: Postal", *named, os_platform=["freebsd"], retry_policy={"attempts": 3}),
        entry("mail", "extras", "acme_mail:Postal", *named, requires=["oneiric[compiler]"], stack_level=-6),
        entry(
            "mail",
            "old",
            "acme_mail:Postal",
            *named,
            requires=["nobody-knows>=1; python_version < '3.9'"],
            stack_level=-7,
            retry_policy={"attempts": 1},
        ),
        entry("mail", "new", "acme_mail:Postal", *named, requires=["nobody-knows>=1; python_version >= '3.12'"]),
        entry("mail", "any", "acme_mail:Postal", *named, requires=["nobody-knows; platform_machine == 'arm64'"]),
        {
            **entry("placed", "mailer", "acme_mail:Postal", *named),
            "domain": "event",
            "event_topics": ["order.placed"],
            "event_filters": [{"path": "x", "equals": 1}, {"field": "y", "in": [1]}, {"field": "z", "value": None}],
            "side_effect_free": False,
        },
        {
            **entry("fulfil", "declared", "acme_mail:pigeon", *named),
            "domain": "workflow",
            "dag": {"tasks": [{"key": "reserve", "task": "reserve-stock"}]},
        },
    ]
    pin(root, "acme", manifest("acme", entries), dict([named]))


_FLOWS = """
from __future__ import annotations


class Extract:
    async def __call__(self, *, day: str, limit: int = 10) -> list[str]:
        return [day]


class Load:
    async def __call__(self, *, stage: str = "inventory") -> str:
        return stage


class Dispatch:
    async def __call__(self, *, event: dict[str, object]) -> None:
        return None
""".lstrip().encode()


def case_manifest_flows(root: Path) -> None:
    """Upstream's dags, handlers and retries, as workflows, subscriptions and calls of this project."""
    named = ("acme_flows.py", _FLOWS)
    policy = {"max_attempts": 3, "initial_delay": 0.2, "max_delay": 2.0, "backoff_jitter": 0.1}
    calls = {"retry_policy": policy, "timeout_seconds": 30}
    entries = [
        {**entry("extract", "acme", "acme_flows:Extract", *named, **calls), "domain": "task"},
        {**entry("load", "acme", "acme_flows: Load", *named), "domain": "task"},
        {
            **entry("pipeline", "acme", "acme_flows:Extract", *named),
            "domain": "workflow",
            "dag": {
                "nodes": [
                    {"id": "extract", "task": "extract"},
                    {"id": "load.it", "task": "load", "depends_on": ["extract"], "payload": {"stage": "${not} ours"}},
                    {"key": "mail", "task": "mail", "depends_on": ["extract"], "retry_policy": {"attempts": 2}},
                ],
                "retry_policy": {"attempts": 4, "base_delay": 1},
                "scheduler": {"provider": "cloudtasks"},
            },
        },
        {**entry("reach", "acme", "acme_flows:Load", *named), "domain": "workflow",
         "dag": {"tasks": [{"key": "pay", "task": "pay"}]}},
        {
            **entry("dispatch", "acme", "acme_flows:Dispatch", *named, **calls),
            "domain": "event",
            "event_topics": ["order.placed", "order.sent"],
            "event_filters": [
                {"path": "topic", "any_of": ["order.placed"]},
                {"path": "payload.region", "any_of": ["us", "ca"]},
                {"field": "express", "exists": True},
            ],
            "event_priority": 75,
            "event_max_concurrency": 10,
            "event_fanout_policy": "exclusive",
        },
        {
            **entry("spy", "acme", "acme_flows:Dispatch", *named),
            "domain": "event",
            "event_topics": ["payments"],
        },
    ]  # fmt: skip
    pin(root, "acme", manifest("acme", entries, as_json=True), dict([named]))


def case_bad_manifest_flows(root: Path) -> None:
    event = {**entry("placed", "p", "acme_flows:Dispatch"), "domain": "event"}
    workflow = {**entry("flow", "p", "acme_flows:Load"), "domain": "workflow"}
    told = {"event_topics": ["order.placed"]}
    nodes = [{"id": "a", "task": "t"}, {"id": "a", "task": "t"}, {"task": "t"}, {"id": "b"}, {"id": "c d", "task": "t"}]
    entries = [
        {**workflow, "dag": {"nodes": nodes}},
        {**workflow, "dag": {"nodes": nodes[:1], "tasks": nodes[:1]}},
        {**workflow, "dag": {"retry_policy": {"attempts": -1}, "nodes": [{"id": "a", "key": "b", "task": "t"}]}},
        {**event, "event_topics": ["or der"], "event_fanout_policy": "round_robin", "event_max_concurrency": 0},
        {**event, **told, "event_priority": 5000, "timeout_seconds": 0, "retry_policy": {"jitter": 2}},
        {**event, **told, "event_filters": [{"path": "x", "equls": 1}, {"path": "x"}, {"path": "x", "any_of": []}]},
        {**event, **told, "event_filters": [{"path": "a..b", "exists": True}, {"path": "topic", "equals": "other"}]},
        {**event, "event_filters": [{"path": "x", "exists": True}]},
    ]
    pin(root, "acme", manifest("acme", [{**each, "key": f"k{n}"} for n, each in enumerate(entries)], as_json=True))


def case_bad_manifest_reach(root: Path) -> None:
    """A workflow whose own task another component has taken over, and a handler whose topic is not declared."""
    named = ("acme_flows.py", _FLOWS)
    entries = [
        {**entry("load", "acme", "acme_flows:Load", *named), "domain": "task"},
        {
            **entry("pipeline", "acme", "acme_flows:Load", *named),
            "domain": "workflow",
            "dag": {
                "nodes": [
                    {"id": "load", "task": "load", "payload": {"stag": "x"}},
                    {"id": "again", "task": "load", "depends_on": ["lode"]},
                ]
            },
        },
        {**entry("dispatch", "acme", "acme_flows:Dispatch", *named), "domain": "event", "event_topics": ["order.gone"]},
        {
            **entry("filtered", "acme", "acme_flows:Dispatch", *named),
            "domain": "event",
            "event_topics": ["order.placed"],
            "event_filters": [{"path": "headers.trace_id", "exists": True}],
        },
    ]
    pin(root, "acme", manifest("acme", entries, as_json=True), dict([named]))


_ENTERED = """
from __future__ import annotations

from collections.abc import AsyncIterator, Iterator


class Postal:
    def __init__(self, sender: str) -> None:
        self.sender = sender

    async def send(self, to: str, text: str) -> bool:
        return True

    @classmethod
    def of(cls, *, sender: str = "shop") -> Postal:
        return cls(sender)

    @classmethod
    async def opened(cls) -> AsyncIterator[Postal]:
        yield cls("opened")


def entered(*, sender: str = "shop") -> Iterator[Postal]:
    yield Postal(sender)
""".lstrip().encode()


def case_manifest_factories(root: Path) -> None:
    """Methods of classes, factories that yield and such as never wait, in an artifact; and one that is installed."""
    named = ("acme_post.py", _ENTERED)
    entries = [
        entry("mail", "method", "acme_post:Postal.of", *named, blocking=False, port="manifest_factories.ports:Mail"),
        entry("news", "entered", "acme_post:entered", *named, port="manifest_factories.ports:Mail"),
        entry("post", "opened", "acme_post: Postal.opened", *named),
        entry("installed", "client", "acme_installed:Client.connect"),
    ]
    pin(root, "acme", manifest("acme", entries), dict([named]))


def case_bad_manifest_lock(root: Path) -> None:
    for name in ("address", "altered", "digest", "gone", "version"):
        pin(root, name, manifest(name, []))
    folder = root / "generated/manifests"
    pin(root, "address", manifest("address", []), address="https://elsewhere.example/address.yaml")
    pin(root, "version", manifest("version", []), version=2)
    (folder / "altered.yaml").write_bytes(manifest("altered", []) + b"# a comment is not signed\n")
    (folder / "gone.yaml").unlink()


def case_bad_manifest_lock_unreadable(root: Path) -> None:
    pin(root, "acme", manifest("acme", []))
    (root / "generated/manifests/lock.json").write_text('{"format": "oneiric.lock/2"}\n')


def case_bad_manifest_rejected(root: Path) -> None:
    pin(root, "expired", manifest("expired", [], expires_at="2026-06-01T00:00:00Z"))
    pin(root, "others_key", manifest("others_key", [], by="c"), signers=(PUBLIC["c"],))
    pin(root, "others_manifest", manifest("acme", []))
    pin(root, "too_few", manifest("too_few", [], by="a"))
    pin(root, "unversioned", manifest("unversioned", [], version=None))
    pin(root, "not_yet", manifest("not_yet", [], not_before="2026-06-02T00:00:00Z"))
    pin(root, "many", manifest("many", [entry("mail", str(n), "acme:Mail") for n in range(3)]))


def case_bad_manifest_entries(root: Path) -> None:
    entries = [
        {"domain": "adapter", "key": "mail", "provider": "good", "factory": "acme_mail:Postal"},
        {**entry("mail", "undigested", "acme_mail:Postal"), "uri": "https://cdn.example/acme_mail.py"},
        {**entry("mail", "unaddressed", "acme_mail:Postal"), "sha256": "0" * 64},
        {**entry("mail", "binary", "acme_mail:Postal"), "uri": "https://cdn.example/acme.tar.gz", "sha256": "0" * 64},
        {
            **entry("mail", "types", "acme_mail:Postal"),
            "priority": "high",
            "capabilities": ["x", 3],
            "os_platform": [],
        },
        {**entry("mail", "bounds", "acme_mail:Postal"), "priority": 1001, "stack_level": 2.5},
        {
            **entry("mail", "versions", "acme_mail:Postal"),
            "python_version": "new",
            "requires": ["x @ https://cdn.example/x.whl"],
        },
        {"key": "../mail", "provider": "names", "factory": "os.system"},
    ]
    pin(root, "acme", manifest("acme", entries))
    pin(root, "beta", manifest("beta", [{**entry("mail", "strange", "shop.parts:Mail"), "domain": "adaptor"}]))


def case_bad_manifest_artifacts(root: Path) -> None:
    named = ("acme_mail.py", _PARTS)
    other = ("acme_mail.py", _PARTS + b"# another\n")
    entries = [
        entry("mail", "altered", "acme_mail:Postal", *named),
        entry("mail", "missing", "acme_gone:Postal", "acme_gone.py", b"never pinned"),
        entry("mail", "posing", "oneiric:Runtime", "oneiric.py", b"class Runtime: ..."),
    ]
    artifacts = {**dict([named]), "oneiric.py": b"class Runtime: ..."}
    pin(root, "acme", manifest("acme", entries), artifacts)
    folder = root / "generated/manifests/artifacts"
    (folder / f"{digest(_PARTS)}.py").write_bytes(other[1])


def case_bad_manifest_modules(root: Path) -> None:
    named, other = ("acme_mail.py", _PARTS), ("acme_mail.py", _PARTS + b"# another\n")
    pin(root, "acme", manifest("acme", [entry("mail", "one", "acme_mail:Postal", *named)]), dict([named]))
    pin(root, "beta", manifest("beta", [entry("mail", "two", "acme_mail:Postal", *other)]), dict([other]))
    mine = ("shop.py", b"class Mail: ...\n")
    pin(root, "gamma", manifest("gamma", [entry("mail", "three", "shop:Mail", *mine)]), dict([mine]))


def case_bad_manifest_factories(root: Path) -> None:
    named = ("acme_mail.py", _PARTS)
    entries = [
        entry("mail", "good", "acme_mail:Postal", *named),
        entry("mail", "no_class", "acme_mail:Nobody", *named),
        entry("mail", "no_module", "acme_none:Postal"),
        entry("mail", "unnamed", "acme_mail:Postal"),
        entry("mail", "elsewhere", "acme_none:Postal", *named),
    ]
    pin(root, "acme", manifest("acme", entries), dict([named]))


def case_bad_manifest_factories_named(root: Path) -> None:
    named = ("acme_post.py", _ENTERED)
    entries = [
        entry("mail", "no_method", "acme_post:Postal.off", *named),
        entry("mail", "of_instances", "acme_post:Postal.send", *named),
        entry("mail", "no_class", "acme_post:entered.of", *named),
        entry("mail", "not_installed", "acme_gone:Postal.of"),
    ]
    pin(root, "acme", manifest("acme", entries), dict([named]))


def write_cases() -> None:
    for name, write in sorted(globals().items()):
        if name.startswith("case_"):
            root = HERE / name.removeprefix("case_")
            shutil.rmtree(root / "generated", ignore_errors=True)
            write(root)


if __name__ == "__main__":
    write_cases()
