"""Tenants: `tenants.jsonl` found line by line, and a view of the wiring for each tenant that differs."""

from __future__ import annotations

from _weakref import ref

from oneiric.errors import TenantsError
from oneiric.scope import Serving
from oneiric.slot import InactiveSlot, own, share, shared_slot
from oneiric.wiring import Domain, bind, file_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from mmap import mmap
    from re import Pattern
    from typing import Any
    from weakref import ReferenceType

    from oneiric.runtime import Runtime
    from oneiric.scope import AnyScope
    from oneiric.slot import Slot
    from oneiric.wiring import Binding, Wiring


class Lines:
    """A sorted file of lines, mapped into memory and searched by the bytes a line starts with. Without a path, or
    where there is no such file: none. `copied`: as it is now, whatever is written into the file later."""

    def __init__(self, path: str | None, *, copied: bool = False) -> None:
        text = b"" if path is None else _mapped(path)
        self._text = text[:] if copied else text
        self._digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """The SHA-256 of all of it."""
        if self._digest is None:
            from hashlib import sha256

            self._digest = sha256(self._text).digest()
        return self._digest

    def feed(self, update: Callable[[mmap | bytes], None]) -> None:
        """Give all of it to a hash."""
        update(self._text)

    def matches(self, pattern: Pattern[bytes]) -> Iterator[bytes]:
        """What the first group of a pattern finds in all of it."""
        return (match[1] for match in pattern.finditer(self._text))

    def each(self) -> Iterator[bytes]:
        """The lines in their order, without their ends."""
        text, start = self._text, 0
        while start < len(text):
            end = text.find(b"\n", start)
            end = len(text) if end < 0 else end
            yield text[start:end]
            start = end + 1

    def __len__(self) -> int:
        return len(self._text)

    def find(self, prefix: bytes) -> bytes | None:
        """The first line that starts with `prefix`."""
        text, low, high = self._text, 0, len(self._text)
        while low < high:
            start = text.rfind(b"\n", low, (low + high) // 2) + 1 or low
            if text[start : start + len(prefix)] < prefix:
                end = text.find(b"\n", start)
                low = len(text) if end < 0 else end + 1
            else:
                high = start
        if text[low : low + len(prefix)] != prefix:
            return None
        end = text.find(b"\n", low)
        return text[low:] if end < 0 else text[low:end]


def _mapped(path: str) -> mmap | bytes:
    import mmap
    import os

    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        size = os.fstat(descriptor).st_size
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size else b""
    finally:
        os.close(descriptor)


def lines_of(wiring: type[Wiring]) -> Lines:
    """The tenants' lines beside a wiring, as they were when it was loaded."""
    if wiring.__tenants__ is not None:
        return wiring.__tenants__
    import os

    path = file_of(wiring)
    return Lines(None if path is None else os.path.join(os.path.dirname(path), "tenants.jsonl"))


class TenantScope(Serving):
    """One tenant's view: slots of its own where it has lines, the base's elsewhere."""

    def __init__(self, tenants: Tenants, name: str) -> None:
        self.runtime = tenants.runtime
        self.name = name
        self.tenant: str | None = name
        self.own: dict[str, Slot[Any]] = {}
        self.removed: dict[str, Slot[Any]] = {}
        self._shared: dict[str, Slot[Any]] = {}
        self._tenants = tenants
        self._handles: list[ReferenceType[Any]] = []
        self.wiring = view(self)

    def slots(self) -> dict[str, Slot[Any]]:
        """The tenant's own slots by full key."""
        return self.own

    def slot(self, key: str) -> Slot[Any]:
        """The slot that holds a key's instance. Raises `UnknownKey`, `RemovedKey`, `TenantsError`."""
        own = self.own.get(key)
        if own is not None:
            return own
        base = self.runtime.base.slot(key)
        if key in self.runtime.replaced:
            return base
        binding = self._tenants.binding(self.name, key)
        if binding is None:
            return base
        return self.own.setdefault(key, InactiveSlot(binding, self))

    def place(self, key: str) -> Slot[Any]:
        """What is safe to keep: the tenant's own slot, or one that follows the base's. Raises as `slot`."""
        slot = self.slot(key)
        if slot.tenant is not None:
            return slot
        return self._shared.get(key) or self._shared.setdefault(key, shared_slot(key, self))

    def shared(self, key: str) -> Slot[Any]:
        """The base's slot."""
        return self.runtime.base.slot(key)

    def shows(self, key: str) -> bool:
        """Whether somebody has asked for this key."""
        return key in self.own or key in self._shared or key in self.removed

    @property
    def size(self) -> int:
        """How many keys somebody has asked for."""
        return len(self.own) + len(self._shared) + len(self.removed)

    def note(self, handle: Any) -> None:
        """A handle was made, which has to move with its key between the base and the tenant."""
        self._handles.append(ref(handle))

    def change(self, key: str, binding: Binding | None) -> None:
        """Have a key by another binding, or share it with the base, from now on; `settle` ends the changes."""
        slot = self.own.get(key) or self.removed.pop(key, None)
        if slot is not None and binding is not None:
            slot.binding = binding
            self.own[key] = slot
        elif slot is not None:
            self.own.pop(key, None)
            share(slot)
            self._shared[key] = slot
        elif key in self._shared and binding is not None:
            slot = self.own[key] = self._shared.pop(key)
            own(slot, binding)

    def remove(self, key: str) -> Slot[Any] | None:
        """Have a key no more; the slot it was."""
        slot = self.own.pop(key, None)
        if slot is not None:
            self.removed[key] = slot
        return slot

    def settle(self) -> None:
        """Let every handle call the slot that now holds its key's instance."""
        handles = [(reference, reference()) for reference in self._handles]
        self._handles = [reference for reference, handle in handles if handle is not None]
        for _, handle in handles:
            if handle is not None and handle._slot.key not in self.runtime.base.removed:
                handle._slot = self.slot(handle._slot.key)


class Tenants:
    """The tenants of a runtime. One without a line has no scope of its own."""

    def __init__(self, runtime: Runtime[Any], lines: Lines) -> None:
        self.runtime = runtime
        self.lines = lines
        self._scopes: dict[str, TenantScope] = {}

    def scope(self, name: str) -> TenantScope | None:
        """The tenant's scope; None where it differs in nothing."""
        scope = self._scopes.get(name)
        if scope is None and self.lines.find(_start(name)) is not None:
            scope = self._scopes.setdefault(name, TenantScope(self, name))
        return scope

    def opened(self, name: str) -> TenantScope | None:
        """The scope of a tenant that was asked for."""
        return self._scopes.get(name)

    def scopes(self) -> list[TenantScope]:
        """Those that were asked for."""
        return list(self._scopes.values())

    def binding(self, name: str, key: str) -> Binding | None:
        """What the tenant has of its own for a key. Raises `TenantsError`."""
        return binding_in(self.lines, name, key)


def binding_in(lines: Lines, name: str, key: str) -> Binding | None:
    """What a tenant has of its own for a key. Raises `TenantsError`."""
    line = lines.find(_start(name, key))
    return None if line is None else _binding(line, key)


def _start(tenant: str, key: str | None = None) -> bytes:
    from json import dumps

    start = f'{{"tenant": {dumps(tenant)}, '
    return (start if key is None else f'{start}"key": {dumps(key)}, ').encode("ascii")


def _binding(line: bytes, key: str) -> Binding:
    from json import loads

    from oneiric.references import block_of

    try:
        entry = loads(line)
        binding = bind(
            key,
            entry["fingerprint"],
            provider=entry["provider"],
            port=entry.get("port"),
            needs=tuple(entry.get("needs", ())),
            secrets=tuple(entry.get("secrets", ())),
            python=entry.get("python"),
            os=tuple(entry.get("os", ())),
            artifact=entry.get("artifact"),
        )
        binding.block = block_of(entry)
    except (ValueError, KeyError, TypeError) as error:
        raise TenantsError(f"the tenants' line of {key} is not one the compiler writes") from error
    return binding


def view(scope: AnyScope) -> Wiring:
    """A wiring whose domains look a key's place up in the scope when it is first asked for."""
    shown = scope.wiring_class()
    extend(shown, scope)
    return shown


def extend(shown: Wiring, scope: AnyScope) -> None:
    """Give a view the domains that its wiring has by now."""
    for attribute in scope.wiring_class.__domains__:
        if attribute not in vars(shown):
            domain = _View()
            vars(domain).update(_scope=scope, _attribute=attribute)
            setattr(shown, attribute, domain)


class _View(Domain):
    _scope: TenantScope
    _attribute: str

    def __getattr__(self, name: str) -> Slot[Any]:
        domain = self._scope.wiring_class.__domains__[self._attribute]
        binding = domain.__bindings__.get(name)
        if binding is None:
            raise AttributeError(f"{domain.__name__} has no key {name}")
        slot = self._scope.place(binding.key)
        setattr(self, name, slot)
        return slot
