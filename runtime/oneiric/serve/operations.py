"""The operations of a running process: one row each, read by the process, by who asks it, and by the commands.

A new one is a row here and the method that it names; with a command of its own, that as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from oneiric.documents import Shape

ANSWER = 2.0
"""Seconds in which a process that is well answers what changes nothing."""
_CHANGE, _NOTE, _RUNS = 120.0, 60.0, 30.0
_OPTIONAL: Shape = (str, None)


class Operation(NamedTuple):
    """`room` is the method of the process that does it, by its path from there; `takes` the arguments, all of which
    have to be given, with their shapes; `reads` whether nothing changes by it; `seconds` how long one waits for it."""

    room: str
    takes: Mapping[str, Shape]
    reads: bool = False
    seconds: float = ANSWER


_NOTED: Mapping[str, Shape] = {"key": str, "note": str, "resume": bool}
_SWAPPED: Mapping[str, Shape] = {
    "key": str,
    "provider": _OPTIONAL,
    "tenant": _OPTIONAL,
    "all_tenants": bool,
    "force": bool,
    "plan": bool,
    "with_settings": bool,
    "note": _OPTIONAL,
}
_STARTED: Mapping[str, Shape] = {
    "key": str,
    "payload": str,
    "id": _OPTIONAL,
    "queue": _OPTIONAL,
    "tenant": _OPTIONAL,
}
_LISTED: Mapping[str, Shape] = {"key": _OPTIONAL, "state": _OPTIONAL, "queue": _OPTIONAL, "limit": int}

_EMITTED: Mapping[str, Shape] = {
    "topic": str,
    "payload": str,
    "tenant": _OPTIONAL,
    "id": _OPTIONAL,
    "source": _OPTIONAL,
    "time": _OPTIONAL,
    "subject": _OPTIONAL,
}

OPERATIONS: Mapping[str, Operation] = {
    "status": Operation("status.whole", {}, reads=True),
    "keys": Operation("status.keys", {}, reads=True),
    "health": Operation("status.health", {"probe": bool, "within": float}, reads=True),
    "history": Operation("changes.history", {}, reads=True),
    "swap": Operation("changes.swap", _SWAPPED, seconds=_CHANGE),
    "reload": Operation("changes.reload", {"plan": bool, "force": bool}, seconds=_CHANGE),
    "plan": Operation("changes.plan", {"wiring": str}, seconds=_CHANGE),
    "rollback": Operation("changes.rollback", {"to": _OPTIONAL}, seconds=_CHANGE),
    "secrets-rotate": Operation("changes.rotate", {"names": [str]}, seconds=_CHANGE),
    "pause": Operation("notes.pause", _NOTED, seconds=_NOTE),
    "drain": Operation("notes.drain", _NOTED, seconds=_NOTE),
    "workflow-start": Operation("runs.start", _STARTED, seconds=_RUNS),
    "workflow-wait": Operation("runs.wait", {"id": str, "within": float}, reads=True, seconds=_RUNS),
    "workflow-list": Operation("runs.listed", _LISTED, reads=True, seconds=_RUNS),
    "workflow-show": Operation("runs.show", {"id": str}, reads=True, seconds=_RUNS),
    "workflow-steps": Operation("runs.steps", {"id": str}, reads=True, seconds=_RUNS),
    "workflow-cancel": Operation("runs.cancel", {"id": str}, seconds=_RUNS),
    "workflow-retry": Operation("runs.retry", {"id": str, "step": _OPTIONAL}, seconds=_RUNS),
    "event-emit": Operation("messages.emit", _EMITTED, seconds=_RUNS),
    "event-dead": Operation("messages.dead", {}, reads=True, seconds=_RUNS),
    "event-retry": Operation("messages.retry", {"ids": [str]}, seconds=_RUNS),
    "event-drop": Operation("messages.drop", {"ids": [str]}, seconds=_RUNS),
    "schedule-list": Operation("ticking.listed", {}, reads=True, seconds=_RUNS),
    "action-invoke": Operation("invoking.invoke", {"key": str, "payload": str, "tenant": _OPTIONAL}, seconds=_CHANGE),
    "queue-list": Operation("runs.queues", {}, reads=True, seconds=_RUNS),
    "queue-pause": Operation("runs.pause", {"queue": _OPTIONAL, "resume": bool}, seconds=_RUNS),
}
