"""Secrets in a keyring: the contract on one that is a file, and what is its own."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.core import load_keyring
from oneiric.adapters.secrets import (
    SecretNotFound,
    Secrets,
    SecretsError,
    SecretsMisconfigured,
    SecretsRefused,
    SecretsUnavailable,
)
from oneiric.adapters.secrets.keyring import KeyringSecrets
from oneiric.testing.contracts import SecretsContract, started
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.secrets import told

from tests.backends.activation import Provider, SwapCases
from tests.backends.faulty_keyrings import Asking

PLAIN = "keyrings.alt.file.PlaintextKeyring"
FAULTY = "tests.backends.faulty_keyrings"


@pytest.fixture(autouse=True)
def a_home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND", raising=False)


def keep(service: str, secrets: Mapping[str, str]) -> None:
    ring: Any = load_keyring(PLAIN)
    for name, text in secrets.items():
        ring.set_password(service, name, text)


async def value(secrets: Secrets, name: str) -> str:
    return (await secrets.get(name)).reveal()


class TestKeyringSecrets(SecretsContract):
    def keeping(self, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Secrets]:
        keep("oneiric", secrets)
        return started(KeyringSecrets(backend=PLAIN))


class TestKeyringActivation(SwapCases):
    provider = Provider("secrets", "keyring", "keyring", "backend", {"backend": "keyring.backends.fail.Keyring"})


def test_services_are_apart_and_what_was_read_is_kept_until_a_refresh() -> None:
    keep("shop", {"prod.KEY": "of the shop"})
    keep("oneiric", {"prod.KEY": "of another"})

    async def main() -> None:
        async with started(KeyringSecrets(backend=PLAIN, service="shop", prefix="prod.")) as secrets:
            assert await value(secrets, "KEY") == "of the shop"
            with pytest.raises(SecretNotFound, match=r"the keyring has none of the name prod\.OTHER for shop"):
                await secrets.get("OTHER")
            keep("shop", {"prod.KEY": "another", "prod.OTHER": "now"})
            assert await value(secrets, "KEY") == "of the shop"
            assert await value(secrets, "OTHER") == "now"  # that there was none is not kept
            await secrets.refresh()
            assert await value(secrets, "KEY") == "another"

    run(main())


def test_the_keyring_is_the_one_that_the_library_is_configured_for() -> None:
    keep("oneiric", {"KEY": "the text"})

    async def main() -> None:
        async with started(KeyringSecrets()) as secrets:
            assert await value(secrets, "KEY") == "the text"

    before = keyring.get_keyring()
    keyring.set_keyring(load_keyring(PLAIN))
    try:
        run(main())
    finally:
        keyring.set_keyring(before)


@pytest.mark.parametrize(
    ("backend", "error", "says"),
    [
        (f"{FAULTY}.Locked", SecretsRefused, "it is locked (setting backend)"),
        (f"{FAULTY}.Shut", SecretsRefused, "it is locked (setting backend)"),
        (f"{FAULTY}.Broken", SecretsUnavailable, "it cannot be read: KeyringError (setting backend)"),
        (f"{FAULTY}.NoSuch", SecretsMisconfigured, "is not a keyring that can be used here"),
        ("no_such_module.Keyring", SecretsMisconfigured, "is not a keyring that can be used here"),
        ("nothing", SecretsMisconfigured, "is not a keyring that can be used here"),
        ("pathlib.Path", SecretsMisconfigured, "is not a keyring that can be used here"),
        ("keyring.backends.null.Keyring", SecretsMisconfigured, "there is no keyring here that the library finds"),
    ],
)
def test_keyrings_that_cannot_be_read_are_not_started(
    backend: str, error: type[SecretsError], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def start() -> None:
        async with started(KeyringSecrets(backend=backend)):
            pass

    async def main() -> None:
        with pytest.raises(error) as caught:
            await start()
        assert says in str(caught.value)
        assert "hunter2-canary" not in await told(start()) + caplog.text

    run(main())


def test_a_keyring_that_asks_somebody_is_not_waited_for_for_ever() -> None:
    async def main() -> None:
        async with started(KeyringSecrets(backend=f"{FAULTY}.Asking", timeout=0.1)) as secrets:
            with pytest.raises(SecretsUnavailable, match=r"no answer in 0\.1 s.* \(setting timeout\)"):
                await secrets.get("there")
            waiting = asyncio.ensure_future(secrets.get("there"))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            Asking.answered.set()
            assert await value(secrets, "there") == "the text"

    run(main())


HANGS = """
import asyncio
from oneiric.adapters.secrets import SecretsUnavailable
from oneiric.adapters.secrets.keyring import KeyringSecrets

async def main():
    secrets = KeyringSecrets(backend="tests.backends.faulty_keyrings.Asking", timeout=0.1)
    await secrets.start()
    try:
        await secrets.get("there")
    except SecretsUnavailable as error:
        print(error.setting)

asyncio.run(main())
"""


def test_a_process_ends_though_its_keyring_asks_somebody() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "timeout\n"


@pytest.mark.parametrize(
    ("setting", "settings"),
    [
        ("service", {"service": ""}),
        ("backend", {"backend": ""}),
        ("cache_ttl", {"cache_ttl": -1}),
        ("timeout", {"timeout": 0}),
    ],
)
def test_settings_without_sense_are_refused(setting: str, settings: dict[str, Any]) -> None:
    with pytest.raises(SecretsMisconfigured) as caught:
        KeyringSecrets(**settings)
    assert caught.value.setting == setting
