"""Secrets in a vault: the contracts, and what is its own. The server is OpenBao, in memory."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import pytest
from oneiric import Runtime, Secret
from oneiric.adapters.secrets import (
    SecretNotFound,
    Secrets,
    SecretsRefused,
    SecretsUnavailable,
)
from oneiric.adapters.secrets.vault import VaultSecrets
from oneiric.testing.contracts import NetworkedSecretsContract, SecretsContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.secrets import KEPT, told

from tests.backends.activation import Provider, SwapCases
from tests.backends.bao import PATH, ROLE, ROOT, SECRET_ID, Bao
from tests.backends.harness.certificates import Authority
from tests.backends.harness.kinds import BAO
from tests.backends.harness.servers import Address, Server, private
from tests.unit.runtime.making import key, wiring_of

NUMBERED = {f"NAME_{number}": f"value {number}" for number in range(NetworkedSecretsContract.names)}
CANARY = "hunter2-canary"


@pytest.fixture(name="root")
def root_of(bao: Address) -> Bao:
    root = Bao(bao)
    root.let_in()
    root.keep(NUMBERED)
    return root


def vault(url: str, **settings: Any) -> VaultSecrets:
    given: dict[str, Any] = {"url": url, "path": PATH}
    if "token" not in settings:
        given |= {"role_id": ROLE, "secret_id": Secret(SECRET_ID)}
    return VaultSecrets(**{**given, **settings})


class TestVaultSecrets(SecretsContract):
    @pytest.fixture(autouse=True)
    def server(self, root: Bao) -> None:
        self.root = root
        root.keep(KEPT)

    def keeping(self, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Secrets]:
        assert secrets == KEPT
        return started(vault(self.root.url))


class Restored:
    """A server that forgets everything when it is killed, and has it again when it is started."""

    def __init__(self, server: Server) -> None:
        self.host, self.port, self.kill = server.host, server.port, server.kill
        self._server = server
        self._fill()

    def start(self) -> None:
        self._server.start()
        self._fill()

    def _fill(self) -> None:
        root = Bao(self._server)
        root.let_in()
        root.keep(NUMBERED)


class TestVaultFaults(NetworkedSecretsContract):
    @pytest.fixture(autouse=True)
    def server(self, root: Bao, bao: Address) -> None:
        self.bao = bao

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.bao)

    @contextmanager
    def private(self) -> Generator[Restored, None, None]:
        with private(BAO) as server:
            yield Restored(server)

    def component(self, host: str, port: int) -> VaultSecrets:
        times: dict[str, Any] = {
            "timeout": TIMEOUT,
            "healthcheck_timeout": TIMEOUT,
            "cache_ttl": 0,
            "max_connections": CONNECTIONS,
        }
        return vault(f"http://{host}:{port}", **times)

    @contextmanager
    def refused(self) -> Generator[VaultSecrets, None, None]:
        yield vault(f"http://{self.bao.host}:{self.bao.port}", secret_id=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], VaultSecrets]]]:
        given: dict[str, Any] = {"url": "http://x", "path": "a", "token": Secret(SECRET)}

        def new(**settings: Any) -> Callable[[], VaultSecrets]:
            return lambda: VaultSecrets(**{**given, **settings})

        role: dict[str, Any] = {"role_id": "r", "secret_id": Secret(SECRET)}
        return [
            ("url", new(url="")),
            ("url", new(url="localhost:8200")),
            ("url", new(url="ftp://x")),
            ("url", new(url="http://[::1")),
            ("url", new(url="http://x:99999999")),
            ("url", new(url=f"http://u:{SECRET}@x")),
            ("url", new(url=f"http://x?token={SECRET}")),
            ("path", new(path="")),
            ("path", new(path="/a")),
            ("path", new(path="a/../b?")),
            ("mount", new(mount="a//b")),
            ("token", new(token=None)),
            ("token", new(token=Secret(""))),
            ("token", new(token=Secret(f"{SECRET}\nx: y"))),
            ("token", new(**role)),
            ("secret_id", new(token=None, role_id="r")),
            ("role_id", new(token=None, role_id="", secret_id=Secret(SECRET))),
            ("ca_file", new(ca_file=Path("/no/such/ca.pem"))),
            ("cache_ttl", new(cache_ttl=-1)),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=float("nan"))),
            ("max_connections", new(max_connections=0)),
        ]


class TestVaultActivation(SwapCases):
    provider = Provider(
        "secrets",
        "vault",
        "aiohttp",
        "url",
        {"url": "http://127.0.0.1:PORT", "path": "shop", "token": "${PROBE_SECRET}"},
        secret="not a token",
    )


async def value(secrets: Secrets, name: str) -> str:
    return (await secrets.get(name)).reveal()


def test_of_a_token_that_has_expired_another_is_fetched_and_no_call_fails(root: Bao) -> None:
    async def main() -> None:
        root.let_in(ttl="1s")
        async with started(vault(root.url, cache_ttl=0)) as secrets:
            before = await asyncio.to_thread(root.log_ins)
            end = asyncio.get_running_loop().time() + 2.5
            calls = 0
            while asyncio.get_running_loop().time() < end:
                got = await asyncio.gather(*(value(secrets, f"NAME_{number}") for number in range(10)))
                assert got == [f"value {number}" for number in range(10)]
                calls += 10
                await asyncio.sleep(0.1)
            assert calls >= 20
            # those that have expired are gone by and by: of ten that found it out at once, one logged in
            assert await asyncio.to_thread(root.log_ins) <= before + 4

    run(main())


def test_a_role_that_is_withdrawn_is_refused_and_so_is_what_it_may_not_read(root: Bao) -> None:
    async def main() -> None:
        async with started(vault(root.url, cache_ttl=0)) as secrets:
            root.let_in(policies="default")
            root.revoke_log_ins()
            with pytest.raises(SecretsRefused) as caught:
                await secrets.get("NAME_0")
            assert caught.value.setting == "path"
            before = root.log_ins()
            for _ in range(5):
                with pytest.raises(SecretsRefused):
                    await secrets.get("NAME_0")
            assert root.log_ins() == before, "what is denied is no reason to log in again"
            root.ask("DELETE", "auth/approle/role/shop")
            root.revoke_log_ins()
            with pytest.raises(SecretsRefused) as caught:
                await secrets.get("NAME_0")
            assert caught.value.setting == "secret_id"
            assert not await secrets.health()

    run(main())


def test_a_token_that_expires_is_refused_and_named(root: Bao, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = root.token(ttl="1h")

    async def main() -> None:
        async with started(vault(root.url, token=Secret(token), cache_ttl=0)) as secrets:
            assert await value(secrets, "NAME_1") == "value 1"
            root.ask("POST", "auth/token/revoke", token=token)
            shown = await told(secrets.get("NAME_1"))
            assert "has expired, or is not valid there (setting token)" in shown
            assert token not in shown + caplog.text
            assert not await secrets.health()

    run(main())


def test_what_is_kept_is_read_once_for_all_names_and_again_after_its_time_or_a_refresh(root: Bao) -> None:
    async def main() -> None:
        async with started(vault(root.url, cache_ttl=600)) as secrets:
            reads = 0
            document = secrets._document  # pyright: ignore[reportPrivateUsage]

            async def counted(deadline: Any) -> Any:
                nonlocal reads
                reads += 1
                return await document(deadline)

            secrets._document = counted  # type: ignore[method-assign]
            await asyncio.gather(*(secrets.get(name) for name in NUMBERED))
            assert reads == 1
            root.keep({"NAME_0": "new"})
            assert await value(secrets, "NAME_0") == "value 0"
            await secrets.refresh()
            assert await value(secrets, "NAME_0") == "new"
            with pytest.raises(SecretNotFound, match="no field NAME_1"):
                await secrets.get("NAME_1")
            assert reads == 2
        async with started(vault(root.url, cache_ttl=0.01)) as secrets:
            assert await value(secrets, "NAME_0") == "new"
            root.keep({"NAME_0": "newer"})
            await asyncio.sleep(0.02)
            assert await value(secrets, "NAME_0") == "newer"

    run(main())


def test_a_reading_that_began_before_a_refresh_is_not_kept(root: Bao) -> None:
    async def main() -> None:
        async with started(vault(root.url)) as secrets:
            document, go = secrets._document, asyncio.Event()  # pyright: ignore[reportPrivateUsage]

            async def slow(deadline: Any) -> Any:
                read = await document(deadline)
                await go.wait()
                return read

            secrets._document = slow  # type: ignore[method-assign]
            first = asyncio.ensure_future(value(secrets, "NAME_0"))
            await asyncio.sleep(0.2)
            root.keep({"NAME_0": "new"})
            await secrets.refresh()
            second = asyncio.ensure_future(value(secrets, "NAME_0"))
            await asyncio.sleep(0.2)
            go.set()
            assert (await first, await second, await value(secrets, "NAME_0")) == ("value 0", "new", "new")

    run(main())


def test_a_waiter_that_is_cancelled_takes_the_reading_from_nobody_else(root: Bao) -> None:
    async def main() -> None:
        async with started(vault(root.url)) as secrets:
            calls = [asyncio.ensure_future(value(secrets, f"NAME_{number}")) for number in range(5)]
            await asyncio.sleep(0)
            calls[0].cancel()
            assert await asyncio.gather(*calls[1:]) == [f"value {number}" for number in range(1, 5)]
            await secrets.refresh()
            alone = asyncio.ensure_future(secrets.get("NAME_0"))
            await asyncio.sleep(0)
            alone.cancel()
            await asyncio.sleep(0)
            assert await value(secrets, "NAME_0") == "value 0"  # who comes while it is given up reads again
            with pytest.raises(asyncio.CancelledError):
                await alone

    run(main())


def test_documents_that_are_no_texts_missing_deleted_or_elsewhere(root: Bao) -> None:
    async def main() -> None:
        root.keep({"NUMBER": 7, "LIST": [CANARY], "NONE": None, "shop-TOKEN": "of the shop"})
        async with started(vault(root.url, cache_ttl=0)) as secrets:
            for name, kind in (("NUMBER", "int"), ("LIST", "list"), ("NONE", "NoneType")):
                shown = await told(secrets.get(name))
                assert f"the field {name} has a value of {kind}, not a text (setting path)" in shown
                assert CANARY not in shown
            root.ask("DELETE", f"secret/data/{PATH}")  # the last version alone
            with pytest.raises(SecretNotFound):
                await secrets.get("NUMBER")
            root.keep({"shop-TOKEN": "of the shop"})
        async with started(vault(root.url, prefix="shop-")) as secrets:
            assert await value(secrets, "TOKEN") == "of the shop"
        async with started(vault(root.url, path="shop/none")) as secrets:
            with pytest.raises(SecretNotFound):
                await secrets.get("TOKEN")
        for settings, error in (
            ({"mount": "nowhere", "token": Secret(ROOT)}, SecretsUnavailable),
            ({"path": "of/others"}, SecretsRefused),
        ):
            with pytest.raises(error) as caught:
                async with started(vault(root.url, **settings)):
                    pass
            assert caught.value.setting == next(iter(settings))

    run(main())


def test_a_certificate_that_is_not_trusted_is_refused_and_said_to_be_that(tmp_path: Path) -> None:
    async def main() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(SecretsRefused, match="certificate is not trusted") as caught:
                async with started(vault(f"https://127.0.0.1:{port}")):
                    pass
            assert caught.value.setting == "ca_file"

    Authority().write_for("127.0.0.1", tmp_path / "server.pem", tmp_path / "server.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    run(main())


def test_a_sealed_server_is_unavailable_and_said_to_be_sealed() -> None:
    async def main() -> None:
        root = Bao(server)
        root.let_in()
        root.keep(NUMBERED)
        async with started(vault(root.url)) as secrets:
            assert await value(secrets, "NAME_0") == "value 0"
            root.ask("PUT", "sys/seal")
            assert not await secrets.health()
            assert await value(secrets, "NAME_0") == "value 0"  # kept
            await secrets.refresh()
            with pytest.raises(SecretsUnavailable, match="sealed"):
                await secrets.get("NAME_0")
        with pytest.raises(SecretsUnavailable, match="sealed"):
            async with started(vault(root.url)):
                pass

    with private(BAO) as server:
        run(main())


class Holding(Protocol):
    async def call(self) -> str: ...


class Holder:
    """Has a secret, and must not be called once it is closed."""

    def __init__(self, made: list[Holder], secret: Secret) -> None:
        made.append(self)
        self._secret = secret
        self.closes = 0

    async def call(self) -> str:
        assert not self.closes
        await asyncio.sleep(0)
        assert not self.closes, "closed during a call"
        return self._secret.reveal()

    async def aclose(self) -> None:
        self.closes += 1


def test_an_expired_token_and_a_changed_secret_under_load_restart_its_holder_alone(
    root: Bao, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made: dict[str, list[Holder]] = {"NAME_0": [], "NAME_1": []}

    def holder(name: str) -> Any:
        def make(inputs: Any) -> Holder:
            return Holder(made[name], inputs._secret(name))

        return key(make, port=f"{__name__}:Holding", secrets=(name,))

    wiring = wiring_of(
        secrets=key(lambda _: vault(root.url), port="oneiric.adapters.secrets:Secrets"),
        first=holder("NAME_0"),
        second=holder("NAME_1"),
    )

    async def main() -> None:
        async with Runtime(wiring) as runtime:
            over, calls = False, 0

            async def load(live: Any, *expected: str) -> None:
                nonlocal calls
                while not over:
                    assert await live.call() in expected
                    calls += 1

            first, second = runtime.wiring.adapters.first.live, runtime.wiring.adapters.second.live
            users = [asyncio.ensure_future(load(first, "value 0", CANARY)) for _ in range(10)]
            users += [asyncio.ensure_future(load(second, "value 1")) for _ in range(10)]
            while not (made["NAME_0"] and made["NAME_1"]):
                await asyncio.sleep(0.01)
            await asyncio.to_thread(root.revoke_log_ins)
            await asyncio.to_thread(root.keep, {**NUMBERED, "NAME_0": CANARY})
            outcome = await runtime.rotate()
            assert outcome.accepted, outcome.reason
            assert outcome.plan.replace == ((None, "adapter:first"),)
            assert await first.call() == CANARY
            await asyncio.to_thread(
                root.ask,
                "PUT",
                "sys/policies/acl/shop",
                policy='path "secret/data/elsewhere" { capabilities = ["read"] }',
            )
            outcome = await runtime.rotate()
            assert (outcome.accepted, outcome.code) == (False, "secrets")
            assert "may not be read with these credentials (setting path)" in str(outcome.reason)
            assert await first.call() == CANARY
            over = True
            await asyncio.gather(*users)
            assert calls > 100
            assert CANARY not in f"{outcome}{caplog.text}"
        assert {name: [each.closes for each in of] for name, of in made.items()} == {"NAME_0": [1, 1], "NAME_1": [1]}

    run(main())
