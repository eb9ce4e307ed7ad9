"""What reloads, swaps and rollbacks come to: what they answer, and what their hooks are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from oneiric.errors import OneiricError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio

Place: TypeAlias = "tuple[str | None, str]"
"""A tenant, None for the base, and a full key."""


class Plan(NamedTuple):
    """What a new wiring changes, by comparing fingerprints. Of tenants only those that are open take part.

    `keep`: the same binding. `start`: a key the present wiring lacks, or a tenant shared with the base until now.
    `replace`: another binding. `stop`: a key that is gone, or that a tenant shares with the base from now on.
    Instances are made at once for what is active or eager; the rest takes its new binding and waits for a call.
    `providers` has, of each that is not kept, the provider before and the one after.
    """

    keep: tuple[Place, ...] = ()
    start: tuple[Place, ...] = ()
    replace: tuple[Place, ...] = ()
    stop: tuple[Place, ...] = ()
    providers: tuple[tuple[Place, str | None, str | None], ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is not kept."""
        return bool(self.start or self.replace or self.stop)


class Outcome(NamedTuple):
    """ACK or NACK.

    `generation` is the digest that is current afterwards. `code` is None, or `unchanged`, `planned` and
    `provisional` of an accepted one, else why it was rejected: `load`, `app`, `shape`, `start`, `health`, `hook`,
    `secrets` (they cannot be fetched anew), `compile`, `drift` (the settings are not those of the running wiring),
    `state`, `no-state`, `no-previous`, `trust` (not signed as it has to be), `artifact` (not what was pinned, or not to
    be used), `restart-needed` (another version of a loaded artifact, or an instance that cannot be replaced while the
    process runs). `reports` are things that went wrong after the commit, which undo nothing; of a plan, what would
    keep it from being made now. `rolled_back_to` is the generation that a rollback returned to, `previous` the one
    before the change. `diff` is what a planned swap means, in the format of `oneiric diff`.
    """

    accepted: bool
    generation: str
    code: str | None = None
    reason: str | None = None
    plan: Plan = Plan()
    reports: tuple[str, ...] = ()
    rolled_back_to: str | None = None
    previous: str = ""
    diff: Mapping[str, Any] | None = None


class Nack(OneiricError):
    """A wiring is rejected; `code` as in `Outcome`, `generation` and `source` as in `Rejected`."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.generation = ""
        self.source: Any = None
        super().__init__(reason)


class Change(NamedTuple):
    """A reload that was committed, or was not necessary; `settling` gives its reports once everything that was
    replaced is closed."""

    outcome: Outcome
    settling: asyncio.Task[tuple[str, ...]] | None = None


class Event(NamedTuple):
    """What a hook is told: `hook` is pre-swap, post-swap or cleanup; `generation` the new digest, `previous` the
    old one; `reports` what went wrong since the commit."""

    hook: str
    generation: str
    previous: str
    plan: Plan
    reports: tuple[str, ...] = ()

    def now(self, hook: str, reports: tuple[str, ...]) -> Event:
        """The same reload, further on."""
        return self._replace(hook=hook, reports=reports)


class Rejected(NamedTuple):
    """The wiring that was rejected last: its digest (empty where no compile made one), where it can be read (a
    `wiring.py`, or the class that was given; None where there is none), and why."""

    generation: str
    source: Any
    reason: str


class RolledBack(OneiricError):
    """A component turned unhealthy soon after a commit, and the previous generation was brought back, or not:
    `outcome` says it, `why` what was unwell."""

    def __init__(self, why: str, outcome: Outcome) -> None:
        self.why = why
        self.outcome = outcome
        ending = f"rolled back to {outcome.rolled_back_to}" if outcome.accepted else f"kept: {outcome.reason}"
        super().__init__(f"{why}; {ending}")


class Overrides(NamedTuple):
    """An operator's swaps: provider by full key, for the base and by tenant."""

    base: Mapping[str, str] = {}
    tenants: Mapping[str, Mapping[str, str]] = {}

    def document(self) -> dict[str, Any]:
        """The form of `compile --overrides FILE`."""
        return {
            "overrides": dict(self.base),
            "tenants": {tenant: dict(keys) for tenant, keys in self.tenants.items()},
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Overrides:
        return cls(document.get("overrides", {}), document.get("tenants", {}))

    def having(self, key: str, provider: str | None, tenant: str | None) -> Overrides:
        """The same with one more swap, of the base or a tenant, or without it where `provider` is None."""
        if tenant is None:
            return Overrides(_having(self.base, key, provider), self.tenants)
        of_tenant = _having(self.tenants.get(tenant, {}), key, provider)
        tenants = {**self.tenants, tenant: of_tenant}
        return Overrides(self.base, {name: keys for name, keys in tenants.items() if keys})

    @property
    def active(self) -> bool:
        return bool(self.base or self.tenants)

    def words(self) -> str:
        """Each of them, as it would be asked for."""
        stated = [(None, self.base), *sorted(self.tenants.items())]
        swaps = [(key, provider, tenant) for tenant, keys in stated for key, provider in sorted(keys.items())]
        return ", ".join(
            f"{key} -> {provider}" + (f" for tenant {tenant}" if tenant else "") for key, provider, tenant in swaps
        )


def _having(keys: Mapping[str, str], key: str, provider: str | None) -> dict[str, str]:
    rest = {name: value for name, value in keys.items() if name != key}
    return rest if provider is None else {**rest, key: provider}
