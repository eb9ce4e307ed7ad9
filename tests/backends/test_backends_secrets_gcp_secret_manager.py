"""Secrets in Google Cloud Secret Manager: the contracts, and what is its own, on a server that is written here."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from oneiric.adapters.secrets import (
    SecretNotFound,
    Secrets,
    SecretsError,
    SecretsMisconfigured,
    SecretsRefused,
    SecretsUnavailable,
)
from oneiric.adapters.secrets.gcp_secret_manager import GCPSecretManagerSecrets
from oneiric.testing.contracts import NetworkedSecretsContract, SecretsContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.secrets import KEPT, told

from tests.backends.activation import Provider, SwapCases
from tests.backends.google import KEY, PROJECT, Google
from tests.backends.harness.servers import Address

NUMBERED = {f"NAME_{number}": f"value {number}" for number in range(NetworkedSecretsContract.names)}
CANARY = "hunter2-canary"
OTHER = RSAKey.generate_key(2048)


@pytest.fixture(name="google")
def a_google() -> Generator[Google, None, None]:
    with Google() as google:
        google.secrets.update(NUMBERED)
        yield google


def manager(google: Google, folder: Path, **settings: Any) -> GCPSecretManagerSecrets:
    given: dict[str, Any] = {"credentials_file": google.credentials(folder), "url": google.url}
    return GCPSecretManagerSecrets(**{**given, **settings})


async def value(secrets: Secrets, name: str) -> str:
    return (await secrets.get(name)).reveal()


class TestGCPSecretManagerSecrets(SecretsContract):
    @pytest.fixture(autouse=True)
    def server(self, google: Google, tmp_path: Path) -> None:
        self.google, self.folder = google, tmp_path
        google.secrets.update({name.replace(".", "_"): text for name, text in KEPT.items()})

    def keeping(self, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Secrets]:
        assert secrets == KEPT
        return started(manager(self.google, self.folder))


class TestGCPSecretManagerFaults(NetworkedSecretsContract):
    @pytest.fixture(autouse=True)
    def server(self, google: Google, tmp_path: Path) -> None:
        self.google, self.folder = google, tmp_path

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(Address(self.google.host, self.google.port))

    @contextmanager
    def private(self) -> Generator[Google, None, None]:
        yield self.google

    def component(self, host: str, port: int) -> GCPSecretManagerSecrets:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "cache_ttl": 0, "max_connections": CONNECTIONS}
        return manager(self.google, self.folder, url=f"http://{host}:{port}", **times)

    @contextmanager
    def refused(self) -> Generator[GCPSecretManagerSecrets, None, None]:
        yield manager(self.google, self.folder, credentials_file=self.google.credentials(self.folder, OTHER))

    def senseless(self) -> Sequence[tuple[str, Callable[[], GCPSecretManagerSecrets]]]:
        def new(**settings: Any) -> Callable[[], GCPSecretManagerSecrets]:
            return lambda: GCPSecretManagerSecrets(**settings)

        return [
            ("project", new(project="")),
            ("project", new(project=f"a/{SECRET}")),
            ("credentials_file", new(credentials_file=Path("/no/such/key.json"))),
            ("version", new(version="")),
            ("version", new(version="1/x")),
            ("cache_ttl", new(cache_ttl=-1)),
            ("url", new(url="")),
            ("url", new(url=f"http://u:{SECRET}@x")),
            ("ca_file", new(ca_file=Path("/no/such/ca.pem"))),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=float("nan"))),
            ("max_connections", new(max_connections=0)),
        ]


class TestGCPSecretManagerActivation(SwapCases):
    @pytest.fixture(autouse=True)
    def server(self, google: Google, tmp_path: Path) -> None:
        self.provider = Provider(
            "secrets",
            "gcp-secret-manager",
            "google",
            "url",
            {"url": "http://127.0.0.1:PORT", "project": "shop", "credentials_file": str(google.credentials(tmp_path))},
            secret=SECRET,
        )


def test_of_a_token_that_expired_or_is_void_one_other_is_fetched_and_no_call_fails(
    google: Google, tmp_path: Path
) -> None:
    async def main() -> None:
        async with started(manager(google, tmp_path, cache_ttl=0)) as secrets:
            for _ in range(3):
                google.forget()
                got = await asyncio.gather(*(value(secrets, name) for name in NUMBERED))
                assert got == [*NUMBERED.values()]
            assert len(google.given) == 4

    run(main())


def test_a_key_that_is_withdrawn_is_refused_and_not_tried_for_ever(
    google: Google, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with started(manager(google, tmp_path, cache_ttl=0)) as secrets:
            google.key = OTHER
            google.forget()
            shown = await told(secrets.get("NAME_0"))
            assert "the credentials are refused (setting credentials_file)" in shown
            assert not await secrets.health()
            assert "no signature of this account" not in shown
            assert "ya29" not in shown + caplog.text
            google.status = 401
            google.key = KEY
            before = len(google.asked)
            with pytest.raises(SecretsRefused):
                await secrets.get("NAME_0")
            assert len(google.asked) == before + 2

    run(main())


@pytest.mark.parametrize(
    ("kept", "error", "says"),
    [
        ((404, {"error": {"status": "NOT_FOUND"}}), SecretNotFound, "the project has no shop-KEY of this version"),
        ((400, {"error": {"status": "FAILED_PRECONDITION"}}), SecretNotFound, "is disabled or destroyed"),
        ((403, {"error": {"status": "PERMISSION_DENIED"}}), SecretsRefused, "shop-KEY may not be read"),
        ((404, b"<html>no such page"), SecretsUnavailable, "it answered 404 (setting url)"),
        ((429, {"error": {"status": "RESOURCE_EXHAUSTED"}}), SecretsUnavailable, "it answered 429"),
        ((503, b""), SecretsUnavailable, "it answered 503"),
        ((200, CANARY.encode()), SecretsUnavailable, "not JSON that makes sense"),
        ((200, {"payload": CANARY}), SecretsUnavailable, "not JSON that makes sense"),
        ((200, {"payload": {"data": f"*{CANARY}"}}), SecretsUnavailable, "is not text"),
        (b"\xff" + CANARY.encode(), SecretsUnavailable, "is not text (setting project)"),
        ("", SecretNotFound, "shop-KEY is empty"),
    ],
)
def test_answers_that_are_no_secret(
    google: Google, tmp_path: Path, kept: Any, error: type[SecretsError], says: str
) -> None:
    async def main() -> None:
        google.secrets["shop-KEY"] = kept
        async with started(manager(google, tmp_path, prefix="shop-", version="7")) as secrets:
            with pytest.raises(error) as caught:
                await secrets.get("KEY")
            assert says in str(caught.value)
            assert CANARY not in await told(secrets.get("KEY"))
            google.secrets["shop-KEY"] = "the text"
            assert await value(secrets, "KEY") == "the text"  # errors are not kept
            google.secrets["shop-KEY"] = "another"
            assert await value(secrets, "KEY") == "the text"
            await secrets.refresh()
            assert await value(secrets, "KEY") == "another"

    run(main())


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("{", "has no key of a service account (setting credentials_file)"),
        ('{"type": "of nobody"}', "has no key of a service account"),
        (json.dumps({"type": "service_account", "private_key": CANARY}), "has no key of a service account"),
    ],
)
def test_a_file_that_has_no_credentials(tmp_path: Path, document: str, says: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(document)

    async def begin() -> None:
        async with started(GCPSecretManagerSecrets(credentials_file=path, project=PROJECT)):
            pass

    async def main() -> None:
        shown = await told(begin())
        assert says in shown
        assert CANARY not in shown

    run(main())


def test_credentials_and_project_are_those_of_the_environment(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(google.credentials(tmp_path)))

    async def main() -> None:
        async with started(GCPSecretManagerSecrets(url=google.url)) as secrets:
            assert await value(secrets, "NAME_0") == "value 0"
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(google.credentials(tmp_path, project_id="")))
        with pytest.raises(SecretsMisconfigured, match=r"\(setting project\)"):
            async with started(GCPSecretManagerSecrets(url=google.url)):
                pass

    run(main())
