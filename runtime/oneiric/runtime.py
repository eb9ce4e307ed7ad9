"""A running application: its slots, their lifecycles, its tenants.

This module is what a start pays for: everything that needs an event loop is imported when it first runs.
"""

from __future__ import annotations

from _thread import allocate_lock

from oneiric.scope import Scope
from oneiric.slot import Held, empty, fill
from oneiric.wiring import artifacts_beside, file_of, may_bind_artifacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from os import PathLike
    from types import TracebackType
    from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar

    from oneiric.lifecycle.health import Health
    from oneiric.portal import Portal
    from oneiric.reload.changes import Reloads
    from oneiric.reload.outcome import Event, Outcome, Overrides, Rejected
    from oneiric.slot import Slot
    from oneiric.snapshot import Snapshot
    from oneiric.tenants.scope import Lines, Tenants, TenantScope
    from oneiric.wiring import Wiring

    W = TypeVar("W", bound=Wiring)
    Stamp: TypeAlias = "tuple[int, int, int] | None"
    Hook: TypeAlias = Literal["pre-swap", "post-swap", "cleanup"]

    class _Base(Generic[W]):
        pass
else:
    W = None

    class _Base:
        def __class_getitem__(cls, item):
            return cls


class Deadlines:
    """How long each step of one component may take, in seconds. `drain`: the wait for leases of what is replaced
    or closed; `hook`: each hook of a reload; `compile`: the compiler of a swap."""

    __slots__ = ("close", "compile", "drain", "factory", "health", "hook", "secrets", "start")

    def __init__(
        self,
        *,
        secrets: float = 10.0,
        factory: float = 30.0,
        start: float = 30.0,
        health: float = 10.0,
        close: float = 10.0,
        drain: float = 30.0,
        hook: float = 10.0,
        compile: float = 60.0,
    ) -> None:
        self.secrets = secrets
        self.factory = factory
        self.start = start
        self.health = health
        self.close = close
        self.drain = drain
        self.hook = hook
        self.compile = compile


def stamp_of(path: str | None) -> Stamp:
    """What tells a file from another that replaced it."""
    import os

    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)


