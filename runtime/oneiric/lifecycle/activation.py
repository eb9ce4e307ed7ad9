"""From an empty slot to a healthy instance in it: needs, secrets, factory, start, health, bind."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn

from oneiric.environment import make_in
from oneiric.errors import (
    ActionError,
    ActivationError,
    AdapterError,
    Closed,
    Misconfigured,
    MissingExtra,
    OneiricError,
    Paused,
    Refused,
    RuntimeNotRunning,
    Unavailable,
    UnboundKey,
    VariableError,
)
from oneiric.lifecycle.closing import awaited, close_late, close_unclaimed, discard, drain
from oneiric.lifecycle.inputs import Inputs, context
from oneiric.lifecycle.marks import marks_of
from oneiric.lifecycle.reasons import import_failed, stated_at, syntax_failed
from oneiric.lifecycle.steps import Failed, begun, bounded, call, contained, in_thread, lifecycle
from oneiric.secret import PREFIX, SECRETS, Secret
from oneiric.slot import Held, SharedSlot, Slot, bare_handle, stack_of
from oneiric.tracing import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.slot import AnyHost

_AT_ONCE = 32


class Attempt:
    """One activation under way, shared by everyone who waits for it. Without waiters it is cancelled."""

    __slots__ = ("slot", "task", "waiters")

    def __init__(self, slot: Slot[Any]) -> None:
        self.slot = slot
        self.waiters = 0
        self.task = slot.scope.host.spawn(_attempt(slot))
        self.task.add_done_callback(self._over)
        slot.attempt = self

    def _over(self, task: asyncio.Task[Any]) -> None:
        self.slot.attempt = None
        if not task.cancelled():
            task.exception()  # whoever waited has it; without a waiter nobody has to be told

    async def wait(self) -> None:
        """Wait for the end, whatever it is."""
        self.waiters += 1
        try:
            await asyncio.wait((self.task,))
        finally:
            self.waiters -= 1
            if not self.waiters and not self.task.done():
                self.task.cancel()


async def activate(slot: Slot[Any]) -> Held:
    """The slot's instance, made if there is none; nothing is awaited between its return and the caller's use. Of a key
    with layers it is what these wrap: its `home` has the outermost.

    Raises `ActivationError`, `Paused`, `RemovedKey`, `UnboundKey`, `RuntimeNotRunning`, `RuntimeClosed`.
    """
    host = slot.scope.host
    while slot.held is None:
        refusal = host.refusal()
        if refusal is not None:
            raise refusal
        shared = isinstance(slot, SharedSlot)
        if slot.scope.check is not None:
            await slot.scope.check()
        slot = slot.scope.slot(slot.key)  # a reload may have moved or removed it
        if shared:
            slot = slot.home
        if slot.held is not None:
            break
        if slot.binding.unbound:
            raise UnboundKey(slot.key, slot.tenant)
        if (why := _paused(slot)) is not None:
            raise Paused(slot.key, why)
        if asyncio.get_running_loop() is not host.loop:
            raise RuntimeNotRunning(f"{slot.key} belongs to the loop of its runtime, not to this: use a portal")
        if slot.closing is not None:
            await asyncio.wait((slot.closing,))
            continue
        attempt = slot.attempt or Attempt(slot)
        await attempt.wait()
        if not attempt.task.cancelled():
            attempt.task.result()
    return slot.held


async def activate_all(slots: Iterable[Slot[Any]]) -> None:
    """Activate many at once; the first error cancels the others."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def start(slot: Slot[Any]) -> None:
        async with turns:
            await activate(slot)

    tasks = [asyncio.ensure_future(start(slot)) for slot in slots]
    try:
        await asyncio.gather(*tasks)
    finally:
        await cancel(tasks)


def eager(slots: Iterable[Slot[Any]]) -> list[Slot[Any]]:
    """Those to activate without being asked: eager, not active yet, and not waiting for an operator to resume a
    key that they are or need."""
    return [home for slot in slots if starts(slot) and (home := slot.home).held is None and not waits(home)]


