"""Documents in DynamoDB: the contracts, and what is its own, on moto."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from typing import Any, cast

import pytest
from oneiric import Secret
from oneiric.adapters.nosql import (
    DocumentConflict,
    Documents,
    NosqlError,
    NosqlMisconfigured,
    NosqlRefused,
    NosqlUnavailable,
)
from oneiric.adapters.nosql.dynamodb import DynamoDBDocuments
from oneiric.testing.contracts import NetworkedNosqlContract, NosqlContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run

from tests.backends.activation import ActivationCases, Provider
from tests.backends.aws import Moto, Refilled, senseless
from tests.backends.harness.kinds import MOTO
from tests.backends.harness.receivers import Answering, HTTPReceiver
from tests.backends.harness.servers import Address, private

TABLE = "documents"
KEYS = {"collection": "HASH", "id": "RANGE"}
CANARY = "hunter2-canary"


def make(account: Moto, table: str = TABLE, keys: dict[str, str] = KEYS) -> None:
    account.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        BillingMode="PAY_PER_REQUEST",
    )


def documents_of(account: Moto, **settings: Any) -> DynamoDBDocuments:
    given: dict[str, Any] = {**account.settings, "table": TABLE, **settings}
    return DynamoDBDocuments(**given)


@pytest.fixture(scope="module", name="account")
def an_account(moto: Address) -> Moto:
    account = Moto(moto, checks=False)
    make(account)
    return account


class TestDynamoDBDocuments(NosqlContract):
    @pytest.fixture(autouse=True)
    def server(self, account: Moto) -> None:
        self.account = account

    def fresh(self) -> AbstractAsyncContextManager[Documents]:
        return self.emptied()

    @asynccontextmanager
    async def emptied(self) -> AsyncGenerator[Documents, None]:
        there = self.account.client("dynamodb")
        there.delete_table(TableName=TABLE)
        make(self.account)
        # one connection: moto looks at a condition and then writes, and lets others in between
        async with started(documents_of(self.account, max_connections=1, timeout=30.0)) as documents:
            yield documents


class TestDynamoDBFaults(NetworkedNosqlContract):
    @pytest.fixture(autouse=True)
    def server(self, account: Moto, moto: Address) -> None:
        self.account, self.address = account, moto

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.address)

    @contextmanager
    def private(self) -> Generator[Refilled, None, None]:
        with private(MOTO) as server:
            yield Refilled(server, make)

    def component(self, host: str, port: int) -> DynamoDBDocuments:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}
        return documents_of(self.account, endpoint_url=f"http://{host}:{port}", **times)

    @contextmanager
    def refused(self) -> Generator[DynamoDBDocuments, None, None]:
        with private(MOTO) as server:
            account = Moto(server)
            yield documents_of(account, secret_access_key=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], DynamoDBDocuments]]]:
        def new(**settings: Any) -> Callable[[], DynamoDBDocuments]:
            given: dict[str, Any] = {"table": TABLE, **settings}
            return lambda: DynamoDBDocuments(**given)

        return [
            ("table", new(table="")),
            ("table", new(table="a b c")),
            *senseless(new),
        ]


class TestDynamoDBActivation(ActivationCases):
    provider = Provider(
        "nosql",
        "dynamodb",
        "aiobotocore",
        "endpoint_url",
        {
            "endpoint_url": "http://127.0.0.1:PORT",
            "table": TABLE,
            "region": "us-east-1",
            "access_key_id": "AKIA",
            "secret_access_key": "${PROBE_SECRET}",
        },
        secret="not a secret",
    )


@pytest.mark.parametrize("keys", [{"id": "HASH"}, {"id": "HASH", "collection": "RANGE"}, {"collection": "HASH"}, None])
def test_a_table_that_is_missing_or_has_other_keys_does_not_start(account: Moto, keys: dict[str, str] | None) -> None:
    async def main() -> None:
        with pytest.raises(NosqlMisconfigured, match=r"\(setting table\)"):
            async with started(documents_of(account, table=table)):
                pass

    table = f"table-{'-'.join(keys or ['none'])}"
    if keys is not None:
        make(account, table, keys)
    run(main())


def test_an_item_of_somebody_elses_is_not_taken_for_a_document(account: Moto) -> None:
    item = {"collection": {"S": "odd"}, "id": {"S": "a"}, "body": {"S": CANARY}}
    account.client("dynamodb").put_item(TableName=TABLE, Item=item)

    async def main() -> None:
        async with started(documents_of(account)) as documents:
            with pytest.raises(NosqlUnavailable, match="was not written by this component") as caught:
                await documents.get("odd", "a")
            assert CANARY not in str(caught.value)

    run(main())


class Handler(Answering):
    def do_POST(self) -> None:
        said = cast("Saying", self.server.receiver)
        self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        said.asked.append(operation)
        status, document = said.answers[operation]
        self.say(status, document, {"Content-Type": "application/x-amz-json-1.0"})


class Saying(HTTPReceiver):
    """What Amazon's answers that moto does not, by operation."""

    handler = Handler

    def __init__(self, answer: tuple[int, object]) -> None:
        super().__init__()
        self.answers: dict[str, tuple[int, object]] = {
            "Query": (200, {"Items": [], "Count": 0}),
            "PutItem": answer,
            "TransactWriteItems": answer,
        }
        self.asked: list[str] = []


def cancelled(*codes: str) -> tuple[int, object]:
    reasons = [{"Code": code, "Message": CANARY} for code in codes]
    return 400, {"__type": "x#TransactionCanceledException", "Message": CANARY, "CancellationReasons": reasons}


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        ((400, {"__type": "x#ConditionalCheckFailedException"}), DocumentConflict, "is not as expected"),
        ((400, {"__type": "x#TransactionConflictException"}), DocumentConflict, "is not as expected"),
        (cancelled("None", "TransactionConflict"), DocumentConflict, "is not as expected"),
        (cancelled("ConditionalCheckFailed", "ThrottlingError"), NosqlUnavailable, "400 TransactionCanceledException"),
        ((400, {"__type": "x#ProvisionedThroughputExceededException"}), NosqlUnavailable, "answered 400 Provisioned"),
        ((400, {"__type": "x#AccessDeniedException", "Message": CANARY}), NosqlRefused, "(setting access_key_id)"),
        ((400, {"__type": "x#ExpiredTokenException"}), NosqlRefused, "(setting session_token)"),
        ((400, {"__type": "x#ResourceNotFoundException"}), NosqlMisconfigured, "(setting table)"),
        ((500, {"__type": "x#InternalServerError"}), NosqlUnavailable, "the server answered 500"),
    ],
)
def test_what_is_answered_to_a_change_is_told_and_nothing_is_asked_twice(
    answer: tuple[int, object], error: type[NosqlError], says: str
) -> None:
    async def main() -> None:
        settings: dict[str, Any] = {"region": "x", "access_key_id": "a", "secret_access_key": Secret("b")}
        url = f"http://{saying.host}:{saying.port}"
        async with started(DynamoDBDocuments(table=TABLE, endpoint_url=url, **settings)) as documents:
            with pytest.raises(error) as put:
                await documents.put("books", "a", {})
            with pytest.raises(error) as committed:
                async with documents.transaction() as changes:
                    await changes.put("books", "a", {})
            for caught in (put.value, committed.value):
                assert says in str(caught)
                assert CANARY not in str(caught)
            assert saying.asked == ["Query", "PutItem", "TransactWriteItems"]

    with Saying(answer) as saying:
        run(main())
