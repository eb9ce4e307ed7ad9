"""Secrets in Infisical: the contracts, and what is its own, on a server that is written here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from oneiric import Secret
from oneiric.adapters.secrets import (
    SecretNotFound,
    Secrets,
    SecretsError,
    SecretsMisconfigured,
    SecretsRefused,
    SecretsUnavailable,
)
from oneiric.adapters.secrets.infisical import InfisicalSecrets
from oneiric.testing.contracts import NetworkedSecretsContract, SecretsContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.secrets import KEPT, told

from tests.backends.activation import Provider, SwapCases
from tests.backends.harness.servers import Address
from tests.backends.infisical import CLIENT_ID, CLIENT_SECRET, PROJECT, Infisical

NUMBERED = {f"NAME_{number}": f"value {number}" for number in range(NetworkedSecretsContract.names)}
CANARY = "hunter2-canary"


@pytest.fixture(name="there")
def an_infisical() -> Generator[Infisical, None, None]:
    with Infisical() as there:
        there.secrets.update({**KEPT, **NUMBERED})
        yield there


def infisical(url: str, **settings: Any) -> InfisicalSecrets:
    given: dict[str, Any] = {"url": url, "project": PROJECT, "environment": "prod", "path": "/shop"}
    if "token" not in settings:
        given |= {"client_id": CLIENT_ID, "client_secret": Secret(CLIENT_SECRET)}
    return InfisicalSecrets(**{**given, **settings})


async def value(secrets: Secrets, name: str) -> str:
    return (await secrets.get(name)).reveal()


class TestInfisicalSecrets(SecretsContract):
    @pytest.fixture(autouse=True)
    def server(self, there: Infisical) -> None:
        self.there = there

    def keeping(self, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Secrets]:
        assert secrets == KEPT
        return started(infisical(self.there.url))


class TestInfisicalFaults(NetworkedSecretsContract):
    @pytest.fixture(autouse=True)
    def server(self, there: Infisical) -> None:
        self.there = there

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(Address(self.there.host, self.there.port))

    @contextmanager
    def private(self) -> Generator[Infisical, None, None]:
        yield self.there

    def component(self, host: str, port: int) -> InfisicalSecrets:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "cache_ttl": 0, "max_connections": CONNECTIONS}
        return infisical(f"http://{host}:{port}", **times)

    @contextmanager
    def refused(self) -> Generator[InfisicalSecrets, None, None]:
        yield infisical(self.there.url, client_secret=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], InfisicalSecrets]]]:
        def new(**settings: Any) -> Callable[[], InfisicalSecrets]:
            given: dict[str, Any] = {"project": "p", "environment": "prod", "token": Secret(SECRET)}
            return lambda: InfisicalSecrets(**{**given, **settings})

        identity: dict[str, Any] = {"client_id": "r", "client_secret": Secret(SECRET)}
        return [
            ("project", new(project="")),
            ("project", new(project=f"a&b={SECRET}")),
            ("environment", new(environment="a b")),
            ("path", new(path="shop")),
            ("path", new(path="/shop/")),
            ("path", new(path="/a/../b")),
            ("prefix", new(prefix="a/")),
            ("token", new(token=None)),
            ("token", new(token=Secret(f"{SECRET}\nx: y"))),
            ("token", new(**identity)),
            ("client_secret", new(token=None, client_id="r")),
            ("client_id", new(token=None, client_id="", client_secret=Secret(SECRET))),
            ("cache_ttl", new(cache_ttl=-1)),
            ("url", new(url=f"http://u:{SECRET}@x")),
            ("ca_file", new(ca_file=Path("/no/such/ca.pem"))),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=float("nan"))),
            ("max_connections", new(max_connections=0)),
        ]


class TestInfisicalActivation(SwapCases):
    provider = Provider(
        "secrets",
        "infisical",
        "aiohttp",
        "url",
        {"url": "http://127.0.0.1:PORT", "project": "p", "environment": "prod", "token": "${PROBE_SECRET}"},
        secret="not a token",
    )


@pytest.mark.parametrize("how", ["expire", "revoke"])
def test_of_a_token_that_is_none_any_more_another_is_fetched_and_no_call_fails(there: Infisical, how: str) -> None:
    async def main() -> None:
        async with started(infisical(there.url, cache_ttl=0)) as secrets:
            for _ in range(3):
                getattr(there, how)()
                got = await asyncio.gather(*(value(secrets, name) for name in NUMBERED))
                assert got == [*NUMBERED.values()]
            assert there.log_ins == 4

    run(main())


def test_an_identity_that_is_withdrawn_is_refused_and_not_tried_for_ever(
    there: Infisical, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> None:
        async with started(infisical(there.url, cache_ttl=0)) as secrets:
            there.expire()
            there.log_in_status = 401
            shown = await told(secrets.get("NAME_0"))
            assert "the log-in is refused (setting client_secret)" in shown
            assert not await secrets.health()
            assert "eyJ" not in shown + caplog.text
            there.log_in_status = 0
            there.status = 401
            before = len(there.asked), there.log_ins
            with pytest.raises(SecretsRefused, match=r"\(setting client_id\)"):
                await secrets.get("NAME_0")
            assert (len(there.asked), there.log_ins) == (before[0] + 2, before[1] + 1)

    run(main())


def test_a_token_that_is_given_is_not_renewed(there: Infisical) -> None:
    there.tokens["given"] = "good"

    async def main() -> None:
        async with started(infisical(there.url, token=Secret("given"), cache_ttl=0)) as secrets:
            assert await value(secrets, "NAME_1") == "value 1"
            there.expire()
            with pytest.raises(SecretsRefused, match=r"has expired, or is not valid there \(setting token\)"):
                await secrets.get("NAME_1")
            assert there.log_ins == 0

    run(main())


def test_who_may_not_list_is_healthy_and_a_folder_that_is_not_there_does_not_start(there: Infisical) -> None:
    async def main() -> None:
        there.listed = 403, {"error": "PermissionDenied"}
        async with started(infisical(there.url)) as secrets:
            assert await secrets.health()
            there.listed = 503, b""
            assert not await secrets.health()
        with pytest.raises(SecretsMisconfigured, match=r"\(setting project\)"):
            async with started(infisical(there.url, path="/shop/none")):
                pass

    run(main())


@pytest.mark.parametrize(
    ("kept", "error", "says"),
    [
        ((404, {"error": "NotFound"}), SecretNotFound, "the folder has no shop-KEY"),
        ((403, {"error": "PermissionDenied"}), SecretsRefused, "shop-KEY may not be read"),
        (
            (200, {"secret": {"secretValue": CANARY, "secretValueHidden": True}}),
            SecretsRefused,
            "shop-KEY may not be read",
        ),
        ((404, b"<html>no such page"), SecretsUnavailable, "it answered 404 (setting url)"),
        ((429, {"error": "RateLimitExceeded"}), SecretsUnavailable, "it answered 429"),
        ((500, {"error": "InternalServerError"}), SecretsUnavailable, "it answered 500"),
        ((200, CANARY.encode()), SecretsUnavailable, "not JSON that makes sense"),
        ((200, {"secret": {"secretValue": 7}}), SecretsUnavailable, "not JSON that makes sense"),
        ("", SecretNotFound, "shop-KEY is empty"),
    ],
)
def test_answers_that_are_no_secret(there: Infisical, kept: Any, error: type[SecretsError], says: str) -> None:
    async def main() -> None:
        there.secrets["shop-KEY"] = kept
        async with started(infisical(there.url, prefix="shop-")) as secrets:
            with pytest.raises(error) as caught:
                await secrets.get("KEY")
            assert says in str(caught.value)
            assert CANARY not in await told(secrets.get("KEY"))
            there.secrets["shop-KEY"] = "the text"
            assert await value(secrets, "KEY") == "the text"  # errors are not kept
            there.secrets["shop-KEY"] = "another"
            assert await value(secrets, "KEY") == "the text"
            await secrets.refresh()
            assert await value(secrets, "KEY") == "another"

    run(main())
