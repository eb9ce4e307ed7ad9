"""Tenants: `tenants.jsonl` found line by line, and a view of the wiring for each tenant that differs."""

from __future__ import annotations

from oneiric.errors import TenantsError
from oneiric.slot import InactiveSlot
from oneiric.wiring import Binding, Domain, domains_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from oneiric.runtime import Runtime
    from oneiric.slot import Slot
    from oneiric.wiring import Wiring


class Lines:
    """A sorted file of lines, mapped into memory and searched by the bytes a line starts with."""

    def __init__(self, path: str) -> None:
        import mmap
        import os

        descriptor = os.open(path, os.O_RDONLY)
        try:
            size = os.fstat(descriptor).st_size
            self._text = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size else b""
        finally:
            os.close(descriptor)

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


class TenantScope:
    """One tenant's view: slots of its own where it has lines, the base's elsewhere."""

    def __init__(self, runtime: Runtime[Any], name: str, lines: Lines) -> None:
        self.runtime = runtime
        self.name = name
        self.tenant: str | None = name
        self.own: dict[str, Slot[Any]] = {}
        self._lines = lines
        self.wiring = _view(self, runtime.wiring_class)

    def slot(self, key: str) -> Slot[Any]:
        """The slot of a full key. Raises `UnknownKey`, `TenantsError`."""
        own = self.own.get(key)
        if own is not None:
            return own
        base = self.runtime.base.slot(key)
        if key in self.runtime.replaced:
            return base
        line = self._lines.find(_start(self.name, key))
        if line is None:
            return base
        return self.own.setdefault(key, InactiveSlot(_binding(line, key), self))


class Tenants:
    """The tenants of one generation. A tenant without a line has no scope of its own."""

    def __init__(self, runtime: Runtime[Any], path: str) -> None:
        self._runtime = runtime
        self._lines = Lines(path)
        self._scopes: dict[str, TenantScope] = {}

    def scope(self, name: str) -> TenantScope | None:
        """The tenant's scope; None where it differs in nothing."""
        scope = self._scopes.get(name)
        if scope is None and self._lines.find(_start(name)) is not None:
            scope = self._scopes.setdefault(name, TenantScope(self._runtime, name, self._lines))
        return scope

    def scopes(self) -> list[TenantScope]:
        """Those that were asked for."""
        return list(self._scopes.values())


def _start(tenant: str, key: str | None = None) -> bytes:
    from json import dumps

    start = f'{{"tenant": {dumps(tenant)}, '
    return (start if key is None else f'{start}"key": {dumps(key)}, ').encode("ascii")


def _binding(line: bytes, key: str) -> Binding:
    from json import loads

    from oneiric.expressions import block_of

    try:
        entry = loads(line)
        binding = Binding(
            key,
            entry["fingerprint"],
            provider=entry["provider"],
            port=entry.get("port"),
            needs=tuple(entry.get("needs", ())),
            secrets=tuple(entry.get("secrets", ())),
            python=entry.get("python"),
            os=tuple(entry.get("os", ())),
        )
        return binding(block_of(entry))
    except (ValueError, KeyError, TypeError) as error:
        raise TenantsError(f"the tenants' line of {key} is not one the compiler writes") from error


def _view(scope: TenantScope, wiring_class: type[Wiring]) -> Wiring:
    """A wiring like the base's, whose domains look a slot up when it is first asked for."""
    view = wiring_class()
    for attribute, domain_class, bindings in domains_of(wiring_class):
        domain = _tenant_domain(domain_class)()
        vars(domain).update(_scope=scope, _keys=bindings)
        setattr(view, attribute, domain)
    return view


_tenant_domains: dict[type[Domain], type[Domain]] = {}


def _tenant_domain(domain: type[Domain]) -> type[Domain]:
    found = _tenant_domains.get(domain)
    if found is None:
        found = type(domain.__name__, (domain,), {"__getattr__": _find_slot})
        _tenant_domains[domain] = found
    return found


def _find_slot(domain: Domain, attribute: str) -> Slot[Any]:
    contents = vars(domain)
    binding: Binding | None = contents["_keys"].get(attribute)
    if binding is None:
        raise AttributeError(f"{type(domain).__name__} has no key {attribute}")
    scope: TenantScope = contents["_scope"]
    slot = scope.slot(binding.key)
    setattr(domain, attribute, slot)
    return slot
