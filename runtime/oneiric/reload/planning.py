"""What a new wiring is and what it changes; all of it may run in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from oneiric.errors import LoadError, NotProvided, ReplacementError
from oneiric.host import Host, Scope
from oneiric.lifecycle.provided import check_provided
from oneiric.lines import Lines, order_of
from oneiric.loading import digest_of, load
from oneiric.reload.outcome import Place, Plan
from oneiric.secret import SECRETS
from oneiric.slot import Slot, bound, stack_of
from oneiric.tenants.bindings import binding_in, start_of
from oneiric.tenants.scope import TenantScope, opened_of
from oneiric.wiring import (
    Binding,
    Wiring,
    aliases_of,
    artifacts_beside,
    check_lines,
    domains_of,
    lines_of,
    may_bind_artifacts,
    without_layers,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.artifacts.path import Ready


class Prepared:
    """A wiring ready to be switched to: its slots and bindings by key, and the tenants' lines that differ. `renewed`
    are slots whose instances are made again although their bindings are the same."""

    def __init__(
        self, host: Host, wiring: type[Wiring], digest: str, lines: Lines, *, renewed: Set[Slot[Any]] = frozenset()
    ) -> None:
        self.wiring = wiring
        self.digest = digest
        self.lines = lines
        self.renewed = renewed
        self.bindings: dict[str, Binding] = {}
        self.attributes: dict[str, tuple[str, str]] = {}
        for attribute, _, bindings in domains_of(wiring):
            for name, binding in bindings.items():
                bare = binding.key in host.bare
                self.bindings[binding.key] = without_layers(binding) if bare else binding
                self.attributes[binding.key] = attribute, name
        self._check(host)
        self.artifacts: tuple[Ready, ...] = ()
        self._compare(host.base)
        self.tenants, unlisted = changed_lines(host.lines or Lines(None), self.lines)
        self.gone = [tenant for tenant in unlisted if self.lines.find(start_of(tenant)) is None]
        for slot in renewed:
            if slot.tenant is not None:
                self.tenants.setdefault(slot.tenant, []).append(slot.key)

    def keeps(self, slot: Slot[Any], binding: Binding | None) -> bool:
        """Whether the instance of a slot stays where this is its binding."""
        return binding is not None and binding.fingerprint == slot.binding.fingerprint and slot not in self.renewed

    def _compare(self, base: Scope) -> None:
        present = base.slots()
        self.slots = {
            key: present.get(key) or base.removed.get(key) or bound(binding, base)
            for key, binding in self.bindings.items()
        }
        self.adopted = [(slot, self.bindings[key]) for key, slot in self.slots.items()]
        self.added = [key for key in self.slots if key not in present]
        self.removed = [slot for key, slot in present.items() if key not in self.slots]
        self.changed = [slot for slot, binding in self.adopted if slot.key in present and not self.keeps(slot, binding)]
        self.ported = [slot for slot in self.changed if slot.binding.port != self.bindings[slot.key].port]
        self.relayered = [slot for slot, binding in self.adopted if binding.layers != slot.binding.layers]
        self.eager = [slot for slot, binding in self.adopted if binding.eager or binding.provided]

    def _check(self, host: Host) -> None:
        app, running = self.wiring.__app__, host.wiring_class.__app__
        if (app, self.wiring.__profile__) != (running, host.wiring_class.__profile__):
            raise LoadError(
                "app",
                f"the wiring is of {app}, profile {self.wiring.__profile__}; "
                f"this runtime is of {running}, profile {host.wiring_class.__profile__}",
            )
        if host.role is not None and host.role not in self.wiring.__roles__:
            raise LoadError("app", f"the wiring has no role {host.role}, which this runtime is of")
        provided: list[Binding] = []
        for binding in self.bindings.values():
            if binding.provided:
                provided.append(binding)
            wraps = () if binding.inner is None else (binding.inner,)
            for need in (*binding.needs, *binding.layers, *wraps, *((SECRETS,) if binding.secrets else ())):
                if need not in self.bindings:
                    raise LoadError("shape", f"{binding.key} needs {need}, which the wiring does not have")
        for _, _, alias in aliases_of(self.wiring):
            if alias.target not in self.bindings or alias.key in self.bindings:
                raise LoadError("shape", f"{alias.key} is said to be {alias.target}, and that is not so")
        if provided:
            try:
                check_provided(host, provided)
            except (NotProvided, ReplacementError) as error:
                raise LoadError("provided", str(error)) from error

    def pin(self, pinned: str | None) -> None:
        """Find what has to be on the path before anything of this wiring is activated."""
        places = artifacts_beside(self.wiring), pinned
        if may_bind_artifacts(self.wiring, self.lines, *places):
            from oneiric.artifacts.path import named_by, prepare

            self.artifacts = prepare(named_by(self.wiring, self.lines), places)

    def enter(self) -> None:
        """Put its artifacts on the path."""
        if self.artifacts:
            from oneiric.artifacts.path import enter

            enter(self.artifacts)

    def open_tenants(self, host: Host) -> Iterator[tuple[TenantScope, str, Binding | None]]:
        """What changes for tenants that were asked for, and the new binding; None where they share it."""
        for tenant, keys in self.tenants.items():
            scope = opened_of(host, tenant)
            if scope is not None:
                for key in keys:
                    if scope.shows(key) and stack_of(key) not in host.replaced:
                        yield scope, key, binding_in(self.lines, tenant, key)


def prepare(host: Host, source: Any, pinned: str | None) -> Prepared:
    """Load a wiring from its path (a class is taken as it is), and compare; `pinned` is the folder of the baseline's
    artifacts. Raises `LoadError`."""
    trust = host.wiring_class.__trust__
    wiring: type[Wiring] = source if isinstance(source, type) else load(source, trust=trust)
    if trust is not None and wiring.__trust__ != trust:
        from oneiric.trust.signature import TrustError

        raise TrustError("the wiring was not loaded with the trust of this runtime")
    lines = lines_of(wiring)
    check_lines(wiring, lines)
    prepared = Prepared(host, wiring, digest_of(wiring), lines)
    prepared.pin(pinned)
    return prepared


def plan(host: Host, prepared: Prepared) -> Plan:
    """What the wiring changes in the runtime as it is now."""
    changed = {slot.key: slot.binding for slot in prepared.changed}
    added = set(prepared.added)
    keep: list[Place] = [(None, key) for key in prepared.bindings if key not in changed and key not in added]
    start: list[Place] = [(None, key) for key in prepared.added]
    replace: list[Place] = [(None, slot.key) for slot in prepared.changed]
    stop: list[Place] = [(None, slot.key) for slot in prepared.removed]
    before: dict[Place, Binding] = {(None, key): binding for key, binding in changed.items()}
    before |= {(None, slot.key): slot.binding for slot in prepared.removed}
    after: dict[Place, Binding] = {(None, key): prepared.bindings[key] for key in (*changed, *added)}
    for scope, key, binding in prepared.open_tenants(host):
        place, own = (scope.name, key), scope.own.get(key)
        if own is None and binding is None:
            continue
        if own is not None and prepared.keeps(own, binding):
            keep.append(place)
            continue
        (start if own is None else stop if binding is None else replace).append(place)
        present = own or host.base.slots().get(key)
        if present is not None:
            before[place] = present.binding
        then = binding or prepared.bindings.get(key)
        if then is not None:
            after[place] = then
    places = (*start, *replace, *stop)
    providers = tuple((place, _provider(before.get(place)), _provider(after.get(place))) for place in places)
    return Plan(tuple(keep), tuple(start), tuple(replace), tuple(stop), providers)


def _provider(binding: Binding | None) -> str | None:
    return None if binding is None else binding.provider


def changed_lines(old: Lines, new: Lines) -> tuple[dict[str, list[str]], list[str]]:
    """The keys by tenant whose lines differ between two sorted files, and the tenants that are no longer listed."""
    found: dict[str, list[str]] = {}
    unlisted: list[str] = []
    if old.digest == new.digest:
        return found, unlisted
    left, right = old.each(), new.each()
    one, other = next(left, b""), next(right, b"")
    while one or other:
        if one == other:
            one, other = next(left, b""), next(right, b"")
            continue
        take_old = bool(one) and (not other or order_of(one) < order_of(other))
        listed = _add(found, one if take_old else other)
        if take_old:
            unlisted += [] if listed is None else [listed]
            one = next(left, b"")
        else:
            other = next(right, b"")
    return found, unlisted


def _add(found: dict[str, list[str]], line: bytes) -> str | None:
    """Note the key that a line is of; the tenant where it lists one."""
    from json import JSONDecoder

    text = line.decode("ascii", "replace")
    decode = JSONDecoder().raw_decode
    start = len('{"tenant": ')
    try:
        tenant, end = decode(text, start)
        if text[end:] == "}":
            return str(tenant)
        key, _ = decode(text, end + len(', "key": '))
    except ValueError:
        raise LoadError("shape", "tenants.jsonl has a line the compiler does not write") from None
    keys = found.setdefault(tenant, [])
    if key not in keys:
        keys.append(key)
    return None