def starts(slot: Slot[Any]) -> bool:
    """Whether the slot is eager, in the role of this process where that has one, or handed in by the application."""
    if slot.binding.provided:
        return True
    if not slot.binding.eager or slot.scope.host.role is None:
        return slot.binding.eager
    from oneiric import roles

    return roles.starts(slot.scope.wiring_class, slot.scope.host.role, (slot.key,))


def waits(slot: Slot[Any], seen: tuple[Slot[Any], ...] = ()) -> bool:
    """Whether the slot's key is paused, or one that it needs to be activated."""
    if not slot.scope.host.paused or slot.held is not None or slot in seen:
        return False
    return _paused(slot) is not None or any(waits(need, (*seen, slot)) for need in needed(slot))


def _paused(slot: Slot[Any]) -> str | None:
    """Why nothing new of the slot's key may be activated. What replaces an active instance may."""
    why = slot.scope.host.paused.get(stack_of(slot.key))
    return None if why is None or slot.scope.replaces(slot.key) else why


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they are over."""
    waiting = [task for task in tasks if not task.done()]
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting)


def needed(slot: Slot[Any]) -> list[Slot[Any]]:
    """The slots this one needs, in its own scope. Raises `UnknownKey`."""
    binding, scope = slot.binding, slot.scope
    keys = binding.needs
    if binding.secrets and SECRETS not in keys:
        keys = (*keys, SECRETS)
    slots = [scope.slot(key).home for key in keys]
    return slots if binding.inner is None else [*slots, scope.slot(binding.inner)]


def essential(slots: Iterable[Slot[Any]]) -> set[str]:
    """The keys without which an application of these slots does not do what it is for: eager ones, and what they
    need."""
    found: set[str] = set()
    left = [slot for slot in slots if starts(slot)]
    while left:
        slot = left.pop()
        if slot.key not in found:
            found.add(slot.key)
            left += needed(slot)
    return found


def fail(slot: Slot[Any], step: str, what: str, cause: BaseException | None = None) -> NoReturn:
    """Raise the slot's `ActivationError`."""
    domain, _, key = slot.key.partition(":")
    raise ActivationError(domain, key, slot.binding.provider, slot.tenant, step, what) from cause


async def _attempt(slot: Slot[Any]) -> None:
    if slot.attempt is None:  # the loop starts tasks at once: let this be known first
        await asyncio.sleep(0)
    domain, _, key = slot.key.partition(":")
    facts = {"tenant": slot.tenant, "generation": slot.scope.wiring_class.__generation__}
    with span("activate", domain=domain, key=key, provider=slot.binding.provider, **facts):
        await _make(slot)


async def renew(old: Held) -> None:
    """Make another instance beside an active one and put it in its place, so that no call waits or fails for it; the
    old one is closed when its last lease ends, in the background. Nothing where a reload or an operator was quicker.

    Raises `ActivationError`; then the old one stays.
    """
    slot, host = old.slot, old.slot.scope.host
    domain, _, key = slot.key.partition(":")
    with span("restart", domain=domain, key=key, provider=slot.binding.provider, tenant=slot.tenant):
        new = await _made(slot)
        same = (
            slot.held is old
            and slot.scope.slots().get(slot.key) is slot
            and new.binding.fingerprint == slot.binding.fingerprint
        )
        if not same or host.refusal() is not None or slot.key in host.paused:
            await discard(new)
            return
        host.fill(new)
        host.spawn(_close_replaced(old))


async def _close_replaced(old: Held) -> None:
    host = old.slot.scope.host
    for error in await drain(old, asyncio.get_running_loop().time() + host.deadlines.drain, host.hurry):
        host.report(error)


async def _make(slot: Slot[Any]) -> None:
    held = await _made(slot)
    if not slot.scope.fill(held):
        await discard(held)
    elif held.binding.restart:
        _look_after(slot.scope.host)


