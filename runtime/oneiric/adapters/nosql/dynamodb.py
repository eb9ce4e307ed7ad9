"""Nosql provider `dynamodb`: documents in a table of Amazon DynamoDB."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from secrets import token_hex
from typing import Any

from botocore.exceptions import ClientError

from oneiric import Secret, component
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.aws import Account, Service, code_of
from oneiric.adapters._common.network import Faults
from oneiric.adapters.nosql import (
    Document,
    DocumentChanges,
    Json,
    NosqlClosed,
    NosqlMisconfigured,
    NosqlRefused,
    NosqlUnavailable,
    Where,
)
from oneiric.adapters.nosql._changes import Step, open_transaction, single
from oneiric.adapters.nosql._checks import check_name, checked_data
from oneiric.adapters.nosql._queries import checked_query

_PROVIDER = "dynamodb"
_FAULTS = Faults(_PROVIDER, NosqlUnavailable, NosqlRefused, NosqlMisconfigured)
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_PAGE = 100  # documents that one request reads
_UNMET = ("ConditionalCheckFailedException", "TransactionConflictException")
_UNMET_IN_A_TRANSACTION = {"None", "ConditionalCheckFailed", "TransactionConflict"}


@component(
    "adapter",
    "nosql",
    provider="dynamodb",
    priority=0,
    stack_level=-20,
    capabilities=("documents", "transactions", "conditions"),
    port="oneiric.adapters.nosql:Documents",
)
class DynamoDBDocuments(Asking[Service]):
    """Keeps documents in a table, as JSON; it must exist, with the partition key `collection` and the sort key `id`.

    Needs an account of AWS; the extra `nosql-dynamodb`.

    `table`: the table's name.
    `region`: the region that has the table; by default what the environment or the profile says.
    `endpoint_url`: `https://HOST:PORT` of another server than Amazon's.
    `access_key_id`: who signs; without it, what the environment, the profile or the machine's role gives.
    `secret_access_key`: the secret of that key.
    `session_token`: the token that a temporary key comes with.
    `profile_name`: a profile of the files in `~/.aws`, instead of a key.
    `ca_file`: a file of certificates to trust, instead of those that botocore brings.
    `timeout`: seconds to connect, for one request, and to wait for a free connection.
    `healthcheck_timeout`: seconds for a health check, and for the first one at the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.

    `find` and `count` with conditions read all of a collection. Reads are consistent.
    """

    def __init__(
        self,
        *,
        table: str,
        region: str | None = None,
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: Secret | None = None,
        session_token: Secret | None = None,
        profile_name: str | None = None,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 20,
    ) -> None:
        _FAULTS.check_above_zero(healthcheck_timeout=healthcheck_timeout)
        if not _TABLE.fullmatch(table):
            raise _FAULTS.no_sense("is not 3 to 255 letters, digits, `_`, `-` and `.`", "table")
        self._api = Service(
            "dynamodb",
            Account(region, endpoint_url, access_key_id, secret_access_key, session_token, profile_name, ca_file),
            _FAULTS,
            NosqlClosed,
            _said,
            timeout=timeout,
            max_connections=max_connections,
        )
        self._table = table
        self._healthcheck_timeout = healthcheck_timeout

    async def get(self, collection: str, id: str) -> Document | None:
        check_name(collection, id)
        found = await self._api.ask(
            "get_item", id, TableName=self._table, Key=_key(collection, id), ConsistentRead=True
        )
        return _document(found["Item"]) if "Item" in found else None

    async def put(
        self,
        collection: str,
        id: str,
        data: Mapping[str, Json],
        *,
        if_absent: bool = False,
        if_version: str | None = None,
    ) -> Document:
        step = single(collection, id, checked_data(data), if_absent, if_version)
        version = token_hex(16)
        _, options = self._change(step, version)
        await self._api.ask("put_item", id, **options)
        return Document(id, step.data or {}, version)

    async def delete(self, collection: str, id: str, *, if_version: str | None = None) -> bool:
        _, options = self._change(single(collection, id, None, False, if_version), "")
        gone = await self._api.ask("delete_item", id, ReturnValues="ALL_OLD", **options)
        return "Attributes" in gone

    async def find(
        self,
        collection: str,
        where: Where | None = None,
        *,
        order: str | None = None,
        descending: bool = False,
        limit: int | None = None,
    ) -> AsyncIterator[Document]:
        query = checked_query(collection, where, order, descending, limit)
        async with aclosing(self._all(collection)) as documents, aclosing(query.chosen(documents)) as chosen:
            async for document in chosen:
                yield document

    async def count(self, collection: str, where: Where | None = None) -> int:
        query = checked_query(collection, where)
        if not query.conditions:
            async with aclosing(self._pages(collection, Select="COUNT")) as pages:
                return sum([page["Count"] async for page in pages])
        async with aclosing(self._all(collection)) as documents, aclosing(query.chosen(documents)) as chosen:
            return sum([1 async for _ in chosen])

    def transaction(self) -> AbstractAsyncContextManager[DocumentChanges]:
        return open_transaction(self.get, self._commit)

    async def _commit(self, steps: Sequence[Step]) -> None:
        version = token_hex(16)
        changes = [dict((self._change(step, version),)) for step in steps]
        await self._api.ask("transact_write_items", steps[0].id, TransactItems=changes)

    def _change(self, step: Step, version: str) -> tuple[str, dict[str, Any]]:
        """What the service calls a step, and what it is told of it."""
        told: dict[str, Any] = {"TableName": self._table}
        if step.version is not None:
            told |= {"ConditionExpression": "#v = :v", "ExpressionAttributeNames": {"#v": "version"}}
            told["ExpressionAttributeValues"] = {":v": {"S": step.version}}
        elif step.reads:
            told |= {"ConditionExpression": "attribute_not_exists(#i)", "ExpressionAttributeNames": {"#i": "id"}}
        key = _key(step.collection, step.id)
        if step.text is not None:
            return "Put", {**told, "Item": {**key, "version": {"S": version}, "body": {"S": step.text}}}
        return ("Delete" if step.writes else "ConditionCheck"), {**told, "Key": key}

    async def _all(self, collection: str) -> AsyncGenerator[Document, None]:
        """The documents of a collection, by id."""
        async with aclosing(self._pages(collection, Limit=_PAGE)) as pages:
            async for page in pages:
                for item in page["Items"]:
                    yield _document(item)

    async def _pages(self, collection: str, **options: Any) -> AsyncGenerator[Any, None]:
        asked: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "#c = :c",
            "ExpressionAttributeNames": {"#c": "collection"},
            "ExpressionAttributeValues": {":c": {"S": collection}},
            **options,
        }
        while True:
            page = await self._api.ask("query", **asked)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            asked["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def _ask_health(self) -> None:
        """A query of what is in no collection, which no table with other keys takes."""
        await self._api.ask(
            "query",
            seconds=self._healthcheck_timeout,
            TableName=self._table,
            KeyConditionExpression="#c = :c AND #i > :i",
            ExpressionAttributeNames={"#c": "collection", "#i": "id"},
            ExpressionAttributeValues={":c": {"S": "-"}, ":i": {"S": "-"}},
        )


def _key(collection: str, id: str) -> dict[str, Any]:
    return {"collection": {"S": collection}, "id": {"S": id}}


def _document(item: Any) -> Document:
    match item:
        case {"id": {"S": str(id)}, "version": {"S": str(version)}, "body": {"S": str(body)}}:
            return Document(id, json.loads(body), version)
        case _:
            raise _FAULTS.no_answer("an item there was not written by this component", "table")


def _said(error: ClientError, id: str) -> Exception | None:
    """The port's error for what this service alone answers."""
    code = code_of(error)
    if code in _UNMET or (code == "TransactionCanceledException" and _is_unmet(error)):
        return Step("", id).conflict(_PROVIDER)
    match code:
        case "ResourceNotFoundException":
            return _FAULTS.no_sense("the region has no table of this name", "table")
        case "ValidationException":
            what = "the table takes no such request: its keys are to be the texts `collection` and `id`"
            return _FAULTS.no_sense(what, "table")
        case _:
            return None


def _is_unmet(error: ClientError) -> bool:
    """Whether a transaction was cancelled for what it is about, and not since the service has too much to do."""
    response: Any = error.response
    return {each.get("Code") for each in response.get("CancellationReasons", ())} <= _UNMET_IN_A_TRANSACTION
