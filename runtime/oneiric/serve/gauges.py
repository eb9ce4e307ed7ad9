"""What a process has now, as gauges of OpenTelemetry: looked at when somebody collects them, from whatever thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from oneiric.host import Host
from oneiric.lifecycle.steps import in_thread
from oneiric.reload.followers import followers
from oneiric.serve.messages import Messages
from oneiric.serve.runs import Runs

GAUGES = {
    "oneiric.runs": ("{run}", "Runs that are not over, and those that failed"),
    "oneiric.queue.runs": ("{run}", "Runs of a queue that are not over, and those that failed"),
    "oneiric.outbox.events": ("{event}", "Events in the outbox of the base"),
    "oneiric.components": ("{component}", "Active components"),
    "oneiric.components.unwell": ("{component}", "Active components that were not well when looked at last"),
    "oneiric.leases": ("{lease}", "Uses of active components that are under way"),
    "oneiric.followers": ("{process}", "Processes that follow this one"),
    "oneiric.followers.behind": ("{process}", "Processes that follow this one and run another generation"),
}
"""By name the unit and what it is."""
_FRESH = 1.0
"""Seconds for which what was seen holds: one collection asks for each gauge by itself."""
_WITHIN = 1.0
"""Seconds for the engine and for the outbox to answer, each."""
_PATIENCE = 3.0
_QUEUE = ("waiting", "running", "failed", "dead")
Point: TypeAlias = "tuple[int, Mapping[str, str]]"
Seen: TypeAlias = "Mapping[str, list[Point]]"


class Gauges:
    """Of one process, whose state folder is `folder`. What cannot be known in time is left out."""

    def __init__(self, host: Host, runs: Runs, messages: Messages, folder: Path) -> None:
        self._host = host
        self._runs = runs
        self._messages = messages
        self._folder = folder
        self._turn = threading.Lock()
        self._seen: Seen = {}
        self._at = -_FRESH

    def begin(self) -> None:
        """Tell who collects from now on; nobody does where OpenTelemetry's API is not installed."""
        try:
            from opentelemetry import metrics
        except ModuleNotFoundError:
            return
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        meter = metrics.get_meter("oneiric")
        for name, (unit, text) in GAUGES.items():
            observed = partial(self._observed, name, metrics.Observation)
            meter.create_observable_gauge(name, [observed], unit, text)

    def _observed(self, name: str, observation: Any, options: object) -> Iterable[Any]:
        return [observation(value, attributes) for value, attributes in self._known().get(name, ())]

    def _known(self) -> Seen:
        """What was seen within the last second, or is seen now. In the loop's own thread nothing can be waited for."""
        if not self._loop.is_running():
            return {}
        if threading.get_ident() == self._thread:
            return self._seen
        with self._turn:
            if time.monotonic() - self._at >= _FRESH:
                self._seen = self._look_now()
                self._at = time.monotonic()
            return self._seen

    def _look_now(self) -> Seen:
        looking = asyncio.run_coroutine_threadsafe(self._look(), self._loop)
        try:
            return looking.result(_PATIENCE)
        except (TimeoutError, CancelledError):
            looking.cancel()
            return {}

    async def _look(self) -> Seen:
        following = (await in_thread(followers, self._folder)).get()
        behind = sum(each.generation != self._host.generation for each in following)
        looks = self._host.looks
        return {
            **await self._work(),
            **await self._outbox(),
            "oneiric.components": [(len(self._host.active), {})],
            "oneiric.components.unwell": [(0 if looks is None else len(looks.unwell()), {})],
            "oneiric.leases": self._leases(),
            "oneiric.followers": [(len(following), {})],
            "oneiric.followers.behind": [(behind, {})],
        }

    def _leases(self) -> list[Point]:
        """By key, over the base and all tenants."""
        leases: Counter[str] = Counter()
        for slot, held in list(self._host.active.items()):
            leases[slot.key] += held.leases
        return [(number, {"oneiric.key": key}) for key, number in leases.items()]

    async def _work(self) -> Seen:
        found = await self._runs.summary(_WITHIN)
        return {
            "oneiric.runs": [(number, {"oneiric.state": state}) for state, number in found.get("runs", {}).items()],
            "oneiric.queue.runs": [
                (each[state], {"oneiric.queue": each["name"], "oneiric.state": state})
                for each in found.get("queues", ())
                for state in _QUEUE
            ],
        }

    async def _outbox(self) -> Seen:
        counts = await self._messages.outbox_counts(_WITHIN)
        if counts is None:
            return {}
        states = zip(("waiting", "dead"), counts, strict=True)
        return {"oneiric.outbox.events": [(number, {"oneiric.state": state}) for state, number in states]}