def _look_after(host: AnyHost) -> None:
    """From the first instance on that is to be restarted when it fails, somebody looks whether it does."""
    from oneiric.lifecycle.looks import Looks

    host.looks = host.looks or Looks(host, renew)
    host.looks.begin()


async def _made(slot: Slot[Any]) -> Held:
    """A healthy instance that no slot has yet. Raises `ActivationError`."""
    binding, environ = slot.binding, slot.scope.host.environ
    if binding.provided and slot.key in slot.scope.host.provided:
        return Held(slot, slot.scope.host.provided[slot.key], owned=False, binding=binding)
    _check_platform(slot)
    await _activate_needs(slot)
    secrets = await _fetch_secrets(slot)
    environ = os.environ if environ is None else environ
    make_in(environ)
    inputs = Inputs(binding, environ, secrets)
    inner = None if binding.inner is None else _inner(slot, binding.inner)
    held = Held(slot, await _build(slot, inputs, inner), binding=binding, stay=inputs.stay)
    held.inner = inner
    if secrets:
        held.secrets = marks_of(secrets)
    try:
        await _start(held)
    except BaseException:
        await discard(held)
        raise
    return held


def _check_platform(slot: Slot[Any]) -> None:
    binding = slot.binding
    if binding.python is not None:
        from packaging.specifiers import SpecifierSet

        running = "{}.{}.{}".format(*sys.version_info[:3])
        if not SpecifierSet(binding.python).contains(running, prereleases=True):
            fail(slot, "python", f"needs Python {binding.python}, this is {running}")
    system = "windows" if sys.platform == "win32" else sys.platform
    if binding.os and system not in binding.os:
        fail(slot, "os", f"needs {' or '.join(binding.os)}, this is {system}")


async def _activate_needs(slot: Slot[Any]) -> None:
    try:
        _refuse_cycles(slot, (), set())
        slots = [need for need in needed(slot) if need.held is None]
    except OneiricError as error:
        fail(slot, "needs", str(error), error)
    tasks = [asyncio.ensure_future(activate(need)) for need in slots]
    try:
        await asyncio.gather(*tasks)
    except ActivationError as error:
        fail(slot, "needs", f"needs {error}", error)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _refuse_cycles(slot: Slot[Any], path: tuple[Slot[Any], ...], cleared: set[Slot[Any]]) -> None:
    if slot in path:
        cycle = " -> ".join(each.key for each in (*path[path.index(slot) :], slot))
        raise OneiricError(f"the needs form a cycle: {cycle}")
    if slot.held is None and slot not in cleared:
        for need in needed(slot):
            _refuse_cycles(need, (*path, slot), cleared)
        cleared.add(slot)


_FAILURES = (Closed, Misconfigured, Refused, Unavailable)
"""What a store of secrets raises that cannot say whether a secret is there."""


async def _fetch_secrets(slot: Slot[Any]) -> dict[str, Secret | Exception]:
    """The secrets that the binding names; the error in place of one that is not there, which may not be asked for."""
    names = slot.binding.secrets
    if not names:
        return {}

    async def fetch_all() -> dict[str, Secret | Exception]:
        async with slot.scope.slot(SECRETS).lease() as store:
            return {name: await fetch(slot, store, name) for name in names}

    fetching = asyncio.ensure_future(contained(fetch_all()))
    secrets: dict[str, Secret | Exception] = await _step(slot, "secrets", fetching, slot.scope.host.deadlines.secrets)
    return secrets


async def fetch(slot: Slot[Any], store: Any, name: str) -> Secret | Exception:
    """A secret for what the slot binds, or the error of one that is not there. Raises `ActivationError`."""
    try:
        secret = await store.get(name)
    except Exception as error:
        told = f": {words(error)}" if isinstance(error, OneiricError) else f" raised {type(error).__name__} for {name}"
        try:
            fail(slot, "secrets", f"{SECRETS}{told}{await _place(slot, PREFIX + name)}", error)
        except ActivationError as failed:
            if isinstance(error, OneiricError) and not isinstance(error, _FAILURES):
                return failed
            raise
    if not isinstance(secret, Secret):
        fail(slot, "secrets", f"{SECRETS} gave a {type(secret).__name__} for {name}, not a Secret")
    return secret


