"""The action `event.dispatch`: an event delivered to webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from time import perf_counter, time
from typing import Any, Final, NotRequired, Protocol, TypedDict, cast
from urllib.parse import quote
from uuid import uuid4

from oneiric import Secret, component
from oneiric.actions import ActionUnavailable, Json
from oneiric.actions._payload import Fields, canonical, chosen, payload_of, settings_of
from oneiric.actions._requests import MAX_TIMEOUT, answered, headers_of
from oneiric.adapters.http import HttpClient
from oneiric.errors import ActionError
from oneiric.flows.attempts import attempted
from oneiric.flows.model import Retry, Step, StepFailed
from oneiric.stepping import token
from oneiric.webhooks import headers_of as signed
from oneiric.webhooks import key_of

_KEY: Final = "event.dispatch"
_METHODS = ("post", "put", "patch")
_HOOK = ("name", "url", "method", "headers", "enabled", "timeout_seconds", "secret")
_LATER = frozenset((HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS))
_MOST_HOOKS = 1000
_MOST_ANSWER = 1024 * 1024


class Event(TypedDict):
    """What is delivered.

    `id`: what tells it from every other.
    `topic`: what it is about.
    `source`: who tells of it.
    `timestamp`: when, as UTC in ISO 8601.
    `payload`: what is told.
    `metadata`: what is told besides.
    """

    id: str
    topic: str
    source: str
    timestamp: str
    payload: Json
    metadata: dict[str, Json]


class HookAnswer(TypedDict):
    """How a hook took it.

    `name`: the hook.
    `status`: `delivered`, `failed`, `skipped` where it is not enabled, or `dry_run`.
    `status_code`: the last status that was answered; null where there was no answer.
    `attempts`: how many requests were made.
    `elapsed_ms`: milliseconds that all of it took.
    `error`: why it failed, else null.
    """

    name: str
    status: str
    status_code: int | None
    attempts: int
    elapsed_ms: float
    error: str | None


class Dispatched(TypedDict):
    """What became of an event.

    `status`: `delivered` to every hook that is enabled, `partial` to some, `failed` to none, `skipped` where none is
    enabled, `dry_run` where nothing was sent.
    `event`: what was delivered.
    `hooks`: how each hook took it, in their order.
    `delivered`: how many took it.
    `skipped`: how many were passed over.
    `failed`: how many did not take it.
    """

    status: str
    event: Event
    hooks: list[HookAnswer]
    delivered: int
    skipped: int
    failed: int


class Hook(TypedDict):
    """A webhook.

    `url`: the address.
    `name`: what it is called; `hook` and its place by default.
    `method`: `POST` by default, `PUT` or `PATCH`.
    `headers`: header fields besides.
    `enabled`: whether it is delivered to.
    `timeout_seconds`: how long one attempt may take; the setting by default.
    `secret`: what it is signed with, by Standard Webhooks; the setting by default.
    """

    url: str
    name: NotRequired[str | None]
    method: NotRequired[str | None]
    headers: NotRequired[dict[str, str] | None]
    enabled: NotRequired[bool]
    timeout_seconds: NotRequired[float | None]
    secret: NotRequired[str | None]


class Dispatch(Protocol):
    """Delivers an event to webhooks, all at once: signed, again where one does not answer, and says how each took it.

    `topic`: what it is about; the setting by default.
    `payload`: what is told.
    `metadata`: what is told besides.
    `hooks`: where it goes.
    `source`: who tells of it; the setting by default.
    `event_id`: what tells it from every other; the token of the step by default, else it is made up.
    `dry_run`: whether nothing is sent; the setting by default.
    """

    async def __call__(
        self,
        *,
        topic: str | None = None,
        payload: Json = None,
        metadata: Mapping[str, Json] | None = None,
        hooks: list[Hook] | None = None,
        source: str | None = None,
        event_id: str | None = None,
        dry_run: bool | None = None,
    ) -> Dispatched: ...


class _Hook:
    """A hook, looked at."""

    __slots__ = ("enabled", "headers", "key", "method", "name", "timeout", "url")

    def __init__(self, checks: Fields, number: int, hook: Any, key: bytes | None, timeout: float) -> None:
        field = f"hooks[{number}]"
        given = checks.mapping(field, hook)
        for name in given:
            if name not in _HOOK:
                raise checks.wrong(f"{field}.{name}", f"is none of {', '.join(_HOOK)}")
        if "url" not in given:
            raise checks.wrong(f"{field}.url", "is missing")
        self.url = checks.text(f"{field}.url", given["url"], empty=False)
        self.name = checks.text(f"{field}.name", chosen(given.get("name"), f"hook{number}"), empty=False)
        self.method = checks.one_of(f"{field}.method", chosen(given.get("method"), "post"), _METHODS)
        self.headers = headers_of(checks, f"{field}.headers", chosen(given.get("headers"), {}))
        self.enabled = checks.boolean(f"{field}.enabled", given.get("enabled", True))
        within = chosen(given.get("timeout_seconds"), timeout)
        self.timeout = checks.number(f"{field}.timeout_seconds", within, 0.001, MAX_TIMEOUT)
        secret = given.get("secret")
        self.key = key if secret is None else _key(checks, f"{field}.secret", secret)


def _key(checks: Fields, field: str, secret: object) -> bytes:
    key = key_of(checks.text(field, secret, empty=False))
    if key is None:
        raise checks.wrong(field, "is not one of Standard Webhooks: base64, after `whsec_` or without it")
    return key


@component(
    "action",
    "event.dispatch",
    provider="builtin-event-dispatch",
    priority=0,
    stack_level=-10,
    capabilities=("dispatch", "emit", "hook"),
    needs={"http": "adapter:http"},
    port="oneiric.actions.dispatch:Dispatch",
)
class EventDispatch:
    """Delivers events to webhooks by `adapter:http`.

    `default_topic`: the topic, where a payload does not say.
    `default_source`: the source, where a payload does not say.
    `max_hooks`: how many hooks a payload has at most.
    `timeout`: how long one attempt may take, where a hook does not say.
    `concurrency`: how many hooks are delivered to at once.
    `dry_run`: whether nothing is sent, where a payload does not say.
    `attempts`: how many requests a hook that does not answer, or answers 408, 425, 429 or 500 and above, is sent.
    `retry_delay`: seconds before the second request, doubled before each further one, up to a minute.
    `secret`: what is signed with, by Standard Webhooks, where a hook has none of its own.
    """

    def __init__(
        self,
        *,
        http: HttpClient,
        default_topic: str = "events.default",
        default_source: str = "oneiric.runtime",
        max_hooks: int = 10,
        timeout: float = 5.0,
        concurrency: int = 5,
        dry_run: bool = False,
        attempts: int = 3,
        retry_delay: float = 0.5,
        secret: Secret | None = None,
    ) -> None:
        checks = settings_of(_KEY, "builtin-event-dispatch")
        self._http = http
        self._topic = checks.text("default_topic", default_topic, empty=False)
        self._source = checks.text("default_source", default_source, empty=False)
        self._most = checks.integer("max_hooks", max_hooks, 1, _MOST_HOOKS)
        self._timeout = checks.number("timeout", timeout, 0.001, MAX_TIMEOUT)
        self._at_once = checks.integer("concurrency", concurrency, 1, _MOST_HOOKS)
        self._dry = checks.boolean("dry_run", dry_run)
        delay = checks.number("retry_delay", retry_delay, 0, 60)
        times = checks.integer("attempts", attempts, 1, 100)
        self._retry: Retry = {"attempts": times, "delay": delay, "max": 60.0, "jitter": 0.25}
        self._key = None if secret is None else _key(checks, "secret", secret.reveal())

    async def __call__(
        self,
        *,
        topic: str | None = None,
        payload: Json = None,
        metadata: Mapping[str, Json] | None = None,
        hooks: list[Hook] | None = None,
        source: str | None = None,
        event_id: str | None = None,
        dry_run: bool | None = None,
    ) -> Dispatched:
        checks = payload_of(_KEY)
        event: Event = {
            "id": _id(checks, event_id),
            "topic": checks.text("topic", chosen(topic, self._topic), empty=False),
            "source": checks.text("source", chosen(source, self._source), empty=False),
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "payload": checks.json("payload", payload),
            "metadata": checks.mapping("metadata", {} if metadata is None else metadata),
        }
        looked_at = self._hooks(checks, hooks)
        dry = checks.boolean("dry_run", chosen(dry_run, self._dry))
        free = asyncio.Semaphore(self._at_once)
        body = canonical(cast("Json", event))
        answers = await asyncio.gather(*(self._answer(hook, event["id"], body, free, dry) for hook in looked_at))
        return _dispatched(event, answers, dry)

    def _hooks(self, checks: Fields, hooks: Any) -> list[_Hook]:
        if hooks is None:
            return []
        if not isinstance(hooks, list | tuple):
            raise checks.wrong("hooks", "is not a list of hooks")
        several = cast("Sequence[Any]", hooks)
        if len(several) > self._most:
            raise checks.wrong("hooks", f"has {len(several)} hooks, and {self._most} are allowed")
        return [_Hook(checks, number, hook, self._key, self._timeout) for number, hook in enumerate(several)]

    async def _answer(self, hook: _Hook, id: str, body: bytes, free: asyncio.Semaphore, dry: bool) -> HookAnswer:
        answer: HookAnswer = {
            "name": hook.name, "status": "delivered", "status_code": None, "attempts": 0, "elapsed_ms": 0.0,
            "error": None,
        }  # fmt: skip
        if not hook.enabled or dry:
            answer["status"] = "dry_run" if hook.enabled else "skipped"
            return answer

        async def send() -> None:
            answer["attempts"] += 1
            answer["status"], answer["status_code"], answer["error"] = "failed", None, None
            try:
                answer["status_code"] = status = await self._sent(hook, id, body)
                if status >= 500 or status in _LATER:
                    raise ActionUnavailable(f"got the status {status}", key=_KEY)
            except ActionError as error:
                answer["error"] = error.what
                if isinstance(error, ActionUnavailable):
                    raise
            else:
                answer["status"] = "delivered" if status < 300 else "failed"
                answer["error"] = None if status < 300 else f"got the status {status}"

        async with free:
            begun = perf_counter()
            with suppress(StepFailed):  # what the last attempt came to is the answer
                await attempted(Step(id, 0, hook.name, _KEY, {}, self._retry), send)
            answer["elapsed_ms"] = round((perf_counter() - begun) * 1000, 3)
        return answer

    async def _sent(self, hook: _Hook, id: str, body: bytes) -> int:
        headers = {"content-type": "application/json", **hook.headers}
        if hook.key is not None:
            headers.update(signed(body, hook.key, id, int(time())))
        response = await answered(
            self._http, _KEY, hook.method, hook.url, headers=headers, body=body, timeout=hook.timeout, most=_MOST_ANSWER
        )
        return response.status


def _id(checks: Fields, given: str | None) -> str:
    if given is None:
        return quote(token() or uuid4().hex, safe="/[]").replace(".", "%2E")
    id = checks.text("event_id", given, empty=False)
    if not id.isascii() or not id.isprintable() or {" ", "."} & {*id}:
        raise checks.wrong("event_id", "is not one of Standard Webhooks: printable ASCII without spaces and full stops")
    return id


def _dispatched(event: Event, answers: list[HookAnswer], dry: bool) -> Dispatched:
    count = {status: sum(each["status"] == status for each in answers) for status in ("delivered", "failed")}
    if dry:
        status = "dry_run"
    elif count["failed"]:
        status = "partial" if count["delivered"] else "failed"
    else:
        status = "delivered" if count["delivered"] else "skipped"
    return {
        "status": status,
        "event": event,
        "hooks": answers,
        "delivered": count["delivered"],
        "skipped": len(answers) - count["delivered"] - count["failed"],
        "failed": count["failed"],
    }
