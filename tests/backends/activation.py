"""Every provider behind a network, in a compiled application: activation, swaps and missing SDKs."""

from __future__ import annotations

import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import oneiric
import pytest
from oneiric import ActivationError, Runtime
from oneiric.errors import AdapterError
from oneiric.testing.contracts.running import run

from tests.backends.application import compiled

CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0


class Provider(NamedTuple):
    """`unreachable` are settings for a server that is not there, on `PORT`; `blamed` is the one its error names.

    `secret` is what the variable `PROBE_SECRET` of their references holds.
    """

    key: str
    name: str
    sdk: str
    blamed: str
    unreachable: dict[str, Any]
    secret: str = ""


class UnreachableCases:
    """Cases for a provider whose server is not there: subclass it and set `provider`, with no `sdk`."""

    provider: Provider

    @pytest.fixture(name="settings")
    def for_a_port_without_server(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
        """The port is bound and not listening, so that nobody else gets it meanwhile."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port: int = taken.getsockname()[1]
            monkeypatch.setenv("PROBE_SECRET", self.provider.secret.replace("PORT", str(port)))
            yield {name: _with_port(value, port) for name, value in self.provider.unreachable.items()}

    def test_what_cannot_be_reached_is_not_activated_and_says_why(
        self, settings: dict[str, Any], tmp_path: Path
    ) -> None:
        provider = self.provider

        async def main() -> None:
            wiring = oneiric.load(compiled(tmp_path, provider.key, provider.name, settings))
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


class ActivationCases(UnreachableCases):
    """The same for a provider with an SDK, which may not be there either."""

    def test_without_its_sdk_it_names_the_extra_that_has_it(self, settings: dict[str, Any], tmp_path: Path) -> None:
        provider = self.provider
        wiring = compiled(tmp_path, provider.key, provider.name, settings)
        code = WITHOUT.format(sdk=provider.sdk, wiring=str(wiring), key=provider.key)
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
        extra = f"{provider.key}-{provider.name}"
        assert done.stdout.startswith(f"{extra} "), done.stdout + done.stderr
        assert "pip" not in done.stdout
        extras = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert extra in extras

    def test_its_sdk_is_not_imported_before_it_is_activated(self, settings: dict[str, Any], tmp_path: Path) -> None:
        wiring = compiled(tmp_path, self.provider.key, self.provider.name, settings)
        code = f"import sys, oneiric; oneiric.load({str(wiring)!r}); print({self.provider.sdk!r} in sys.modules)"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True)
        assert done.stdout == "False\n"


class SwapCases(ActivationCases):
    """The same, and a case for a key that has a default to swap from."""

    def test_a_swap_to_what_cannot_be_reached_is_refused_and_the_old_one_stays(
        self, settings: dict[str, Any], tmp_path: Path
    ) -> None:
        provider = self.provider

        async def main() -> None:
            old = compiled(tmp_path / "old", provider.key, None, {})
            new = compiled(tmp_path / "new", provider.key, provider.name, settings)
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


def _with_port(value: Any, port: int) -> Any:
    if value == "PORT":
        return port
    if isinstance(value, list):
        return [_with_port(each, port) for each in value]
    return value.replace("PORT", str(port)) if isinstance(value, str) else value
