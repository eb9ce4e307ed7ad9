"""A process that carries runs on by DBOS: in a thread and a loop of its own, which DBOS adopts."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, TypeVar
from uuid import uuid4

import dbos
import msgspec
from sqlalchemy.exc import DBAPIError

from oneiric.adapters.engine import Caller, EngineUnavailable
from oneiric.adapters.engine._dbos_tables import Tables
from oneiric.adapters.engine._lease import Lease
from oneiric.boundary import PlainError, plain
from oneiric.flows.attempts import attempted
from oneiric.flows.interpreter import interpret
from oneiric.flows.model import MAX_VALUE, Outcome, Step, StepError, StepFailed, Submission, Unserved

FORMAT = "flows-1"
"""Of what is kept of a run: runs are carried on by processes of the same, whatever else was deployed."""
NAME = "oneiric"
RUN = "oneiric.run"
THREADS = 32
_LOG = logging.getLogger("oneiric.engine")
T = TypeVar("T")


class Json(dbos.Serializer):
    """Values as JSON; a run that failed is an exception to DBOS, and kept by its outcome."""

    def name(self) -> str:
        return "oneiric_json"

    def serialize(self, data: Any) -> str:
        if isinstance(data, RunEnded):
            data = {"outcome": data.outcome}
        elif isinstance(data, BaseException):
            error = {"node": "", "type": type(data).__name__, "message": str(data), "attempts": 0}
            data = {"outcome": {"state": "failed", "result": None, "errors": [error], "nodes": {}}}
        return msgspec.json.encode(data).decode()

    def deserialize(self, serialized_data: str) -> Any:
        return msgspec.json.decode(serialized_data)


class RunEnded(Exception):
    """A run failed; DBOS keeps it as one that did."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__("the run failed")


class _NotServed(BaseException):
    """A step's call is not served: nothing of it is kept, which DBOS would do with an `Exception`."""

    def __init__(self, why: Unserved) -> None:
        self.why = why


