"""What the engine `dbos` keeps in its database: DBOS's tables, and three of its own beside them.

All functions block: they are called in threads.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from oneiric.adapters.engine import QueueState
from oneiric.adapters.engine._dbos_rows import PARKED, STATES, QueueRow, limits_text, queue_of, run_of, step_of
from oneiric.flows.model import Limits, Outcome, Run, RunState, StepRecord

OWN = "oneiric.runs"
"""The queue of runs that have none."""
SUSPECTS = "oneiric.suspects"
"""The queue of runs that processes ended with again and again: one of them at a time."""
MOST_RECOVERIES = 10
"""A run that ends this many processes without getting any further is parked when it ends another one."""
SUSPECT_FROM = 3

_EVERYTHING = "*"
"""The name under which it is kept that all queues are paused."""


class Tables:
    """All that is asked of the database and not done by DBOS itself. `schema`: where it is, None on SQLite."""

    def __init__(self, engine: sa.Engine, schema: str | None) -> None:
        self.engine = engine
        # a read asks a server once, where a transaction around it would ask three times
        self._reading = engine if schema is None else engine.execution_options(isolation_level="AUTOCOMMIT")
        self.schema = schema
        data = sa.MetaData(schema=schema)
        text, whole = sa.Text, sa.BigInteger
        self.runs = sa.Table(
            "workflow_status", data,
            *(sa.Column(name, text) for name in (
                "workflow_uuid", "status", "name", "executor_id", "queue_name", "queue_partition_key", "owner_xid"
            )),
            *(sa.Column(name, whole) for name in (
                "created_at", "updated_at", "completed_at", "started_at_epoch_ms", "recovery_attempts"
            )),
            sa.Column("attributes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")),
        )  # fmt: skip
        self.inputs = sa.Table("workflow_input", data, sa.Column("workflow_uuid", text), sa.Column("inputs", text))
        self.outputs = sa.Table(
            "workflow_output", data, *(sa.Column(name, text) for name in ("workflow_uuid", "output", "error"))
        )
        self._ended = (
            sa.select(self.runs.c.status, self.outputs.c.output, self.outputs.c.error)
            .select_from(self.runs.outerjoin(self.outputs, self.outputs.c.workflow_uuid == self.runs.c.workflow_uuid))
            .where(self.runs.c.workflow_uuid == sa.bindparam("run"))
        )
        self.steps = sa.Table(
            "operation_outputs", data,
            sa.Column("workflow_uuid", text), sa.Column("function_id", sa.Integer), sa.Column("function_name", text),
            sa.Column("output", text), sa.Column("error", text),
            sa.Column("started_at_epoch_ms", whole), sa.Column("completed_at_epoch_ms", whole),
        )  # fmt: skip
        own = sa.MetaData(schema=schema)
        self._own = own
        self._marks = sa.Table(
            "oneiric_marks", own, sa.Column("name", text, primary_key=True), sa.Column("value", text, nullable=False)
        )
        self._queues = sa.Table(
            "oneiric_queues", own,
            sa.Column("name", text, primary_key=True), sa.Column("paused", sa.Boolean, nullable=False),
            sa.Column("ordered", sa.Boolean, nullable=False), sa.Column("limits", text, nullable=False),
        )  # fmt: skip
        self._trials = sa.Table(
            "oneiric_trials", own,
            sa.Column("run", text, primary_key=True), sa.Column("recoveries", sa.Integer, nullable=False),
            sa.Column("steps", sa.Integer, nullable=False), sa.Column("why", text),
        )  # fmt: skip

    def create(self) -> None:
        """Create the tables that are the engine's own."""
        with self.engine.begin() as c:
            if self.schema is not None:
                c.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('oneiric.engine'))"))
            for table in self._own.sorted_tables:
                c.execute(sa.schema.CreateTable(table, if_not_exists=True))

    # --- runs

    def run(self, run: str) -> Run | None:
        """What is known of a run."""
        with self._reading.connect() as c:
            row = c.execute(self._told().where(self.runs.c.workflow_uuid == run)).first()
        return None if row is None else run_of(row)

    def found(self, key: str | None, state: RunState | None, queue: str | None, limit: int) -> list[Run]:
        """The runs of a key, state and queue, the newest first."""
        runs = self.runs
        found = self._told().order_by(runs.c.created_at.desc(), runs.c.attributes["at"].as_string().desc())
        for name, wanted in (("key", key), ("queue", queue)):
            if wanted is not None:
                found = found.where(runs.c.attributes[name].as_string() == wanted)
        if state is not None:
            found = found.where(runs.c.status.in_([name for name, means in STATES.items() if means == state]))
        with self._reading.connect() as c:
            return [run_of(row) for row in c.execute(found.limit(limit))]

    def outcome(self, run: str) -> Outcome | None:
        """How a run ended, if it has. Raises `LookupError`."""
        with self._reading.connect() as c:
            row = c.execute(self._ended, {"run": run}).first()
        if row is None:
            raise LookupError(run)
        state = STATES[row.status]
        if state == "cancelled":
            return {"state": "cancelled", "result": None, "errors": [], "nodes": {}}
        if state not in ("completed", "failed"):
            return None
        kept: Any = msgspec.json.decode(row.output or row.error)
        return kept["outcome"]  # type: ignore[no-any-return]

    def submitted(self, run: str) -> Any:
        """The payload that a run was submitted with."""
        with self._reading.connect() as c:
            text = c.execute(sa.select(self.inputs.c.inputs).where(self.inputs.c.workflow_uuid == run)).scalar()
        return None if text is None else msgspec.json.decode(text)["args"][0]

    def made(self, run: str) -> list[StepRecord]:
        """The steps of a run that are over, by number."""
        steps = self.steps
        with self._reading.connect() as c:
            rows = c.execute(sa.select(steps).where(steps.c.workflow_uuid == run).order_by(steps.c.function_id)).all()
        return [step_of(row) for row in rows]

    def before(self, at: datetime) -> list[str]:
        """The runs that ended before an instant."""
        runs = self.runs
        ended = ("SUCCESS", "ERROR", "CANCELLED")
        with self._reading.connect() as c:
            return list(
                c.execute(
                    sa.select(runs.c.workflow_uuid)
                    .where(runs.c.status.in_(ended))
                    .where(runs.c.completed_at < int(at.timestamp() * 1000))
                ).scalars()
            )

    def stamp(self, c: sa.Connection, run: str, at: int) -> None:
        """Write when a run was submitted, in milliseconds: what its place in the queue goes by."""
        c.execute(sa.update(self.runs).where(self.runs.c.workflow_uuid == run).values(created_at=at))

    # --- what becomes of runs whose process is gone

    def park(self, run: str, executor: str, why: str) -> None:
        """Let a run that a process carries on wait for somebody."""
        with self.engine.begin() as c:
            self._park(c, run, executor, why)

    def give_back(self, executor: str) -> None:
        """Let the runs that a process would carry on be taken up by any."""
        with self.engine.begin() as c:
            c.execute(self._again(executor).values(queue_name=sa.func.coalesce(self.runs.c.queue_name, OWN)))

    def executors(self) -> list[str]:
        """The processes that carry runs on."""
        with self._reading.connect() as c:
            return list(
                c.execute(
                    sa.select(self.runs.c.executor_id).where(self.runs.c.status == "PENDING").distinct()
                ).scalars()
            )

    def recover(self, executor: str) -> int:
        """Let the runs of a process that is gone be taken up again; how many.

        Each counts how often that happened since it last got further. Of those that ran beside a suspect only that one
        counts.
        """
        runs, steps = self.runs, self.steps
        number = sa.select(sa.func.count()).where(steps.c.workflow_uuid == runs.c.workflow_uuid).scalar_subquery()
        with self.engine.begin() as c:
            found = c.execute(
                sa.select(runs.c.workflow_uuid, runs.c.queue_name, number.label("steps"))
                .where(runs.c.executor_id == executor)
                .where(runs.c.status == "PENDING")
            ).all()
            beside_a_suspect = any(row.queue_name == SUSPECTS for row in found)
            for row in found:
                counts = row.queue_name == SUSPECTS or not beside_a_suspect
                often = self._tried(c, row.workflow_uuid, row.steps, int(counts))
                if often > MOST_RECOVERIES:
                    why = f"{often} processes ended while they carried it on, and no step was finished"
                    self._park(c, row.workflow_uuid, executor, why)
                    continue
                queue = SUSPECTS if often >= SUSPECT_FROM else row.queue_name or OWN
                c.execute(self._again(executor, row.workflow_uuid).values(queue_name=queue))
        return len(found)

    def clear(self, run: str) -> None:
        """Forget what is known of its recoveries."""
        with self.engine.begin() as c:
            c.execute(sa.delete(self._trials).where(self._trials.c.run == run))

    def drop_failed(self, run: str) -> None:
        """Forget the steps of a run that came to no result."""
        steps = self.steps
        with self.engine.begin() as c:
            rows = c.execute(sa.select(steps).where(steps.c.workflow_uuid == run)).all()
            failed = [row.function_id for row in rows if step_of(row).state == "failed"]
            c.execute(sa.delete(steps).where(steps.c.workflow_uuid == run).where(steps.c.function_id.in_(failed)))

    def _tried(self, c: sa.Connection, run: str, steps: int, more: int) -> int:
        trials = self._trials
        row = c.execute(sa.select(trials).where(trials.c.run == run)).first()
        often = more + (row.recoveries if row is not None and row.steps >= steps else 0)
        c.execute(sa.delete(trials).where(trials.c.run == run))
        c.execute(sa.insert(trials).values(run=run, recoveries=often, steps=steps))
        return often

    def _park(self, c: sa.Connection, run: str, executor: str, why: str) -> None:
        runs, trials = self.runs, self._trials
        done = c.execute(
            sa.update(runs)
            .where(runs.c.workflow_uuid == run, runs.c.status == "PENDING", runs.c.executor_id == executor)
            .values(status=PARKED, owner_xid=None, queue_name=None)
        )
        if done.rowcount:
            c.execute(sa.delete(trials).where(trials.c.run == run))
            c.execute(sa.insert(trials).values(run=run, recoveries=0, steps=0, why=why))

    def _again(self, executor: str, run: str | None = None) -> sa.Update:
        runs = self.runs
        update = sa.update(runs).where(runs.c.executor_id == executor, runs.c.status == "PENDING")
        if run is not None:
            update = update.where(runs.c.workflow_uuid == run)
        return update.values(status="ENQUEUED", owner_xid=None, started_at_epoch_ms=None)

    def _told(self) -> Any:
        runs, trials = self.runs, self._trials
        return sa.select(
            runs.c.workflow_uuid, runs.c.status, runs.c.attributes, runs.c.started_at_epoch_ms,
            runs.c.completed_at, trials.c.why, trials.c.recoveries,
        ).select_from(runs.outerjoin(trials, trials.c.run == runs.c.workflow_uuid))  # fmt: skip

    # --- queues

    def queue(self, name: str) -> QueueRow | None:
        with self._reading.connect() as c:
            row = c.execute(sa.select(self._queues).where(self._queues.c.name == name)).first()
        return None if row is None else queue_of(row)

    def all_paused(self) -> bool:
        row = self.queue(_EVERYTHING)
        return row is not None and row.paused

    def write_queue(
        self, name: str | None, *, limits: Limits | None = None, paused: bool | None = None, ordered: bool | None = None
    ) -> None:
        """Write what is said of a queue (of all: None), and leave the rest of it as it is."""
        queues, name = self._queues, _EVERYTHING if name is None else name
        said = {"paused": paused, "ordered": ordered, "limits": None if limits is None else limits_text(limits)}
        values = {key: value for key, value in said.items() if value is not None}
        with self.engine.begin() as c:
            fresh = {"name": name, "paused": False, "ordered": False, "limits": limits_text(Limits()), **values}
            c.execute(self._insert(queues).values(fresh).on_conflict_do_update(index_elements=["name"], set_=values))

    def all_queues(self) -> list[QueueRow]:
        """The queues by name."""
        with self._reading.connect() as c:
            rows = c.execute(sa.select(self._queues).order_by(self._queues.c.name)).all()
        return [queue_of(row) for row in rows if row.name != _EVERYTHING]

    def queue_states(self) -> list[QueueState]:
        runs = self.runs
        name = runs.c.queue_name
        with self._reading.connect() as c:
            counts = {
                (row[0], row[1]): row[2]
                for row in c.execute(
                    sa.select(name, runs.c.status, sa.func.count())
                    .where(runs.c.status.in_(("ENQUEUED", "DELAYED", "PENDING")))
                    .group_by(name, runs.c.status)
                )
            }
        all_paused = self.all_paused()
        return [
            QueueState(
                row.name,
                row.paused or all_paused,
                counts.get((row.name, "ENQUEUED"), 0) + counts.get((row.name, "DELAYED"), 0),
                counts.get((row.name, "PENDING"), 0),
                row.limits,
            )
            for row in self.all_queues()
        ]

    # --- marks

    def marks(self, prefix: str) -> dict[str, str]:
        with self._reading.connect() as c:
            rows = c.execute(sa.select(self._marks)).all()
        return {row.name: row.value for row in sorted(rows) if row.name.startswith(prefix)}

    def mark(self, name: str, value: str | None, was: str | None) -> bool:
        """Write a mark that is still as it was; whether it was."""
        marks = self._marks
        with self.engine.begin() as c:
            if was is None and value is None:
                return c.execute(sa.select(marks.c.name).where(marks.c.name == name)).first() is None
            if was is None:
                made = self._insert(marks).values(name=name, value=value).on_conflict_do_nothing()
                return bool(c.execute(made.returning(marks.c.name)).first())
            same = (marks.c.name == name) & (marks.c.value == was)
            changed = (
                sa.delete(marks).where(same) if value is None else sa.update(marks).where(same).values(value=value)
            )
            return bool(c.execute(changed).rowcount)

    def _insert(self, table: sa.Table) -> Any:
        if self.engine.dialect.name == "sqlite":
            return sqlite.insert(table)
        return postgresql.insert(table)
