"""A running application as its users see it; `host.Host` is what it consists of.

This module is what a start pays for: everything that needs an event loop is imported when it first runs.
"""

from __future__ import annotations

from oneiric.host import Host
from oneiric.slot import Deadlines
from oneiric.wiring import target_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from os import PathLike
    from types import TracebackType
    from typing import Any, Generic, Literal, Self, TypeAlias, TypeVar

    from oneiric.lifecycle.health import Health
    from oneiric.portal import Portal
    from oneiric.preflight.check import Preflight
    from oneiric.reload.changes import Reloads
    from oneiric.reload.outcome import Event, Outcome, Overrides, Rejected
    from oneiric.slot import AnyScope
    from oneiric.snapshot import Snapshot
    from oneiric.wiring import Wiring

    W = TypeVar("W", bound=Wiring)
    Hook: TypeAlias = Literal["pre-swap", "post-swap", "cleanup"]

    class _Base(Generic[W]):
        pass
else:
    W = None

    class _Base:
        def __class_getitem__(cls, item):
            return cls


class Runtime(_Base[W]):
    """`async with Runtime(Wiring) as runtime`: what is used inside is activated on first use, closed on exit.

    `replace` puts instances of yours in the place of keys, in the base and for every tenant; they are never started,
    checked or closed here. `provide` are the instances of keys that the settings say are provided, looked at on
    entering. `tenant_idle` is after how many seconds without a call a tenant's own instances are closed. `state` is the
    folder of this process, which swaps need: entering takes the last good generation from there, and raises
    `StateError` where another process has it. `project` is the folder that swaps compile. For `provisional` seconds
    after a change a component that turns unhealthy brings the previous generation back; 0 for never.
    `unknown_tenant="base"` serves tenants that are not listed as the base. With a `role` of the wiring only what is
    eager in it starts, and what is in no role; all else is there on demand. `follow` is the state folder of another
    process of the application: what that makes current this one takes over. Raises `UnknownKey` for a key in `replace`
    or `provide` that the wiring does not have, `ReplacementError` for instances that do not fit their ports,
    `UnknownRole`, `LoadError` for an artifact that is not what was pinned.
    """

    def __init__(
        self,
        wiring: type[W],
        *,
        replace: Mapping[str, object] | None = None,
        provide: Mapping[str, object] | None = None,
        deadlines: Deadlines | None = None,
        tenant_idle: float = 600.0,
        environ: Mapping[str, str] | None = None,
        state: str | PathLike[str] | None = None,
        project: str | PathLike[str] = ".",
        provisional: float = 0.0,
        unknown_tenant: Literal["error", "base"] = "error",
        role: str | None = None,
        follow: str | PathLike[str] | None = None,
    ) -> None:
        self._host = Host(
            wiring, replace or {}, provide or {}, deadlines or Deadlines(), environ, tenant_idle, unknown_tenant, role
        )
        self._host.application = _application
        self._state = state
        self._project = project
        self._provisional = provisional
        self._follow = follow
        self._reloads: Reloads | None = None
        self.wiring: W = self._host.base.wiring  # type: ignore[assignment]

    async def __aenter__(self) -> Self:
        """Start everything that is eager, or nothing: `ActivationError` closes what was started. Raises `NotProvided`,
        `ReplacementError` where what the application hands in lacks something or does not fit."""
        from oneiric.session import enter

        if self._state is not None or self._follow is not None:
            self._changes()
        await enter(self._host)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything, dependents first. Raises `ShutdownError`; where the block itself raised, tells the
        loop's exception handler. A cancelled exit stops waiting for leases, and closes all the same."""
        from oneiric.session import leave

        await leave(self._host, error)

    async def use(self, domain: str, key: str, *, tenant: str | None = None) -> Any:
        """Activate a key by name and give its `live`. Raises `UnknownKey`, `PortError`, `ActivationError`."""
        from oneiric.lifecycle.activation import activate

        slot = self._scope(tenant).place(target_of(self._host.wiring_class, f"{domain}:{key}"))
        live = slot.live
        await activate(slot.home)
        return live

    async def preflight(self) -> Preflight:
        """See whether the environment has what the application starts with: variables, secrets, extras, modules and
        files, tried all at once. What other keys and tenants would lack is in the answer.

        Best before entering: then it is about the wiring that the runtime was made with, and only `adapter:secrets` is
        started, and closed again. Raises `PreflightError`, `RuntimeClosed`.
        """
        from oneiric.preflight.check import preflight
        from oneiric.session import beside

        host = self._host
        if host.status == "new":
            async with beside(host) as host:
                found = await preflight(host)
        elif (refusal := host.refusal()) is not None:
            raise refusal
        else:
            found = await preflight(host)
        found.check()
        return found

    async def health(self) -> tuple[Health, ...]:
        """Ask every active component how it is; one answer each, sorted by tenant and key. Raises `RuntimeForked`."""
        self._host.check_fork()
        from oneiric.lifecycle.health import ask_all

        return await ask_all(self._host)

    async def reload(
        self, source: str | PathLike[str] | type[Wiring] | None = None, *, force: bool = False, plan_only: bool = False
    ) -> Outcome:
        """Go over to another wiring as one transaction: a `wiring.py`, a class, or the baseline read again.

        `force` accepts failing health checks; `plan_only` changes nothing. Raises `RuntimeNotRunning`,
        `RuntimeClosed`; what the wiring fails at is in the outcome.
        """
        return await self._changes().reload(source, force=force, plan_only=plan_only)

    async def swap(
        self,
        key: str,
        provider: str | None,
        *,
        tenant: str | None = None,
        all_tenants: bool = False,
        force: bool = False,
        plan_only: bool = False,
        with_settings: bool = False,
        note: str | None = None,
    ) -> Outcome:
        """Serve a key by another provider, until `swap(key, None)`: compiled with the override into the state folder.

        For one tenant, or with `all_tenants` for the base and each tenant that decides on the key itself. It is
        rejected (`drift`) where the settings are not those of the running wiring, unless they are to be taken along
        (`with_settings`). `force` accepts failing health checks, `plan_only` changes nothing, `note` says why, for the
        history. Raises `UnknownKey`, `UnknownTenant`, `RuntimeNotRunning`, `RuntimeClosed`.
        """
        return await self._changes().swap(
            key,
            provider,
            tenant=tenant,
            all_tenants=all_tenants,
            force=force,
            plan_only=plan_only,
            with_settings=with_settings,
            note=note,
        )

    async def rollback(self, to: str | None = None) -> Outcome:
        """Return to the generation before this, or to the one before whose digest begins with `to`, and to its
        overrides, with fresh instances of what differs. Compiles nothing."""
        return await self._changes().rollback(to)

    async def rotate(self, *names: str) -> Outcome:
        """Fetch secrets anew, those of these names or all that active components have, and make again what has another
        one now, as a reload does: no call fails, and the old ones are closed when their last calls are over.

        The generation stays. What it fails at is in the outcome, and then everything stays as it was. Raises
        `RuntimeNotRunning`, `RuntimeClosed`.
        """
        return await self._changes().rotate(names)

    def on(self, hook: Hook, call: Callable[[Event], Awaitable[None] | None]) -> None:
        """Call a function, async or not, at each reload: `pre-swap` before the commit, where raising rejects the
        wiring; `post-swap` after it; `cleanup` once everything that was replaced is closed."""
        self._changes().hooks.add(hook, call)

    @property
    def generation(self) -> str:
        """The digest of the current wiring."""
        return self._host.generation

    @property
    def overrides(self) -> Overrides:
        """The operator's swaps that are part of the current wiring."""
        return self._changes().overrides

    @property
    def rejected(self) -> Rejected | None:
        """The wiring that was rejected last."""
        return self._changes().rejected

    def tenant(self, name: str) -> W:
        """The wiring as that tenant sees it: slots of its own where it differs, the base's elsewhere.

        Raises `UnknownTenant`, unless the runtime was made with `unknown_tenant="base"`; `LoadError` where
        `tenants.jsonl` lacks what the wiring says it has.
        """
        wiring: W = self._scope(name).wiring  # type: ignore[assignment]
        return wiring

    def tenants(self) -> tuple[str, ...]:
        """The tenants there are: those with a file in settings/tenants. Raises `LoadError` as `tenant`."""
        if self._host.lines is None:
            return ()
        from oneiric.tenants.scope import tenants_of

        return tenants_of(self._host)

    def portal(self) -> Portal[W]:
        """For synchronous code: `with runtime.portal() as portal: portal.call(async_function, ...)`."""
        from oneiric.portal import Portal

        return Portal(self, self._host)

    def snapshot(self) -> Snapshot:
        """What is active now, as one consistent table that any thread may read."""
        return self._host.snapshot()

    def _scope(self, tenant: str | None) -> AnyScope:
        """The tenant's scope; the base's for None."""
        if tenant is None:
            return self._host.base
        from oneiric.tenants.scope import scope_of

        return scope_of(self._host, tenant)

    def _changes(self) -> Reloads:
        """What changes the wiring, made when it is first asked for."""
        if self._reloads is None:
            from oneiric.reload.changes import Reloads

            self._reloads = self._host.changes = Reloads(
                self._host,
                state=self._state,
                project=self._project,
                provisional=self._provisional,
                follow=self._follow,
            )
        return self._reloads

    def __repr__(self) -> str:
        host = self._host
        return f"<Runtime of {host.wiring_class.__qualname__}, {host.status}, {len(host.active)} active>"


def _application(host: Host, tenant: str | None) -> object:
    """What a component is handed for `oneiric:runtime`."""
    from oneiric.tenants.application import View

    return View(host, tenant, _invoke)


async def _invoke(scope: AnyScope, call: str, payload: Mapping[str, Any]) -> Any:
    from oneiric.calls import invoke  # which few applications need

    return await invoke(scope, call, payload)


def changes_of(runtime: Runtime[Any]) -> Reloads:
    """What changes a runtime's wiring, for rooms that operate it."""
    return runtime._changes()  # pyright: ignore[reportPrivateUsage]


def host_of(runtime: Runtime[Any]) -> Host:
    """What a runtime consists of, for rooms that operate it."""
    return runtime._host  # pyright: ignore[reportPrivateUsage]
