"""Secrets in AWS Secrets Manager: the contracts, and what is its own, on moto, which is made to check signatures."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

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
from oneiric.adapters.secrets.aws_secret_manager import AWSSecretManagerSecrets
from oneiric.testing.contracts import NetworkedSecretsContract, SecretsContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.secrets import KEPT, told

from tests.backends.activation import Provider, SwapCases
from tests.backends.aws import Moto, Refilled, senseless
from tests.backends.harness.kinds import MOTO
from tests.backends.harness.receivers import Answering, HTTPReceiver
from tests.backends.harness.servers import Address, private

NUMBERED = {f"NAME_{number}": f"value {number}" for number in range(NetworkedSecretsContract.names)}
CANARY = "hunter2-canary"


def fill(account: Moto, secrets: Mapping[str, str]) -> None:
    """Keep these secrets, but for empty ones, which cannot be."""
    manager = account.client("secretsmanager")
    for name, text in secrets.items():
        if text:
            manager.create_secret(Name=name, SecretString=text)


@pytest.fixture(scope="module", name="account")
def an_account(moto: Address) -> Moto:
    account = Moto(moto)
    fill(account, {**KEPT, **NUMBERED})
    return account


def manager(account: Moto, **settings: Any) -> AWSSecretManagerSecrets:
    return AWSSecretManagerSecrets(**{**account.settings, **settings})


class TestAWSSecretManagerSecrets(SecretsContract):
    @pytest.fixture(autouse=True)
    def server(self, account: Moto) -> None:
        self.account = account

    def keeping(self, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Secrets]:
        assert secrets == KEPT
        return started(manager(self.account))


class TestAWSSecretManagerFaults(NetworkedSecretsContract):
    @pytest.fixture(autouse=True)
    def server(self, account: Moto, moto: Address) -> None:
        self.account, self.address = account, moto

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.address)

    @contextmanager
    def private(self) -> Generator[Refilled, None, None]:
        with private(MOTO) as server:
            yield Refilled(server, lambda account: fill(account, NUMBERED))

    def component(self, host: str, port: int) -> AWSSecretManagerSecrets:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "cache_ttl": 0, "max_connections": CONNECTIONS}
        return manager(self.account, endpoint_url=f"http://{host}:{port}", **times)

    @contextmanager
    def refused(self) -> Generator[AWSSecretManagerSecrets, None, None]:
        yield manager(self.account, secret_access_key=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], AWSSecretManagerSecrets]]]:
        def new(**settings: Any) -> Callable[[], AWSSecretManagerSecrets]:
            return lambda: AWSSecretManagerSecrets(**settings)

        return [
            ("version_stage", new(version_stage="")),
            ("prefix", new(prefix="a b")),
            ("cache_ttl", new(cache_ttl=-1)),
            *senseless(new),
        ]


class TestAWSSecretManagerActivation(SwapCases):
    provider = Provider(
        "secrets",
        "aws-secret-manager",
        "aiobotocore",
        "endpoint_url",
        {
            "endpoint_url": "http://127.0.0.1:PORT",
            "region": "us-east-1",
            "access_key_id": "AKIA",
            "secret_access_key": "${PROBE_SECRET}",
        },
        secret="not a secret",
    )


async def value(secrets: Secrets, name: str) -> str:
    return (await secrets.get(name)).reveal()


def test_a_secret_that_is_to_be_deleted_is_missing_and_one_that_is_restored_is_there(account: Moto) -> None:
    fill(account, {"shop/KEY": "the text"})
    there = account.client("secretsmanager")

    async def main() -> None:
        async with started(manager(account, prefix="shop/", cache_ttl=600)) as secrets:
            there.delete_secret(SecretId="shop/KEY")
            with pytest.raises(SecretNotFound, match="shop/KEY is to be deleted, or has no value yet"):
                await secrets.get("KEY")
            there.restore_secret(SecretId="shop/KEY")
            assert await value(secrets, "KEY") == "the text"  # errors are not kept
            there.put_secret_value(SecretId="shop/KEY", SecretString="another")
            assert await value(secrets, "KEY") == "the text"
            await secrets.refresh()
            assert await value(secrets, "KEY") == "another"
        async with started(manager(account, prefix="shop/", version_stage="AWSPREVIOUS")) as secrets:
            assert await value(secrets, "KEY") == "the text"

    run(main())


def test_binary_secrets_are_read_where_they_are_text(account: Moto) -> None:
    there = account.client("secretsmanager")
    there.create_secret(Name="TEXT", SecretBinary="é".encode())
    there.create_secret(Name="BYTES", SecretBinary=b"\xff" + CANARY.encode())

    async def main() -> None:
        async with started(manager(account)) as secrets:
            assert await value(secrets, "TEXT") == "é"
            with pytest.raises(SecretsUnavailable, match="BYTES is not text"):
                await secrets.get("BYTES")
            assert CANARY not in await told(secrets.get("BYTES"))

    run(main())


def test_without_a_region_it_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    async def main() -> None:
        with pytest.raises(SecretsMisconfigured, match=r"\(setting region\)"):
            async with started(AWSSecretManagerSecrets()):
                pass

    run(main())


class Handler(Answering):
    def do_POST(self) -> None:
        said = cast("Saying", self.server.receiver)
        self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].removeprefix("secretsmanager.")
        said.asked.append(operation)
        status, document = said.answers[operation]
        self.say(status, document, {"Content-Type": "application/x-amz-json-1.1"})


class Saying(HTTPReceiver):
    """What Amazon's answers that moto does not, by operation."""

    handler = Handler

    def __init__(self, answer: tuple[int, object]) -> None:
        super().__init__()
        # who may read one secret may not list them
        self.answers = {"ListSecrets": (400, {"__type": "AccessDeniedException"}), "GetSecretValue": answer}
        self.asked: list[str] = []


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((400, {"__type": "AccessDeniedException"}), SecretsRefused, "KEY may not be read with these credentials"),
        ((400, {"__type": "UnrecognizedClientException"}), SecretsRefused, "(setting access_key_id)"),
        ((400, {"__type": "InvalidSignatureException"}), SecretsRefused, "(setting secret_access_key)"),
        ((400, {"__type": "ExpiredTokenException"}), SecretsRefused, "(setting session_token)"),
        ((400, {"__type": "DecryptionFailure", "Message": CANARY}), SecretsRefused, "KEY cannot be decrypted"),
        ((400, {"__type": "ThrottlingException"}), SecretsUnavailable, "the server answered 400 ThrottlingException"),
        ((429, b""), SecretsUnavailable, "the server answered 429"),
        ((503, {"__type": "ServiceUnavailable"}), SecretsUnavailable, "the server answered 503"),
        ((200, CANARY.encode()), SecretsUnavailable, "KEY is not text"),
        ((200, {"SecretString": ""}), SecretNotFound, "KEY is empty"),
        ((200, {"SecretBinary": base64.b64encode(b"").decode()}), SecretNotFound, "KEY is empty"),
    ],
)
def test_answers_that_are_no_secret(answer: tuple[int, object], error: type[SecretsError], says: str) -> None:
    async def main() -> None:
        settings = {
            "endpoint_url": f"http://{saying.host}:{saying.port}",
            "region": "x",
            "access_key_id": "a",
            "secret_access_key": Secret("b"),
        }
        async with started(AWSSecretManagerSecrets(**cast("Any", settings))) as secrets:
            assert await secrets.health()
            before = len(saying.asked)
            with pytest.raises(error) as caught:
                await secrets.get("KEY")
            assert says in str(caught.value)
            assert len(saying.asked) == before + 1, "nothing is asked twice"
            assert CANARY not in await told(secrets.get("KEY"))

    with Saying(answer) as saying:
        run(main())