def words(error: OneiricError) -> str:
    """What an error says, for a text that names the component already."""
    return error.what if isinstance(error, (AdapterError, ActionError)) else str(error)


def _inner(slot: Slot[Any], key: str) -> Any:
    try:
        return bare_handle(slot.scope.slot(key))
    except OneiricError as error:
        fail(slot, "factory", str(error), error)


async def _build(slot: Slot[Any], inputs: Inputs, inner: Any) -> Any:
    block, domain = slot.binding.block, context(slot.scope, inputs, inner)
    future: asyncio.Future[Any]
    if inspect.iscoroutinefunction(block):
        future = slot.scope.host.spawn(contained(block(domain)))
    elif not slot.binding.blocking:
        future = slot.scope.host.spawn(contained(begun(partial(block, domain), blocking=False)))
    else:
        future = in_thread(block, domain, unclaimed=lambda instance: close_unclaimed(instance, inputs.stay))

    def late(instance: Any) -> None:
        close_late(Held(slot, instance, stay=inputs.stay))

    try:
        return await _step(slot, "factory", future, slot.scope.host.deadlines.factory, late)
    finally:
        if not future.done():
            awaited(slot.scope.host, future)


async def _start(held: Held) -> None:
    deadlines, blocking = held.slot.scope.host.deadlines, held.binding.blocking
    start = None if held.stay else lifecycle(held.instance, "start")
    if start is not None:
        await _step(held.slot, "start", asyncio.ensure_future(call(start, blocking=blocking)), deadlines.start)
    health = lifecycle(held.instance, "health")
    if health is not None:
        try:
            asked = asyncio.ensure_future(call(health, blocking=blocking))
            healthy = await _step(held.slot, "health", asked, deadlines.health)
            if healthy is False:
                fail(held.slot, "health", "health() answered False")
        except ActivationError as error:
            if not held.slot.scope.forgive(error):
                raise


async def _step(
    slot: Slot[Any],
    step: str,
    future: asyncio.Future[Any],
    seconds: float,
    late: Callable[[Any], object] | None = None,
) -> Any:
    try:
        return await bounded(future, seconds, late)
    except ActivationError as error:
        if f"{error.domain}:{error.key}" == slot.key:
            raise
        fail(slot, step, f"{step} failed: {error}", error)
    except Failed as error:
        fail(slot, step, f"{step} {error}", error)
    except ImportError as error:
        _fail_import(slot, step, error)
    except SyntaxError as error:
        fail(slot, step, f"{step} {syntax_failed(error)}", error)
    except VariableError as error:
        fail(slot, step, f"{step} failed: {error}{await _place(slot, error.variable)}", error)
    except OneiricError as error:
        fail(slot, step, f"{step} failed: {words(error)}", error)
    except Exception as error:
        fail(slot, step, f"{step} raised {type(error).__name__}", error)


async def _place(slot: Slot[Any], variable: str) -> str:
    """The setting that refers to a variable; the report that has it may be large, so it is read in a thread."""
    return str((await in_thread(stated_at, slot, variable)).get())


def _fail_import(slot: Slot[Any], step: str, error: ImportError) -> NoReturn:
    """A module is missing or broken: where a built-in component asked for it, name the extra that has it."""
    domain, _, key = slot.key.partition(":")
    provider = slot.binding.provider
    if not isinstance(error, ModuleNotFoundError) or not _raised_in_builtin(error):
        fail(slot, step, f"{step} {import_failed(error)}", error)
    extra = f"{key}-{provider}"
    what = f"needs the module {error.name}, which the extra {extra} has"
    missing = MissingExtra(domain, key, provider, slot.tenant, step, what)
    missing.extra = extra
    raise missing from error


def _raised_in_builtin(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__")).startswith("oneiric.adapters."):
            return True
        trace = trace.tb_next
    return False
