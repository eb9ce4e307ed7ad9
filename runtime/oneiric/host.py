"""The state of a running application, and what all that makes, changes and closes its instances does with it.

The public face is `runtime.Runtime`. A start pays for this module: what needs an event loop is imported elsewhere.
"""

from __future__ import annotations

import gc
from _thread import allocate_lock

from oneiric.slot import Deadlines, Held, bound, empty, fill
from oneiric.wiring import (
    aliases_of,
    artifacts_beside,
    domains_of,
    file_of,
    lines_of,
    may_bind_artifacts,
    stamp_of,
    target_of,
    without_layers,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from typing import Any, Literal, Protocol, TypeVar

    from oneiric.lines import Lines
    from oneiric.slot import AnyLooks, AnyScope, Slot
    from oneiric.snapshot import Snapshot
    from oneiric.wiring import Stamp, Wiring

    T = TypeVar("T")

    class AnyChanges(Protocol):
        """What changes the wiring: `reload.changes.Reloads`."""

        async def open(self) -> None: ...
        async def started(self) -> None: ...
        async def stop(self, until: float) -> None: ...
        def close(self) -> None: ...

    class AnyEngines(Protocol):
        """What drives domains: `lifecycle.engines.Engines`."""

        async def stop(self, until: float) -> list[Exception]: ...


class Host:
    """One application. `active` are its instances by slot, `tenants` the scopes of the tenants that were asked for,
    `lines` those of the tenants that differ; `replaced` are the keys whose instances the application gave, `bare` those
    where it took the layers away as well, `provided` the instances of those that it has to hand in; `paused` says of a
    full key why an operator lets nothing new of it be activated; `making` are threads that make what nobody waits for,
    and the closes of that; `leaving` is done when everything is closed, `hurry`, there from entering on, when nobody
    waits for leases any longer; `preflight` is called when it is known which wiring it is, and before anything of it
    starts; `work` is what runs are submitted to and carried on by, once there is any (`engines.work.Work`); `resuming`
    are those who wait for something paused; `application` makes what a component is handed that needs
    `oneiric:runtime`."""

    if TYPE_CHECKING:
        hurry: asyncio.Future[None]
        application: Any

    def __init__(
        self,
        wiring: type[Wiring],
        replace: Mapping[str, object],
        provide: Mapping[str, object],
        deadlines: Deadlines,
        environ: Mapping[str, str] | None,
        tenant_idle: float,
        unknown_tenant: Literal["error", "base"],
        role: str | None,
    ) -> None:
        if role is not None and role not in wiring.__roles__:
            from oneiric.errors import UnknownRole

            raise UnknownRole(role, tuple(wiring.__roles__))
        self.wiring_class = wiring
        self.deadlines = deadlines
        self.environ = environ
        self.tenant_idle = tenant_idle
        self.unknown_tenant: Literal["error", "base"] = unknown_tenant
        self.role = role
        self.status = "new"
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread = 0
        self.tasks: set[asyncio.Task[Any]] = set()
        self.making: set[asyncio.Future[Any]] = set()
        self.leaving: asyncio.Future[None] | None = None
        self.idle: asyncio.Task[None] | None = None
        self.active: dict[Slot[Any], Held] = {}
        replace, provide = (_by_target(wiring, each) if each else each for each in (replace, provide))
        self.replaced = frozenset(replace)
        self.bare: frozenset[str] = frozenset()
        self.provided = provide
        self.paused: dict[str, str] = {}
        self.resuming: set[asyncio.Future[None]] = set()
        self.changes: AnyChanges | None = None
        self.looks: AnyLooks | None = None
        self.engines: AnyEngines | None = None
        self.work: Any = None
        self.preflight: Callable[[Host], Awaitable[None]] | None = None
        self.tenants: dict[str, AnyScope] = {}
        self.lines: Lines | None = None
        self.lock = allocate_lock()
        self._snapshot: Snapshot | None = None
        self._generation: str | None = wiring.__generation__
        self._stamp: Stamp = None
        self.base = Scope(self, wiring)
        for key in provide:
            self.base.slot(key)
        if replace:
            self._replace(replace)
        self._open_lines()
        self._open_artifacts()

    def _replace(self, replace: Mapping[str, object]) -> None:
        from oneiric.fitting import Bare, check_replacements

        slots = {self.base.slot(key): each for key, each in replace.items()}
        instances = {slot: each.instance if isinstance(each, Bare) else each for slot, each in slots.items()}
        check_replacements((slot.key, slot.binding.port, instance) for slot, instance in instances.items())
        self.bare = frozenset(slot.key for slot, each in slots.items() if isinstance(each, Bare))
        for slot, instance in instances.items():
            if slot.key in self.bare:
                slot.binding = without_layers(slot.binding)
            self.fill(Held(slot, instance, owned=False))

    def _open_lines(self) -> None:
        if self.wiring_class.__tenants__ is None:
            import os

            path = file_of(self.wiring_class)
            self._stamp = stamp_of(path)
            if self.wiring_class.__listed__ is None and (
                path is None or not os.path.exists(os.path.join(os.path.dirname(path), "tenants.jsonl"))
            ):
                return
        self.lines = lines_of(self.wiring_class)

    def _open_artifacts(self) -> None:
        """Put the pinned artifacts of this wiring on the path. Raises `LoadError`."""
        place = artifacts_beside(self.wiring_class) if self.lines else None
        if may_bind_artifacts(self.wiring_class, self.lines, place):
            from oneiric.artifacts.path import enter, named_by, prepare

            enter(prepare(named_by(self.wiring_class, self.lines), [artifacts_beside(self.wiring_class)]))

    @property
    def generation(self) -> str:
        """The digest of the current wiring."""
        if self._generation is None:
            from oneiric.loading import digest_of_imported

            self._generation = digest_of_imported(self.wiring_class, self._stamp)
        return self._generation

    def snapshot(self) -> Snapshot:
        """What is active now, as one consistent table that any thread may read. Raises `RuntimeForked`."""
        from oneiric.snapshot import Snapshot

        self.check_fork()
        with self.lock:
            if self._snapshot is None:
                self._snapshot = Snapshot(self.wiring_class, self._generation, self.active)
            return self._snapshot

    def become(self, wiring: type[Wiring], generation: str, lines: Lines) -> None:
        """Switch to another wiring, whose slots exist already. Called with `lock` held."""
        self.wiring_class = wiring
        self.lines = lines
        self._generation = generation
        self._snapshot = None

    def slots(self) -> list[Slot[Any]]:
        """Every slot of the base, and those of its own of every tenant that was asked for."""
        return [slot for scope in (self.base, *self.tenants.values()) for slot in scope.slots().values()]

    def fill(self, held: Held) -> None:
        """Make an instance the current one of its slot."""
        with self.lock:
            fill(held.slot, held)
            self.active[held.slot] = held
            self._snapshot = None

    def empty(self, held: Held) -> None:
        """Take an instance out of its slot."""
        with self.lock:
            empty(held.slot)
            self.active.pop(held.slot, None)
            self._snapshot = None

    def refusal(self) -> Exception | None:
        """Why nothing can be activated now; None while the application runs."""
        if self.status == "running":
            return None
        from oneiric.errors import RuntimeClosed, RuntimeForked, RuntimeNotRunning

        if self.status == "forked":
            return RuntimeForked("the runtime was entered before this process was forked: make one here")
        if self.status == "new":
            return RuntimeNotRunning("the runtime is not running: enter it with `async with`")
        return RuntimeClosed("the runtime is closed")

    def check_fork(self) -> None:
        """Raises `RuntimeForked` in a child of the process that entered the application."""
        if self.status == "forked" and (refusal := self.refusal()) is not None:
            raise refusal

    def spawn(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]:
        """Run something in the background that a shutdown waits for."""
        assert self.loop is not None
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def resumed(self, key: str) -> None:
        """Wait until a key is not paused."""
        while key in self.paused:
            assert self.loop is not None
            waiting: asyncio.Future[None] = self.loop.create_future()
            self.resuming.add(waiting)
            try:
                await waiting
            finally:
                self.resuming.discard(waiting)

    def resume(self, key: str) -> None:
        """Let a key be activated again."""
        self.paused.pop(key, None)
        for each in self.resuming:
            if not each.done():
                each.set_result(None)

    def report(self, error: BaseException) -> None:
        """Hand an error that nobody waits for to the loop's exception handler."""
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_exception_handler({"message": str(error), "exception": error})


def _by_target(wiring: type[Wiring], instances: Mapping[str, object]) -> dict[str, object]:
    """What is handed in, by the keys that aliases are. Raises `ReplacementError` where two are of one key."""
    found = {target_of(wiring, key): instance for key, instance in instances.items()}
    if len(found) != len(instances):
        from oneiric.errors import ReplacementError

        aliases = [key for key in instances if target_of(wiring, key) != key]
        raise ReplacementError(f"{key}: is {target_of(wiring, key)}, of which there are two" for key in aliases)
    return found


class Scope:
    """The base's view of the wiring: where needs and secrets of its components are looked up."""

    tenant: str | None = None
    check: Callable[[], Awaitable[None]] | None = None

    def __init__(self, host: Host, wiring_class: type[Wiring]) -> None:
        self.host = host
        self.removed: dict[str, Slot[Any]] = {}
        self.wiring = wiring_class()
        self._by_key: dict[str, Slot[Any]] | None = None
        collects = gc.isenabled()
        gc.disable()  # slots stay: looking for garbage among ten thousand of them takes longer than making them
        try:
            self._make_slots()
        finally:
            if collects:
                gc.enable()

    def _make_slots(self) -> None:
        # vars() of these two would be quicker here, and make every later lookup slow before Python 3.13
        for attribute, domain_class, bindings in domains_of(type(self.wiring)):
            domain = domain_class()
            if domain_class.__scoped__:
                domain._scope = self  # pyright: ignore[reportPrivateUsage]
            setattr(self.wiring, attribute, domain)
            for name, binding in bindings.items():
                setattr(domain, name, bound(binding, self))
        for attribute, name, alias in aliases_of(type(self.wiring)):
            setattr(getattr(self.wiring, attribute), name, self.slot(alias.target))

    def slots(self) -> dict[str, Slot[Any]]:
        """Every slot of the base by full key."""
        if self._by_key is None:
            self._by_key = {
                binding.key: getattr(getattr(self.wiring, attribute), name)
                for attribute, _, bindings in domains_of(type(self.wiring))
                for name, binding in bindings.items()
            }
        return self._by_key

    def become(self, slots: dict[str, Slot[Any]]) -> None:
        """Show these slots from now on."""
        self._by_key = slots

    def slot(self, key: str) -> Slot[Any]:
        """The slot of a full key. Raises `UnknownKey`, `RemovedKey`."""
        slots = self.slots()
        try:
            return slots[key]
        except KeyError:
            return self._missing(key)

    def _missing(self, key: str) -> Slot[Any]:
        """What stands in for a key that is not there: for a layer that a reload removed, what it wrapped."""
        from oneiric.errors import RemovedKey, UnknownKey

        removed = self.removed.get(key)
        if removed is None:
            raise UnknownKey(key, self.slots())
        if removed.binding.inner is None:
            raise RemovedKey(key)
        return self.slot(removed.binding.inner)

    place = slot
    shared = slot

    def note(self, handle: Any) -> None:
        """Handles of the base's slots stay with them."""

    @property
    def wiring_class(self) -> type[Wiring]:
        """The wiring whose keys this shows."""
        return self.host.wiring_class

    def fill(self, held: Held) -> bool:
        """Take what an activation made; False where a reload has made it useless meanwhile."""
        slot = held.slot
        known = self.slots().get(slot.key) is slot and held.binding.fingerprint == slot.binding.fingerprint
        if known and slot.held is None:
            self.host.fill(held)
        return slot.held is held

    def forgive(self, error: Exception) -> bool:
        """Whether an instance may be used whose health check came to this."""
        return False

    def replaces(self, key: str) -> bool:
        """Whether what is activated here takes the place of an active instance."""
        return False
