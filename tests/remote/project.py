"""A project with manifest sources, and the signers of their manifests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.manifests.document import canonical
from oneiric_compiler.manifests.keys import new_seed, public_of, signature_of
from oneiric_compiler.manifests.lock import Lock
from oneiric_compiler.model import Project
from oneiric_compiler.remote.check import check
from oneiric_compiler.remote.fetch import Fetcher
from oneiric_compiler.remote.pins import Pins
from oneiric_compiler.remote.status import Memory, Remembered
from oneiric_compiler.remote.sync import Synced, sync
from oneiric_compiler.stages.read import read

from tests.remote.mirror import Mirror
from tests.unit.cli.running import check_document, run_apart, run_here

MAIN = "from oneiric_compiler.cli import main; main()"
DEADLINE = 60
MODULE = b"class Cache:\n    def ping(self) -> str:\n        return 'acme'\n"


class Signer:
    def __init__(self) -> None:
        self._seed = new_seed()
        self.public = base64.b64encode(public_of(self._seed)).decode()

    def signature(self, document: Mapping[str, Any]) -> str:
        return base64.b64encode(signature_of(self._seed, canonical(document))).decode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entry(key: str = "cache", **fields: Any) -> dict[str, Any]:
    return {"domain": "adapter", "key": key, "provider": "acme", "factory": "acme_parts:Cache", **fields}


def with_module(data: bytes = MODULE, uri: str = "acme_parts.py", **fields: Any) -> dict[str, Any]:
    """An entry whose factory is in a module at an address."""
    return entry(uri=uri, sha256=sha256(data), **fields)


def signed(*signers: Signer, source: str = "acme", version: int | None = 1, **fields: Any) -> bytes:
    """A manifest's bytes, good for an hour unless they say otherwise."""
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    document: dict[str, Any] = {"source": source, "version": version, "entries": [entry()], "expires_at": expires}
    document = {name: value for name, value in (document | fields).items() if value is not None}
    signatures = [{"signature": each.signature(document), "algorithm": "ed25519"} for each in signers]
    return json.dumps({**document, "signatures": signatures}).encode()


class Site:
    """The project in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {**os.environ}
        self.evaluated_at: datetime | None = None
        (root / "settings").mkdir(parents=True)
        (root / "settings/app.yml").write_text("name: shop\n")
        self.memory = Memory(root)
        self.pins = Pins(root, "generated")

    def state(self, *sources: Mapping[str, Any], **more: Any) -> None:
        """Write settings/remote.yml; JSON is YAML."""
        (self.root / "settings/remote.yml").write_text(json.dumps({**more, "sources": list(sources)}))

    def sync(self) -> Synced:
        """A sync in this process; what it told is in `told`."""
        return asyncio.run(self._sync())

    async def _sync(self) -> Synced:
        diagnostics = Diagnostics()
        project = replace(Project.at(self.root, self.environ), evaluated_at=self.evaluated_at)
        settings = read(project, diagnostics)
        assert settings is not None and not diagnostics.failed, [each.message for each in diagnostics]
        async with self.memory.held(), Fetcher() as fetcher:
            remembered = self.memory.read()
            synced = await sync(project, settings, fetcher, remembered, diagnostics)
            self.memory.write(remembered)
            if synced.ok:
                self.pins.remove_unnamed(synced.lock)
        self.told = list(diagnostics)
        assert not [each for each in self.told if not each.help]
        return synced

    @property
    def codes(self) -> list[str]:
        return sorted(each.code for each in self.told)

    def check(self) -> list[str]:
        """The codes of what does not match, told without a server."""
        diagnostics = Diagnostics()
        project = replace(Project.at(self.root, self.environ), evaluated_at=self.evaluated_at)
        settings = read(project, diagnostics)
        assert settings is not None
        check(project, settings, diagnostics)
        return sorted(each.code for each in diagnostics if each.severity == "error")

    def lock(self) -> Lock:
        return self.pins.lock()

    def remembered(self) -> Remembered:
        return self.memory.read()

    def pinned(self) -> dict[str, bytes]:
        """Every file that is pinned, staged ones too."""
        folder = self.root / "generated/manifests"
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    def run(
        self, *arguments: str, apart: bool = False, before: Callable[[], None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The command, as its users run it; in a process of its own where it is to be `apart`, or something is to
        happen in that `before`. It never shows a traceback."""
        environ = {**self.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        if apart or before is not None:
            done = run_apart(self.root, arguments, environ=environ, before=before)
        else:
            done = run_here(self.root, arguments, environ=environ)
        assert "Traceback" not in done.stderr, done.stderr
        check_document(arguments, done.stdout)
        return done


def source(mirror: Mirror, *signers: Signer, name: str = "acme", **more: Any) -> dict[str, Any]:
    keys = [each.public for each in signers]
    stated = {"name": name, "address": mirror.url(f"/{name}.json"), "keys": keys, "allow": ["acme_parts"]}
    return {**stated, "deadlines": {"total": 10, "minimum_rate": 1000}, **more}


def rejected(site: Site, rule: str, name: str = "acme") -> None:
    """A sync rejects that source by that rule, and leaves everything as it was."""
    before = site.pinned()
    synced = site.sync()
    assert (synced.results[name].outcome, synced.results[name].rule) == ("rejected", rule), synced.results[name].reason
    assert (synced.ok, synced.changed, "ONE622" in site.codes) == (False, False, True)
    assert site.pinned() == before
    failure = site.remembered().sources[name].failure
    assert failure and failure.rule == rule


def pinned_once(site: Site, mirror: Mirror, signer: Signer, **fields: Any) -> bytes:
    """Version 5 is pinned."""
    data = signed(signer, version=5, **fields)
    mirror.put("/acme.json", data)
    site.state(source(mirror, signer))
    assert site.sync().ok
    return data