class Runtime(_Base[W]):
    """`async with Runtime(Wiring) as runtime`: what is used inside is activated on first use, closed on exit.

    `replace` puts instances of yours in the place of keys, in the base and for every tenant; they are never
    started, checked or closed here. `tenant_idle` is after how many seconds without a call a tenant's own
    instances are closed. `state` is the folder of this process, which swaps need: entering takes the last good
    generation from there, and raises `StateError` where another process has it. `project` is the folder that swaps
    compile. For `provisional` seconds after a change a component that turns unhealthy brings the previous generation
    back; 0 for never. Raises `UnknownKey` for a key in `replace` that the wiring does not have, `LoadError` for an
    artifact that is not what was pinned.
    """

    def __init__(
        self,
        wiring: type[W],
        *,
        replace: Mapping[str, object] | None = None,
        deadlines: Deadlines | None = None,
        tenant_idle: float = 600.0,
        environ: Mapping[str, str] | None = None,
        state: str | PathLike[str] | None = None,
        project: str | PathLike[str] = ".",
        provisional: float = 0.0,
    ) -> None:
        self.wiring_class: type[Wiring] = wiring
        self.state = state
        self.project = project
        self.provisional = provisional
        self.deadlines = deadlines or Deadlines()
        self.tenant_idle = tenant_idle
        self.environ = environ
        self.status = "new"
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread = 0
        self.tasks: set[asyncio.Task[Any]] = set()
        self.active: dict[Slot[Any], Held] = {}
        self.idle: asyncio.Task[None] | None = None
        self.replaced = frozenset(replace or ())
        self.paused: dict[str, str] = {}  # full key -> why an operator lets nothing new of it be activated
        self.lock = allocate_lock()
        self._snapshot: Snapshot | None = None
        self._generation: str | None = wiring.__generation__
        self._stamp: Stamp = None
        self._reloads: Reloads | None = None
        self._tenants: Tenants | None = None
        self.base = Scope(self, wiring)
        self.wiring: W = self.base.wiring  # type: ignore[assignment]
        for key, instance in (replace or {}).items():
            self.fill(Held(self.base.slot(key), instance, owned=False))
        self._open_tenants()
        self._open_artifacts()

    def _open_tenants(self) -> None:
        if self.wiring_class.__tenants__ is None:
            import os

            path = file_of(self.wiring_class)
            self._stamp = stamp_of(path)
            if path is None or not os.path.exists(os.path.join(os.path.dirname(path), "tenants.jsonl")):
                return
        from oneiric.tenants.scope import Tenants, lines_of

        lines = lines_of(self.wiring_class)
        if lines:
            self._tenants = Tenants(self, lines)

    def _open_artifacts(self) -> None:
        """Put the pinned artifacts of this wiring on the path. Raises `LoadError`."""
        lines = None if self._tenants is None else self._tenants.lines
        place = None if lines is None else artifacts_beside(self.wiring_class)
        if may_bind_artifacts(self.wiring_class, lines, place):
            from oneiric.artifacts.path import enter, named_by, prepare

            enter(prepare(named_by(self.wiring_class, self.lines), [artifacts_beside(self.wiring_class)]))

    async def __aenter__(self) -> Self:
        """Start everything that is eager, or nothing: `ActivationError` closes what was started."""
        from oneiric.lifecycle.order import enter

        await enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything, dependents first. Raises `ShutdownError`; where the block itself raised, tells the
        loop's exception handler. A cancelled exit stops waiting for leases, and closes all the same."""
        from oneiric.lifecycle.order import leave

        await leave(self, error)

    async def use(self, domain: str, key: str, *, tenant: str | None = None) -> Any:
        """Activate a key by name and give its `live`. Raises `UnknownKey`, `PortError`, `ActivationError`."""
        from oneiric.lifecycle.activation import activate

        slot = self.scope(tenant).place(f"{domain}:{key}")
        live = slot.live
        await activate(slot)
        return live

    async def health(self) -> tuple[Health, ...]:
        """Ask every active component how it is; one answer each, sorted by tenant and key."""
        from oneiric.lifecycle.health import ask_all

        return await ask_all(self)

    @property
    def changed(self) -> bool:
        """Whether anything that changes the wiring was ever in use."""
        return self._reloads is not None

    @property
    def reloads(self) -> Reloads:
        """What changes the wiring."""
        if self._reloads is None:
            from oneiric.reload.changes import Reloads

            self._reloads = Reloads(self)
        return self._reloads

    async def reload(
        self, source: str | PathLike[str] | type[Wiring] | None = None, *, force: bool = False, plan_only: bool = False
    ) -> Outcome:
        """Go over to another wiring as one transaction: a `wiring.py`, a class, or the baseline read again.

        `force` accepts failing health checks; `plan_only` changes nothing. Raises `RuntimeNotRunning`,
        `RuntimeClosed`; what the wiring fails at is in the outcome.
        """
        return await self.reloads.reload(source, force=force, plan_only=plan_only)

    async def swap(
        self,
        key: str,
        provider: str | None,
        *,
        tenant: str | None = None,
        all_tenants: bool = False,
        force: bool = False,
    ) -> Outcome:
        """Serve a key by another provider, until `swap(key, None)`: compiled with the override into the state folder.

        For one tenant, or with `all_tenants` for the base and each tenant that decides on the key itself. Raises
        `UnknownKey`, `RuntimeNotRunning`, `RuntimeClosed`.
        """
        return await self.reloads.swap(key, provider, tenant=tenant, all_tenants=all_tenants, force=force)

    async def rollback(self) -> Outcome:
        """Return to the generation before this, and to its overrides, with fresh instances of what differs."""
        return await self.reloads.rollback()

    def on(self, hook: Hook, call: Callable[[Event], Awaitable[None] | None]) -> None:
        """Call a function, async or not, at each reload: `pre-swap` before the commit, where raising rejects the
        wiring; `post-swap` after it; `cleanup` once everything that was replaced is closed."""
        self.reloads.hooks.add(hook, call)

    @property
    def generation(self) -> str:
        """The digest of the current wiring."""
        if self._generation is None:
            from oneiric.loading import digest_of_imported

            self._generation = digest_of_imported(self.wiring_class, self._stamp)
        return self._generation

    @property
    def overrides(self) -> Overrides:
        """The operator's swaps that are part of the current wiring."""
        return self.reloads.overrides

    @property
    def rejected(self) -> Rejected | None:
        """The wiring that was rejected last."""
        return self.reloads.rejected

    def tenant(self, name: str) -> W:
        """The wiring as that tenant sees it: slots of its own where it differs, the base's elsewhere."""
        wiring: W = self.scope(name).wiring  # type: ignore[assignment]
        return wiring

    def portal(self) -> Portal[W]:
        """For synchronous code: `with runtime.portal() as portal: portal.call(async_function, ...)`."""
        from oneiric.portal import Portal

        return Portal(self)

    def snapshot(self) -> Snapshot:
        """What is active now, as one consistent table that any thread may read."""
        from oneiric.snapshot import Snapshot

        with self.lock:
            if self._snapshot is None:
                self._snapshot = Snapshot(self.wiring_class, self._generation, self.active)
            return self._snapshot

    def scope(self, tenant: str | None) -> Scope | TenantScope:
        """The tenant's scope; the base's for None and for a tenant that differs in nothing."""
        if tenant is None or self._tenants is None:
            return self.base
        return self._tenants.scope(tenant) or self.base

    def tenant_scopes(self) -> list[TenantScope]:
        """The scopes of the tenants that were asked for."""
        return [] if self._tenants is None else self._tenants.scopes()

    def tenant_scope(self, name: str) -> TenantScope | None:
        """The scope of a tenant that was asked for."""
        return None if self._tenants is None else self._tenants.opened(name)

    @property
    def lines(self) -> Lines:
        """The tenants' lines."""
        if self._tenants is not None:
            return self._tenants.lines
        from oneiric.tenants.scope import Lines

        return Lines(None)

    def become(self, wiring: type[Wiring], generation: str, lines: Lines) -> None:
        """Be of another wiring; its slots are there already. Called with `lock` held."""
        self.wiring_class = wiring
        self._generation = generation
        self._snapshot = None
        if self._tenants is not None:
            self._tenants.lines = lines
        elif lines:
            from oneiric.tenants.scope import Tenants

            self._tenants = Tenants(self, lines)

    def slots(self) -> list[Slot[Any]]:
        """Every slot of the base, and those of its own of every tenant that was asked for."""
        own = [slot for scope in self.tenant_scopes() for slot in scope.own.values()]
        return [*self.base.slots().values(), *own]

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
        """Why nothing can be activated now; None while the runtime runs."""
        if self.status == "running":
            return None
        from oneiric.errors import RuntimeClosed, RuntimeNotRunning

        if self.status == "new":
            return RuntimeNotRunning("the runtime is not running: enter it with `async with`")
        return RuntimeClosed("the runtime is closed")

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something in the background that a shutdown waits for."""
        assert self.loop is not None
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def report(self, error: BaseException) -> None:
        """Tell the loop's exception handler of an error that nobody waits for."""
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_exception_handler({"message": str(error), "exception": error})

    def __repr__(self) -> str:
        return f"<Runtime of {self.wiring_class.__qualname__}, {self.status}, {len(self.active)} active>"