class Quiet(logging.Filter):
    """Leaves out of DBOS's log what is no fault: runs that failed, and queues that are paused."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], RunEnded | _NotServed):
            return False
        text = str(record.msg)
        return "exceeds the global concurrency limit" not in text and "Asyncio task cancelled" not in text


_serving: Serving | None = None
_turn = threading.Lock()


@dbos.DBOS.workflow(name=RUN, max_recovery_attempts=None)
async def carry_on(kept: dict[str, Any]) -> dict[str, Any]:
    """A run, as DBOS knows it."""
    if _serving is None:
        raise asyncio.CancelledError
    return await _serving.carry_on(Submission(**kept))


def is_free(holder: object) -> bool:
    """Whether no other engine works in this process: DBOS is there once in a process."""
    return _serving is None or _serving.holder is holder


class Serving:
    """Takes up runs, makes their steps in the application's loop, and sees to those of processes that are gone."""

    def __init__(
        self, holder: object, tables: Tables, lease: Lease, caller: Caller, over: Callable[[str], None]
    ) -> None:
        self.holder = holder
        self.caller = caller
        self.name = uuid4().hex
        self._tables = tables
        self._lease = lease
        self._over = over
        self._application = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="oneiric-engine", daemon=True)
        self._watch = threading.Thread(target=self._look_after, name="oneiric-engine-watch", daemon=True)
        self._ended = threading.Event()
        self._dbos: dbos.DBOS | None = None
        self.runs: dict[str, asyncio.Task[Any]] = {}
        self._hops: dict[str, set[Future[Any]]] = {}
        self._contexts: dict[str, Context] = {}
        self._under_way = 0
        self._resting = False
        self._quiet = asyncio.Event()

    def start(self) -> None:
        """Begin; blocks. Raises `EngineUnavailable` where another engine does already."""
        global _serving
        with _turn:
            if not is_free(self.holder):
                raise EngineUnavailable("restart needed: another engine works in this process", provider="dbos")
            _serving = self
        try:
            self._lease.hold(self.name)
            self._thread.start()
            self.soon(self._launch()).result()
            self._watch.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End: nothing is taken up any more, what is under way is cancelled, runs are given back; blocks."""
        global _serving
        self._ended.set()
        self._take_up_no_more()
        if self._watch.is_alive():
            self._watch.join()
        if self._thread.is_alive():
            self.soon(self._cancel()).result()
            if self._dbos is not None:
                dbos.DBOS.destroy()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()
        try:
            self._tables.give_back(self.name)
        except DBAPIError as error:
            _LOG.warning("runs are taken up by others when they see that this process is gone: %s", error)
        self._lease.release()
        with _turn:
            _serving = None

    def soon(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have something done in the engine's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def submit(self, submission: Submission, attributes: dict[str, Any]) -> None:
        """Begin a run that waits for nothing. In the engine's loop. Raises `DBOSWorkflowIDInUseError`."""
        context = self._contexts.setdefault(submission.id, copy_context())
        try:
            with (
                dbos.SetWorkflowID(submission.id, workflow_id_reuse_policy="reject"),
                dbos.SetWorkflowAttributes(attributes),
            ):
                await dbos.DBOS.start_workflow_async(carry_on, submission._asdict())
        finally:
            if submission.id not in self.runs and self._contexts.get(submission.id) is context:
                del self._contexts[submission.id]

    async def rest(self) -> None:
        """Begin nothing any more, and wait until the steps under way are kept. In the engine's loop."""
        self._resting = True
        self._take_up_no_more()
        while self._under_way:
            self._quiet.clear()
            await self._quiet.wait()

    def cancel(self, run: str) -> None:
        """End the steps of a run that are under way here; from any thread."""
        self._loop.call_soon_threadsafe(lambda: [hop.cancel() for hop in self._hops.get(run, ())])

    async def carry_on(self, submission: Submission) -> dict[str, Any]:
        """A run, until it is over; cancelled where it is parked."""
        task = asyncio.current_task()
        assert task is not None
        self.runs[submission.id] = task
        task.add_done_callback(lambda _: self._done(submission.id, task))
        self._tell(self.caller.begins, submission.id)
        nodes = submission.flow["nodes"].values()
        reserved = [
            dbos.DBOS.reserve_step() for node in nodes for _ in range(node.get("most", 0) if "for_each" in node else 1)
        ]

        async def perform(step: Step) -> Any:
            return await self._perform(step, reserved[step.number])

        try:
            outcome = await interpret(submission, perform)
        except Unserved as why:
            await asyncio.to_thread(self._tables.park, submission.id, self.name, str(why))
            raise asyncio.CancelledError from None
        if outcome["state"] == "failed":
            raise RunEnded(outcome)
        return {"outcome": outcome}

    async def _perform(self, step: Step, reserved: Any) -> Any:
        """The result of a step: as it is kept, else made now."""
        if self._resting:
            await asyncio.Event().wait()
        self._under_way += 1
        try:
            kept = await reserved.run_async({"name": step.name, "preemptible": True}, self._made, step)
        except _NotServed as error:
            raise error.why from None
        finally:
            self._under_way -= 1
            self._quiet.set()
        failed: StepError | None = kept.get("failed")
        if failed is not None:
            raise StepFailed(step.name, failed["type"], failed["message"], failed["attempts"])
        return kept["result"]

    async def _made(self, step: Step) -> dict[str, Any]:
        """A step's call, made in the application's loop and in the context of who began the run: by DBOS's, which is of
        this run, what the step begins would be a part of it."""
        work = attempted(step, lambda: self.caller.call(step))
        context = self._contexts.get(step.run, Context()).copy()
        try:
            hop = context.run(asyncio.run_coroutine_threadsafe, work, self._application)
        except RuntimeError:  # the loop is closed: whoever has the run next makes the step
            work.close()
            raise asyncio.CancelledError from None
        hops = self._hops.setdefault(step.run, set())
        hops.add(hop)
        try:
            return _kept(step, await asyncio.wrap_future(hop))
        except StepFailed as failed:
            return {"failed": failed.told(step.name)}
        except Unserved as why:
            raise _NotServed(why) from None
        finally:
            hops.discard(hop)

    def _done(self, run: str, task: asyncio.Task[Any]) -> None:
        if self.runs.get(run) is task:
            del self.runs[run]
            self._hops.pop(run, None)
            self._contexts.pop(run, None)
        self._tell(self._over, run)

    def _tell(self, told: Callable[[str], None], run: str) -> None:
        with suppress(RuntimeError):  # the application's loop is closed
            self._application.call_soon_threadsafe(told, run, context=Context())

    async def _launch(self) -> None:
        log = logging.getLogger("dbos")
        if not any(isinstance(each, logging.NullHandler) for each in log.handlers):
            log.addHandler(logging.NullHandler())  # it would write to the console by itself
            log.addFilter(Quiet())
        config: dbos.DBOSConfig = {
            "name": NAME,
            "system_database_engine": self._tables.engine,
            "dbos_system_schema": self._tables.schema or "dbos",
            "application_version": FORMAT,
            "executor_id": self.name,
            "serializer": Json(),
            "max_executor_threads": THREADS,
            "enable_otlp": False,
            "log_level": "WARNING",
            "run_migrations": False,
            "scheduler_polling_interval_sec": 3600.0,
            "notification_listener_polling_interval_sec": 0.2,
        }
        self._dbos = dbos.DBOS(config=config)
        if dbos.DBOS.executor_id != self.name:
            self._dbos = None
            raise EngineUnavailable("restart needed: this process uses DBOS by itself", provider="dbos")
        dbos.DBOS.launch()

    def _take_up_no_more(self) -> None:
        if self._dbos is not None:
            for event in self._dbos.background_thread_stop_events:
                event.set()

    async def _cancel(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _look_after(self) -> None:
        """See to the runs of processes that are gone, again and again."""
        while True:
            try:
                for name in set(self._tables.executors()) - {self.name}:
                    with self._lease.dead(name) as gone:
                        if gone and (number := self._tables.recover(name)):
                            _LOG.warning("a process is gone: its unfinished runs, %d, are taken up again", number)
            except Exception as error:  # the database or its server does not answer: try again
                _LOG.warning("what became of other processes is not known: %s", error)
            if self._ended.wait(1.0):
                return


def _kept(step: Step, value: Any) -> dict[str, Any]:
    """A result as it is kept. Raises `StepFailed` where JSON cannot carry it, or it is too long."""
    try:
        whole = plain(value)
    except PlainError as error:
        raise StepFailed(step.name, type(error).__name__, str(error), 1) from None
    if len(msgspec.json.encode(whole)) > MAX_VALUE:
        raise StepFailed(step.name, "TooLong", f"the result is longer than {MAX_VALUE} bytes", 1)
    return {"result": whole}
