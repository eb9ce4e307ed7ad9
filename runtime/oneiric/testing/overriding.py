"""Instances of a test's own in a runtime that runs: `override` puts them in, and takes them out again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

from oneiric.fitting import check_replacements
from oneiric.host import Host
from oneiric.runtime import Runtime, host_of
from oneiric.slot import Held, Slot
from oneiric.tenants.scope import TenantScope, scope_of
from oneiric.wiring import target_of, without_layers

T = TypeVar("T")


class _Placed(NamedTuple):
    held: Held
    before: Held | None
    moved: TenantScope | None
    """The tenant that had none of its own."""


@contextmanager
def override(runtime: Runtime[Any], replace: Mapping[str, object], *, tenant: str | None = None) -> Generator[None]:
    """Inside the block the keys of `replace` are served by these instances: in the base, or as one `tenant` sees it.

    Calls under way end on what they began with, and that is there again after the block. As with `Runtime(replace=…)`,
    instances are never started, closed or asked for their health, and layers stay, but for a key that the tenant shares
    with the base. Tenants that have a key of their own keep it while the base has another. From any thread, for a
    runtime that nothing else changes meanwhile, and that outlives the block. Raises `UnknownKey`, `UnknownTenant`,
    `ReplacementError`.
    """
    host = host_of(runtime)
    placed = _in_loop(host, partial(_put, host, replace, tenant))
    try:
        yield
    finally:
        _in_loop(host, partial(_take_back, host, placed))


def _put(host: Host, replace: Mapping[str, object], tenant: str | None) -> list[_Placed]:
    instances = {target_of(host.wiring_class, key): instance for key, instance in replace.items()}
    scope = host.base if tenant is None else scope_of(host, tenant)
    slots = {key: scope.slot(key) for key in instances}
    check_replacements((key, slot.binding.port, instances[key]) for key, slot in slots.items())
    return [_placed(host, scope, slot, instances[key]) for key, slot in slots.items()]


def _placed(host: Host, scope: Any, slot: Slot[Any], instance: object) -> _Placed:
    moved = scope if isinstance(scope, TenantScope) and slot.tenant is None else None
    if moved is not None:
        moved.place(slot.key)
        moved.change(slot.key, without_layers(slot.binding))
        moved.settle()
        slot = moved.slot(slot.key)
    placed = _Placed(Held(slot, instance, owned=False), slot.held, moved)
    host.fill(placed.held)
    return placed


def _take_back(host: Host, placed: list[_Placed]) -> None:
    for held, before, moved in placed:
        slot = held.slot
        if slot.held is held:
            host.empty(held)
            if before is not None:
                host.fill(before)
        if moved is not None:
            moved.change(slot.key, None)
            moved.settle()


def _in_loop(host: Host, work: Callable[[], T]) -> T:
    """What it gives in the loop of the application, where nothing else goes on meanwhile."""
    if host.loop is None or host.loop.is_closed() or threading.get_ident() == host.thread:
        return work()
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    host.loop.call_soon_threadsafe(run)
    return done.result()
