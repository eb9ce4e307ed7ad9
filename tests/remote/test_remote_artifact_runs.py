"""From a signed manifest to code that runs: synced, compiled, signed, loaded, and of one version for a process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import Runtime, Trust

from tests.remote.project import Signer, Site, signed, with_module
from tests.unit.runtime.making import run
from tests.unit.runtime.signing import ONE, public

MODULE = """\
class Cache:
    def __init__(self, *, size: int = 1) -> None:
        self.size = size

    async def ping(self) -> str:
        return f"release {release} of size {{self.size}}"
"""
PORT = "from typing import Protocol\n\nclass Pings(Protocol):\n    async def ping(self) -> str: ...\n"


def publish(site: Site, signer: Signer, release: int) -> None:
    """A new version of the manifest and its module, fetched, accepted and compiled into a signed wiring."""
    module = MODULE.format(release=release).encode()
    vendor = site.root / "vendor"
    vendor.mkdir(exist_ok=True)
    (vendor / "acme_running.py").write_bytes(module)
    entry = with_module(module, "acme_running.py", key="greeting", factory="acme_running:Cache")
    (vendor / "acme.json").write_bytes(signed(signer, version=release, entries=[entry]))
    for command in (("remote-sync",), ("compile", "--sign", "release.key"), ("compile", "--check")):
        done = site.run(*command, apart=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv("ONEIRIC_ARTIFACTS", str(tmp_path / "store"))
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    site = Site(tmp_path / "project")
    (site.root / "settings/app.yml").write_text("name: shop\npackages: [ports_of_running]\n")
    (site.root / "settings/adapters.yml").write_text(
        "ports: {greeting: 'ports_of_running:Pings'}\nselections: {greeting: acme}\n"
        "provider_settings: {acme: {size: 7}}\n"
    )
    (site.root / "settings/tenants").mkdir()
    (site.root / "settings/tenants/big.yml").write_text("adapters: {provider_settings: {acme: {size: 70}}}\n")
    (site.root / "ports_of_running.py").write_text(PORT)
    (site.root / "release.key").write_text("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
    (site.root / "release.key").chmod(0o600)
    return site


def test_a_manifest_becomes_running_code_and_its_next_version_needs_a_restart(site: Site) -> None:
    signer = Signer()
    source = {"name": "acme", "address": "vendor/acme.json", "keys": [signer.public], "allow": ["acme_running"]}
    site.state(source, roots=["vendor"])
    publish(site, signer, 1)
    wiring = site.root / "generated/wiring.py"

    async def story() -> None:
        async with Runtime(
            oneiric.load(wiring, trust=Trust([public(ONE)])), state=site.root / ".oneiric/shop"
        ) as runtime:
            assert await ping(runtime) == "release 1 of size 7"
            assert await ping(runtime, "big") == "release 1 of size 70"
            before = runtime.generation
            publish(site, signer, 2)
            outcome = await runtime.reload()
            assert (outcome.code, outcome.generation) == ("restart-needed", before), outcome
            assert await ping(runtime, "big") == "release 1 of size 70"

    run(story(), within=60)


async def ping(runtime: Runtime[Any], tenant: str | None = None) -> str:
    said: str = await (await runtime.use("adapter", "greeting", tenant=tenant)).ping()
    return said
