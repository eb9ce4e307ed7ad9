"""`live`: an object with a port's exact methods, which leases the slot's current instance for each call.

Its class is made once per port. What a function's return annotation says decides how long its call lasts, or, under a
decorator and wherever it says nothing of the kind, what the call gives.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from oneiric.declared import flow_of
from oneiric.errors import PortError, RemovedKey
from oneiric.forwarding import forwarding_class
from oneiric.lifecycle.activation import activate
from oneiric.live.leases import LeasedAsyncContext, LeasedAsyncIterator
from oneiric.live.results import OVER, keep, keep_iterable
from oneiric.port import Method
from oneiric.references import load
from oneiric.slot import Slot, inactive, stack_of

_handles: WeakKeyDictionary[type, type] = WeakKeyDictionary()


def handle_for(slot: Slot[Any]) -> Any:
    """A handle of the slot's port. Raises `PortError`, `RemovedKey`."""
    if slot.state == "removed":
        raise RemovedKey(slot.key)
    if flow_of(slot.binding) is not None:
        return LiveFlow(slot)
    handle = handle_on(slot.home)
    slot.scope.note(handle)
    return handle


def handle_on(slot: Slot[Any]) -> Any:
    """A handle that calls this very slot. Raises `PortError`."""
    name = slot.binding.port
    if name is None:
        raise PortError(f"{slot.key} has no port, so no live: declare a port, or use current and lease()")
    try:
        port = load(name)
    except (ImportError, AttributeError) as error:
        from oneiric.lifecycle.reasons import import_failed

        why = import_failed(error) if isinstance(error, ImportError) else str(error)
        raise PortError(f"{slot.key}: the port {name} cannot be loaded: {why}") from error
    if not isinstance(port, type):
        raise PortError(f"{slot.key}: the port {name} is not a class")
    return handle_class(port)(slot)


def handle_class(port: type) -> type:
    """The class of all handles of a port. Raises `PortError` for one with members that `live` refuses."""
    found = _handles.get(port)
    if found is None:
        found = _handles[port] = forwarding_class(port, "Live", _Handle, _write, _NAMES)
    return found


_NAMES = {
    "activate": activate,
    "inactive": inactive,
    "keep": keep,
    "keep_iterable": keep_iterable,
    "over": OVER,
    "iterate": LeasedAsyncIterator,
    "enter": LeasedAsyncContext,
}


class _Handle:
    __slots__ = ("__weakref__", "_slot")

    def __init__(self, slot: Slot[Any]) -> None:
        self._slot = slot

    @property
    def __key__(self) -> str:
        """The full key that this stands for, be it what only some of its layers are around; what layers tell of."""
        return stack_of(self._slot.key)

    def __repr__(self) -> str:
        return f"<live {self._slot.key}>"


class LiveFlow:
    """A workflow that settings declare, safe to keep. Unlike a component's, its runs are of the scope it was asked in:
    the slot is the tenant's also where the tenant has none of its own."""

    __slots__ = ("_slot",)

    def __init__(self, slot: Slot[Any]) -> None:
        self._slot = slot

    async def __call__(self, input: object, /) -> Any:
        """Run it and wait for its result. Raises `RunFailed`."""
        return await (await self._slot.start(input)).result()

    def __repr__(self) -> str:
        return f"<live {self._slot.key}>"


_ASYNC_CALL = """\
async def {name}({parameters}):
    {p}held = {self}._slot.held
    if {p}held is None:
        {p}held = await {p}activate({self}._slot)
    {p}held.leases += 1
    try:
        RESULT
    finally:
        {p}held.leases -= 1
        if {p}held.watched:
            {p}held.tell()
"""
_CALL = """\
def {name}({parameters}):
    {p}held = {self}._slot.held
    if {p}held is None:
        raise {p}inactive({self}._slot)
    {p}held.leases += 1
    try:
        RESULT
    finally:
        {p}held.leases -= 1
        if {p}held.watched:
            {p}held.tell()
"""
_LATER = """\
def {name}({parameters}):
    return {p}LATER({self}._slot, lambda {p}instance: {p}instance.{name}({arguments}))
"""
_RESULTS = {
    "over": "return CALL",
    "iterable": "return {p}keep_iterable({p}held, CALL)",
    "unknown": "{p}result = CALL\n"
    "        return {p}result if type({p}result) in {p}over else {p}keep({p}held, {p}result)",
}


def _write(method: Method) -> str:
    if method.result in ("iterate", "enter"):
        return _LATER.replace("LATER", method.result)
    call = "{p}held.instance.{name}({arguments})"
    result = _RESULTS[method.result].replace("CALL", f"await {call}" if method.is_async else call)
    return (_ASYNC_CALL if method.is_async else _CALL).replace("RESULT", result)
