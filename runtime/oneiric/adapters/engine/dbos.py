"""Engine provider `dbos`: runs in a file, or in a PostgreSQL server. Needs the extra `engine-dbos`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import dbos
import msgspec
import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from oneiric import Secret, component
from oneiric.adapters._common.finish import finish
from oneiric.adapters._common.network import told as told_of
from oneiric.adapters.engine import (
    Caller,
    EngineClosed,
    EngineUnavailable,
    InvalidRun,
    QueueState,
    UnknownRun,
    check_submission,
)
from oneiric.adapters.engine._dbos_places import FAULTS, address, dsn, postgres_engine, sqlite_engine
from oneiric.adapters.engine._dbos_rows import QueueRow
from oneiric.adapters.engine._dbos_serving import FORMAT, NAME, RUN, Json, Serving, is_free
from oneiric.adapters.engine._dbos_tables import OWN, SUSPECTS, Tables
from oneiric.adapters.engine._lease import FileLease, Lease, SessionLease
from oneiric.adapters.engine._memory import told
from oneiric.flows.model import ENDED, Limits, Outcome, Run, RunState, StepRecord, Submission

_ALL = 2_000_000_000  # a step that no run has: a rewind to it keeps every step
_PAUSE = 1.0  # seconds between two looks for the end of a run, where nobody has told of it
_LOG = logging.getLogger("oneiric.engine")
T = TypeVar("T")


@component(
    "adapter",
    "engine",
    provider="dbos",
    priority=0,
    stack_level=-10,
    capabilities=("durable", "limits", "order"),
    port="oneiric.adapters.engine:Engine",
)
class DbosEngine:
    """Keeps runs in a SQLite file, or in a PostgreSQL server, where many processes share them.

    Needs the extra `engine-dbos`; PostgreSQL 14 or later.

    `path`: the file, in an existing folder, created if missing; used where there is no `url`.
    `url`: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.
    `password`: the user's password, instead of one in `url`.
    `schema`: where in the database its tables are; applications that share a database have one each.
    `tls`: encrypt, and check the server's certificate and name.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `max_connections`: how many connections are open at most.
    `connect_timeout`: seconds to open a connection, and to wait for a free one.
    `poll`: seconds between two looks into a queue.
    `silence`: seconds after which a process that says nothing to the server counts as gone.
    """

    def __init__(
        self,
        *,
        path: Path = Path("engine.db"),
        url: str | None = None,
        password: Secret | None = None,
        schema: str = "oneiric",
        tls: bool = False,
        ca_file: Path | None = None,
        max_connections: int = 20,
        connect_timeout: float = 10.0,
        poll: float = 0.25,
        silence: float = 5.0,
    ) -> None:
        FAULTS.check_above_zero(
            max_connections=max_connections, connect_timeout=connect_timeout, poll=poll, silence=silence
        )
        FAULTS.check_text(schema=schema, path=str(path))
        if ca_file is not None and not tls:
            raise FAULTS.no_sense("is given, but tls is off", "ca_file")
        self._password = password
        self._url = None if url is None else address(url, password, tls, ca_file, connect_timeout)
        self._path = path
        self._schema = None if url is None else schema
        self._max, self._timeout, self._poll, self._silence = max_connections, connect_timeout, poll, silence
        self._threads = ThreadPoolExecutor(8, "oneiric-engine")
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._here: set[str] = set()  # runs under way in this process, whose end is told
        self._serving: Serving | None = None
        self._turn = asyncio.Lock()
        self._tables: Tables | None = None
        self._client: dbos.DBOSClient | None = None
        self._lease: Lease | None = None
        self._newest = 0
        self._unpaused_until = 0.0  # on the loop's clock

    async def start(self) -> None:
        """Open the database, and create what is missing in it."""
        if not is_free(self):
            raise EngineUnavailable("restart needed: an engine `dbos` works in this process", provider="dbos")
        await self._in_thread(self._open)

    def __stays__(self) -> str | None:
        """Why another engine cannot take its place now."""
        return None if self._serving is None else "it carries runs on, which another engine would not know of"

    async def health(self) -> bool:
        tables = self._kept()
        return await self._in_thread(lambda: _answers(tables.engine))

    async def aclose(self) -> None:
        async with self._turn:
            serving, self._serving = self._serving, None
            if serving is not None:
                await finish(asyncio.get_running_loop().run_in_executor(self._threads, serving.stop))
        tables, self._tables = self._tables, None
        for events in self._waiting.values():
            for event in events:
                event.set()
        if self._client is not None:
            self._client.destroy()
        if tables is not None:
            tables.engine.dispose()
        self._threads.shutdown(wait=False)

    async def work(self, caller: Caller, queues: Mapping[str, Limits]) -> None:
        tables = self._kept()
        async with self._turn:
            for name, limits in queues.items():
                await self._in_thread(tables.write_queue, name, limits=limits)
            await self._in_thread(self._apply_all)
            if self._serving is not None:
                self._serving.caller = caller
                return
            assert self._lease is not None
            serving = Serving(self, tables, self._lease, caller, self._is_over)
            await self._in_thread(serving.start)
            self._serving = serving

    async def rest(self) -> None:
        async with self._turn:
            serving, self._serving = self._serving, None
            if serving is None:
                return
            try:
                await asyncio.wrap_future(serving.soon(serving.rest()))
            finally:
                await finish(asyncio.get_running_loop().run_in_executor(self._threads, serving.stop))

    async def submit(self, submission: Submission) -> bool:
        tables = self._kept()
        check_submission(submission)
        if not submission.id.strip():
            raise InvalidRun("an id is not of spaces alone", provider="dbos")
        attributes = _attributes(submission)
        try:
            if await self._begins_here(tables, submission):
                await self._begin(submission, attributes)
            else:
                if submission.order is not None:
                    await self._keep_order(tables, submission.queue)
                await self._in_thread(self._enqueue, submission, attributes)
        except dbos.error.DBOSWorkflowIDInUseError:
            kept = await self._in_thread(tables.submitted, submission.id)
            if kept is not None and kept["payload"] != msgspec.to_builtins(submission.payload):
                _LOG.warning("the run %s is known with another payload, which stays", submission.id)
            return False
        return True

    async def result(self, run: str) -> Outcome:
        event, known = asyncio.Event(), run in self._here
        pause = _PAUSE if known else 0.02
        self._waiting.setdefault(run, set()).add(event)
        try:
            if known:
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), pause)
            while True:
                try:
                    outcome = await self._in_thread(self._kept().outcome, run)
                except LookupError:
                    raise _unknown(run) from None
                except EngineUnavailable:
                    if not known:
                        raise
                    outcome = None
                known = True
                if outcome is not None:
                    return outcome
                try:
                    await asyncio.wait_for(event.wait(), pause)
                except TimeoutError:
                    pause = min(pause * 1.5, _PAUSE)
                event.clear()
        finally:
            self._waiting[run].discard(event)
            if not self._waiting[run]:
                del self._waiting[run]

    async def run(self, run: str) -> Run:
        found = await self._in_thread(self._kept().run, run)
        if found is None:
            raise _unknown(run)
        return found

    async def runs(
        self, *, key: str | None = None, state: RunState | None = None, queue: str | None = None, limit: int = 100
    ) -> list[Run]:
        return await self._in_thread(self._kept().found, key, state, queue, limit)

    async def steps(self, run: str) -> list[StepRecord]:
        await self.run(run)
        return await self._in_thread(self._kept().made, run)

    async def cancel(self, run: str) -> bool:
        if (await self.run(run)).state in ENDED:
            return False
        assert self._client is not None
        await self._in_thread(self._client.cancel_workflow, run)
        if self._serving is not None:
            self._serving.cancel(run)
        self._is_over(run)
        return (await self.run(run)).state == "cancelled"

    async def retry(self, run: str, *, step: str | None = None) -> None:
        tables = self._kept()
        kept = await self.run(run)
        if kept.state in ("queued", "running") or (kept.state == "completed" and step is None):
            raise InvalidRun(f"the run {run} is {kept.state}: there is nothing to try again", provider="dbos")
        first = _ALL
        if step is not None:
            made = await self._in_thread(tables.made, run)
            number = next((each.number for each in made if each.name == step), None)
            if number is None:
                raise InvalidRun(f"the run {run} has not made a step {step}", provider="dbos")
            first = number + 1
        await self._in_thread(self._again, run, kept.queue, first)

    async def forget(self, *, run: str | None = None, before: datetime | None = None) -> int:
        tables = self._kept()
        if run is not None:
            over = [run] if (await self.run(run)).state in ENDED else []
        else:
            over = await self._in_thread(tables.before, before or datetime.now(UTC))
        if over:
            assert self._client is not None
            await self._in_thread(self._client.delete_workflows, over)
        return len(over)

    async def limit(self, queue: str, limits: Limits) -> None:
        await self._change(queue, limits=limits)

    async def pause(self, queue: str | None = None) -> None:
        await self._change(queue, paused=True)

    async def resume(self, queue: str | None = None) -> None:
        await self._change(queue, paused=False)

    async def marks(self, prefix: str) -> dict[str, str]:
        return await self._in_thread(self._kept().marks, prefix)

    async def mark(self, name: str, value: str | None, *, was: str | None) -> bool:
        return await self._in_thread(self._kept().mark, name, value, was)

    async def queues(self) -> list[QueueState]:
        return await self._in_thread(self._kept().queue_states)

    # --- what blocks, in threads

    def _open(self) -> None:
        if self._url is None:
            engine = sqlite_engine(str(self._path), 30.0)
            with engine.connect():  # which sets how the file is written, before anything is
                pass
            self._lease = FileLease(self._path.with_name(f"{self._path.name}-processes"))
        else:
            engine = postgres_engine(self._url, self._max, self._timeout)
            connect = partial(psycopg.connect, dsn(self._url))
            self._lease = SessionLease(connect, self._schema or "", self._silence)
        try:
            dbos.DBOS.migrate(engine.url.render_as_string(hide_password=False), schema=self._schema or "dbos")
            self._client = dbos.DBOSClient(
                system_database_engine=engine,
                dbos_system_schema=self._schema,
                serializer=Json(),
                application_name=NAME,
                retry_connection_errors=False,
            )
            self._tables = Tables(engine, self._schema)
            self._tables.create()
        except BaseException:
            self._tables = None
            engine.dispose()
            raise

    def _enqueue(self, submission: Submission, attributes: dict[str, Any]) -> None:
        tables, client = self._kept(), self._client
        assert client is not None
        options: dbos.EnqueueOptions = {
            "workflow_name": RUN,
            "queue_name": submission.queue or OWN,
            "workflow_id": submission.id,
            "workflow_id_reuse_policy": "reject",
            "app_version": FORMAT,
            "queue_partition_key": attributes["part"],
            "attributes": attributes,
        }
        if submission.not_before is not None:
            later = datetime.fromisoformat(submission.not_before) - datetime.now(UTC)
            if later.total_seconds() > 0:
                options["delay_seconds"] = later.total_seconds()
        self._newest = max(self._newest + 1, time.time_ns() // 1_000_000)
        with tables.engine.begin() as c:
            client.enqueue_in_transaction(c, options, submission._asdict())
            tables.stamp(c, submission.id, self._newest)

    def _again(self, run: str, queue: str | None, first: int) -> None:
        tables, client = self._kept(), self._client
        assert client is not None
        if first == _ALL:
            tables.drop_failed(run)
        kept = tables.submitted(run)
        part = _attributes(Submission(**kept))["part"]
        client.rewind_workflow(run, start_step=first, queue_name=queue or OWN, queue_partition_key=part)
        tables.clear(run)

    def _apply_all(self) -> None:
        """Let DBOS know of all queues, as they are to be."""
        tables = self._kept()
        paused = tables.all_paused()
        for row in (*tables.all_queues(), QueueRow(OWN, False, False, Limits())):
            self._apply(row._replace(paused=row.paused or paused))
        self._apply(QueueRow(SUSPECTS, paused, False, Limits(at_once=1)))

    def _apply(self, row: QueueRow) -> None:
        assert self._client is not None
        at_once, here, rate = (0, None, None) if row.paused else row.limits
        self._client.register_queue(
            row.name,
            global_concurrency=at_once,
            worker_concurrency=here if at_once is None or here is None else min(here, at_once),
            partition_concurrency=1 if row.ordered and not row.paused else None,
            limiter=None if rate is None else {"limit": rate[0], "period": rate[1]},
            polling_interval_sec=self._poll,
        )

    # --- the rest

    async def _begins_here(self, tables: Tables, submission: Submission) -> bool:
        """Whether a run may begin now and here."""
        if self._serving is None or submission.queue is not None or submission.not_before is not None:
            return False
        now = asyncio.get_running_loop().time()
        if now < self._unpaused_until:
            return True
        paused = await self._in_thread(tables.all_paused)
        if not paused:
            self._unpaused_until = now + self._poll
        return not paused

    async def _begin(self, submission: Submission, attributes: dict[str, Any]) -> None:
        assert self._serving is not None
        self._here.add(submission.id)  # before it begins: it may be over at once
        try:
            await self._answered(asyncio.wrap_future(self._serving.soon(self._serving.submit(submission, attributes))))
        except BaseException:
            if submission.id not in self._serving.runs:
                self._here.discard(submission.id)
            raise

    async def _keep_order(self, tables: Tables, queue: str | None) -> None:
        """See that a queue lets runs of one order follow each other, before it has the first."""
        assert queue is not None
        row = await self._in_thread(tables.queue, queue)
        if row is None or not row.ordered:
            await self._change(queue, ordered=True)

    async def _change(self, queue: str | None, **said: Any) -> None:
        await self._in_thread(self._kept().write_queue, queue, **said)
        self._unpaused_until = 0.0
        await self._in_thread(self._apply_all)
        if said.get("paused") or said.get("ordered"):
            await asyncio.sleep(2.2 * self._poll)  # until everybody who looks into it knows

    def _is_over(self, run: str) -> None:
        self._here.discard(run)
        for event in self._waiting.get(run, ()):
            event.set()

    def _kept(self) -> Tables:
        if self._tables is None:
            raise EngineClosed("the engine is closed, or not started", provider="dbos")
        return self._tables

    async def _in_thread(self, call: Callable[..., T], /, *arguments: Any, **named: Any) -> T:
        work = asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *arguments, **named))
        return await self._answered(work)

    async def _answered(self, work: asyncio.Future[T]) -> T:
        """What is answered; the port's error where the database does not."""
        try:
            return await work
        except (DBAPIError, psycopg.Error, PoolTimeout) as error:
            text = told_of(error.orig if isinstance(error, DBAPIError) and error.orig else error, self._password)
            setting = "path" if self._url is None else "url"
            if "authentication failed" in text or "no password supplied" in text or "certificate" in text:
                raise FAULTS.no_entry(text, setting) from None
            raise FAULTS.no_answer(text, setting) from None


def _answers(engine: sa.Engine) -> bool:
    with engine.connect() as c:
        return c.execute(sa.text("SELECT 1")).scalar() == 1


def _attributes(submission: Submission) -> dict[str, Any]:
    """What is kept beside a run to find it by; `part`: the runs of it follow each other."""
    order = submission.order
    part = f"run:{submission.id}" if order is None else f"order:{msgspec.json.encode(order).decode()}"
    return {
        "key": submission.flow["key"],
        "tenant": submission.tenant,
        "queue": submission.queue,
        "at": told(datetime.now(UTC)),
        "part": part,
    }


def _unknown(run: str) -> UnknownRun:
    return UnknownRun(f"there is no run {run}", provider="dbos")
