"""The contract of the port `secrets`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import pytest

from oneiric import Secret
from oneiric.adapters.secrets import (
    InvalidName,
    RefreshableSecrets,
    SecretNotFound,
    Secrets,
    SecretsClosed,
    SecretsError,
    SecretsMisconfigured,
    SecretsRefused,
    SecretsUnavailable,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, capabilities, close, health

KEPT = {
    "CACHE_PASSWORD": "correct horse",
    "db.password-2": "another",
    "UNICODE": "пароль \N{SNOWMAN} é",
    "PEM": "-----BEGIN KEY-----\nAAAA\nBBBB\n-----END KEY-----",
    "SPACES": "  kept as they are\t",
    "QUOTES": "a'b\"c\\d$e%f{g}",
    "LONG": "0123456789" * 3000,
    "EMPTY": "",
}


class SecretsContract(Contract[Secrets]):
    """Cases for a secrets adapter: subclass it and override `keeping`."""

    def keeping(self, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Secrets]:
        """A started adapter that can read just these secrets, closed at the end of the block; see `started`."""
        raise NotImplementedError("a contract needs a component: override keeping()")

    def fresh(self) -> AbstractAsyncContextManager[Secrets]:
        return self.keeping(KEPT)

    def test_it_is_healthy(self) -> None:
        async def case(secrets: Secrets) -> None:
            assert await health(secrets)

        self.check(case)

    @pytest.mark.parametrize("name", [name for name, value in KEPT.items() if value])
    def test_a_secret_is_read_as_it_was_kept(self, name: str) -> None:
        async def case(secrets: Secrets) -> None:
            secret = await secrets.get(name)
            assert type(secret) is Secret
            assert secret.reveal() == KEPT[name]

        self.check(case)

    def test_a_missing_secret_is_named(self) -> None:
        async def case(secrets: Secrets) -> None:
            with pytest.raises(SecretNotFound, match="NO_SUCH_SECRET") as caught:
                await secrets.get("NO_SUCH_SECRET")
            assert caught.value.name == "NO_SUCH_SECRET"
            assert caught.value.provider

        self.check(case)

    def test_an_empty_secret_counts_as_missing(self) -> None:
        async def case(secrets: Secrets) -> None:
            with pytest.raises(SecretNotFound):
                await secrets.get("EMPTY")

        self.check(case)

    @pytest.mark.parametrize(
        "name",
        ["", ".", "..", "../up", "/etc/passwd", "a/b", "a\\b", ".hidden", "-x", "a\0b", "a\n", "é", "x" * 129, None],
    )
    def test_what_is_no_name_is_refused(self, name: Any) -> None:
        async def case(secrets: Secrets) -> None:
            with pytest.raises(InvalidName):
                await secrets.get(name)

        self.check(case)

    def test_no_error_carries_a_value(self) -> None:
        async def case(secrets: Secrets) -> None:
            for name in ("NO_SUCH_SECRET", "EMPTY", "../up"):
                shown = await told(secrets.get(name))
                assert not any(value in shown for value in KEPT.values() if value)

        self.check(case)

    def test_fifty_at_once(self) -> None:
        async def case(secrets: Secrets) -> None:
            names = [name for name, value in KEPT.items() if value] * 7
            got = await asyncio.gather(*map(secrets.get, names))
            assert [secret.reveal() for secret in got] == [KEPT[name] for name in names]

        self.check(case)

    def test_after_a_refresh_every_secret_is_there(self) -> None:
        async def case(secrets: Secrets) -> None:
            if "refresh" not in capabilities(secrets):
                return
            for _ in range(2):
                assert (await secrets.get("CACHE_PASSWORD")).reveal() == KEPT["CACHE_PASSWORD"]
                await refreshable(secrets).refresh()

        self.check(case)

    def test_a_cancelled_call_leaves_an_adapter_that_works(self) -> None:
        async def case(secrets: Secrets) -> None:
            async for _ in cancelled_at_every_step(lambda: read_some(secrets)):
                assert (await secrets.get("UNICODE")).reveal() == KEPT["UNICODE"]

        async def read_some(secrets: Secrets) -> None:
            for _ in range(3):
                await secrets.get("CACHE_PASSWORD")

        self.check(case)

    def test_closing_twice_is_fine(self) -> None:
        async def case(secrets: Secrets) -> None:
            await close(secrets)
            await close(secrets)

        self.check(case)

    def test_a_closed_adapter_refuses_every_call(self) -> None:
        async def case(secrets: Secrets) -> None:
            await close(secrets)
            with pytest.raises(SecretsClosed):
                await secrets.get("CACHE_PASSWORD")
            if "refresh" in capabilities(secrets):
                with pytest.raises(SecretsClosed):
                    await refreshable(secrets).refresh()

        self.check(case)


class NetworkedSecretsContract(NetworkedContract[Secrets]):
    """Cases for a secrets adapter behind a network, besides those of `SecretsContract`: `component` has to keep nothing
    (`cache_ttl=0`) and read the secrets `NAME_0`, `NAME_1` and on, which are `value 0`, `value 1` and on."""

    base = SecretsError
    unavailable = SecretsUnavailable
    refusal = SecretsRefused
    misconfigured = SecretsMisconfigured
    names = 30
    """How many of these secrets there have to be."""

    async def use(self, component: Secrets, number: int = 0) -> None:
        each = number % self.names
        assert (await component.get(f"NAME_{each}")).reveal() == f"value {each}"


def refreshable(secrets: Secrets) -> RefreshableSecrets:
    """The adapter, which has the capability `refresh`."""
    return cast("RefreshableSecrets", secrets)


async def told(attempt: Awaitable[object]) -> str:
    """All that the error of `attempt` tells: itself, its causes and contexts, with what each of them holds."""
    try:
        await attempt
    except SecretsError as error:
        shown: list[str] = []
        pending: list[BaseException | None] = [error]
        while pending:
            one = pending.pop()
            if one is not None:
                shown += [str(one), repr(one.args), repr(vars(one)), repr(getattr(one, "doc", None))]
                shown += [repr(getattr(one, "object", None))]
                pending += [one.__cause__, one.__context__]
        return "\n".join(shown)
    raise AssertionError("no error was raised")
