"""Every provider behind a network, in a compiled application: activation, swaps and missing SDKs."""

from __future__ import annotations

import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import oneiric
import pytest
from oneiric import ActivationError, Runtime
from oneiric.errors import AdapterError
from oneiric.testing.contracts.running import run

from tests.backends.application import compiled
from tests.backends.providers import PROVIDERS, Provider

CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0

each = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: f"{provider.key}-{provider.name}")


@pytest.fixture(name="port")
def a_port_without_server() -> Iterator[int]:
    """Bound and not listening, so that nobody else gets it meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(autouse=True)
def secret_in_the_environment(request: pytest.FixtureRequest, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    provider: Provider = request.node.callspec.params["provider"]
    monkeypatch.setenv("PROBE_SECRET", provider.secret.replace("PORT", str(port)))


@each
def test_what_cannot_be_reached_is_not_activated_and_says_why(provider: Provider, port: int, tmp_path: Path) -> None:
    async def main() -> None:
        wiring = oneiric.load(compiled(tmp_path, provider.key, provider.name, provider.settings(port)))
        async with Runtime(wiring) as runtime:
            slot = getattr(runtime.wiring.adapters, provider.key)
            for _ in range(2):
                with pytest.raises(ActivationError) as caught:
                    async with slot.lease():
                        pass
                error = caught.value
                assert (error.domain, error.key, error.provider, error.step) == (
                    "adapter",
                    provider.key,
                    provider.name,
                    "start",
                )
                cause = error.__cause__
                assert isinstance(cause, AdapterError)
                assert (cause.key, cause.provider, cause.setting) == (provider.key, provider.name, provider.blamed)
                assert cause.what in str(error)
                assert slot.state == "inactive"

    run(main())


@pytest.mark.parametrize(
    "provider", [each for each in PROVIDERS if each.embedded], ids=lambda provider: f"{provider.key}-{provider.name}"
)
def test_a_swap_to_what_cannot_be_reached_is_refused_and_the_old_one_stays(
    provider: Provider, port: int, tmp_path: Path
) -> None:
    async def main() -> None:
        old = compiled(tmp_path / "old", provider.key, None, {})
        new = compiled(tmp_path / "new", provider.key, provider.name, provider.settings(port))
        async with Runtime(oneiric.load(old)) as runtime:
            slot = getattr(runtime.wiring.adapters, provider.key)
            async with slot.lease() as served:
                pass
            outcome = await runtime.reload(new)
            assert not outcome.accepted
            assert outcome.code == "start"
            assert provider.blamed in str(outcome.reason)
            assert slot.current is served

    run(main())


WITHOUT = """
import asyncio, sys
import oneiric
from oneiric import Runtime
from oneiric.errors import MissingExtra

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == {sdk!r} or name.startswith({sdk!r} + "."):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())

async def main():
    async with Runtime(oneiric.load({wiring!r})) as runtime:
        try:
            async with runtime.wiring.adapters.{key}.lease():
                pass
        except MissingExtra as error:
            print(error.extra, error)

asyncio.run(main())
"""


@each
def test_without_its_sdk_it_names_the_extra_that_has_it(provider: Provider, port: int, tmp_path: Path) -> None:
    wiring = compiled(tmp_path, provider.key, provider.name, provider.settings(port))
    code = WITHOUT.format(sdk=provider.sdk, wiring=str(wiring), key=provider.key)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=True)
    extra = f"{provider.key}-{provider.name}"
    assert done.stdout.startswith(f"{extra} "), done.stdout + done.stderr
    assert "pip" not in done.stdout
    extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extra in extras
    assert extra in extras["dev"][0]


@each
def test_its_sdk_is_not_imported_before_it_is_activated(provider: Provider, port: int, tmp_path: Path) -> None:
    wiring = compiled(tmp_path, provider.key, provider.name, provider.settings(port))
    code = f"import sys, oneiric; oneiric.load({str(wiring)!r}); print({provider.sdk!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert done.stdout == "False\n"
