"""Events of an application, as documents: emitted by an operator, and those that could not be delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from oneiric.boundary import PlainError, plain
from oneiric.declared import topics_of
from oneiric.documents import Misfit, parse
from oneiric.envelope import Delivered, Emitted, instant
from oneiric.errors import OneiricError
from oneiric.flows.model import Outcome, Run
from oneiric.host import Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.engines.outbox import Outbox
    from oneiric.engines.work import Work

_ENGINE = "adapter:engine"
EMIT_FORMAT = "oneiric.event-emit/1"
DEAD_FORMAT = "oneiric.event-dead/1"
CHANGE_FORMAT = "oneiric.event-change/1"
_MOST = 1000
_OUTBOX = "outbox/"


class Messages:
    """Of one application."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def _work(self) -> Work | None:
        """What runs durable deliveries; None where no engine is bound."""
        if _ENGINE not in self._host.base.slots():
            return None
        from oneiric.engines.work import work_of  # which a process that runs nothing does not pay for

        return work_of(self._host)

    async def emit(
        self,
        *,
        topic: str,
        payload: str,
        tenant: str | None,
        id: str | None,
        source: str | None,
        time: str | None,
        subject: str | None,
    ) -> dict[str, Any]:
        """Emit an event, a JSON object in `payload`; what became of it. Raises `Misfit` for a topic that is not
        declared, `EventError`, `EnvelopeError`, `UnknownTenant`."""
        from oneiric.engines.emitting import emitter_of, view_of

        scope = view_of(self._host, tenant)
        declared = topics_of(scope).get(topic)
        if declared is None:
            near = get_close_matches(topic, topics_of(scope), n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise Misfit(f"there is no topic {topic}{hint}")
        event: Any = parse(payload.encode(errors="surrogateescape"), {})
        emitter = emitter_of(self._host)
        emitted = await emitter.emit(scope, declared, event, id=id, source=source, time=time, subject=subject)
        return emitted_document(emitted)

    async def emit_and_wait(self, **asked: Any) -> dict[str, Any]:
        """The same where nobody else works: the runs of durable deliveries are waited for."""
        from oneiric.engines.emitting import emitter_of
        from oneiric.engines.subscriptions import table_of

        table = table_of(self._host.wiring_class)
        durable = {name for name, each in table.items() if each.get("delivery") == "durable"}
        work = self._work if durable else None
        if work is not None:
            await work.begin(self)
        try:
            document = await self.emit(**asked)
            stored = [each for each in document["handlers"] if each["state"] == "stored"]
            if stored:
                await _relayed(emitter_of(self._host))
            for each in document["handlers"]:
                if work is not None and each["run"] is not None and each["handler"] in durable:
                    await _await_end(work, each)
        finally:
            if work is not None:
                await work.end(self)
        return document

    async def dead(self) -> dict[str, Any]:
        """Events whose durable delivery failed for good, and those of outboxes that could not be relayed."""
        found: list[dict[str, Any]] = []
        work = self._work
        if work is not None:
            found += [_dead_run(run, await work.engine.result(run.id)) for run in await self._failed(work)]
        for outbox in await self._outboxes():
            found += [
                {
                    "id": _name(outbox, each.id),
                    "subscription": None,
                    "tenant": outbox.tenant,
                    "at": None,
                    "errors": [{"node": "outbox", "type": "relay", "message": each.dead or "", "attempts": 1}],
                }
                for each in await outbox.dead()
            ]
        return {"format": DEAD_FORMAT, "dead": found}

    async def outbox_counts(self, within: float) -> tuple[int, int] | None:
        """How many events wait in the base's outbox, and how many could not be relayed; None where there is none, its
        database is not active, or does not answer in time."""
        key = self._host.wiring_class.__outbox__
        if key is None or self._host.base.slot(key).home.held is None:
            return None
        from oneiric.engines.emitting import emitter_of

        outbox = emitter_of(self._host).outbox(self._host.base)
        try:
            async with asyncio.timeout(within):
                return None if outbox is None else await outbox.counts()
        except (OneiricError, TimeoutError):
            return None

    async def _failed(self, work: Work) -> list[Run]:
        failed = await work.engine.runs(state="failed", limit=_MOST)
        return [run for run in failed if run.key.startswith("event:")]

    async def _outboxes(self) -> list[Outbox]:
        from oneiric.engines.emitting import emitter_of
        from oneiric.engines.relay import owners

        return await owners(emitter_of(self._host))

    async def retry(self, *, ids: Sequence[str]) -> dict[str, Any]:
        """Deliver dead letters again; without ids all. Raises `UnknownRun`, `Misfit`."""
        return await self._each(ids, "retried")

    async def drop(self, *, ids: Sequence[str]) -> dict[str, Any]:
        """Remove dead letters. Raises `UnknownRun`, `Misfit`."""
        return await self._each(ids, "dropped")

    async def _each(self, ids: Sequence[str], done: str) -> dict[str, Any]:
        wanted = list(ids) or [each["id"] for each in (await self.dead())["dead"]]
        changed: list[str] = []
        outboxes = await self._outboxes() if any(each.startswith(_OUTBOX) for each in wanted) else []
        for each in wanted:
            if not each.startswith(_OUTBOX):
                await self._change_run(each, done)
            elif not await _change_row(outboxes, each, done):
                raise Misfit(f"there is no dead letter {each}")
            changed.append(each)
        return {"format": CHANGE_FORMAT, "change": done, "ids": changed}

    async def _change_run(self, id: str, done: str) -> None:
        work = self._work
        run = None if work is None else await work.run(id)
        if work is None or run is None or run.state != "failed" or not run.key.startswith("event:"):
            raise Misfit(f"there is no dead letter {id}")
        await (work.engine.retry(id) if done == "retried" else work.engine.forget(run=id))


async def _change_row(outboxes: Sequence[Outbox], name: str, done: str) -> bool:
    for outbox in outboxes:
        number, _, tenant = name.removeprefix(_OUTBOX).partition("@")
        if number.isdecimal() and tenant == (outbox.tenant or ""):
            return await (outbox.revive(int(number)) if done == "retried" else outbox.drop(int(number)))
    return False


def _name(outbox: Outbox, id: int) -> str:
    return f"{_OUTBOX}{id}" + (f"@{outbox.tenant}" if outbox.tenant is not None else "")


def _dead_run(run: Run, outcome: Outcome) -> dict[str, Any]:
    return {
        "id": run.id,
        "subscription": run.key.removeprefix("event:"),
        "tenant": run.tenant,
        "at": run.ended_at,
        "errors": outcome["errors"],
    }


def emitted_document(emitted: Emitted) -> dict[str, Any]:
    """What became of an event; a value that is not JSON is left out."""
    return {
        "format": EMIT_FORMAT,
        "id": emitted.id,
        "source": emitted.source,
        "topic": emitted.topic,
        "time": instant(emitted.time),
        "tenant": emitted.tenant,
        "handlers": [_answer(each) for each in emitted.handlers],
    }


def _answer(answer: Delivered) -> dict[str, Any]:
    try:
        value = plain(answer.value)
    except PlainError:
        value = None
    return {
        "handler": answer.handler,
        "state": answer.state,
        "duration": answer.duration,
        "value": value,
        "error": answer.error,
        "attempts": answer.attempts,
        "run": answer.run,
    }


async def _await_end(work: Work, answer: dict[str, Any]) -> None:
    """Let the answer of a durable delivery say how its run ended."""
    outcome: Outcome = await work.engine.result(answer["run"])
    answer["state"] = "completed" if outcome["state"] == "completed" else "failed"
    answer["value"] = outcome["result"]
    if outcome["errors"]:
        error = outcome["errors"][0]
        answer["error"], answer["attempts"] = f"{error['type']}: {error['message']}", error["attempts"]


async def _relayed(emitter: Any) -> None:
    """Relay what waits in the base's outbox."""
    from oneiric.engines.relay import Relay

    outbox = emitter.outbox(emitter.host.base)
    relay = Relay(emitter, outbox, lambda envelope: None)
    while await relay.relay():
        pass
