"""The errors of the runtime. Every one is an `OneiricError`; none shows a secret value."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


class OneiricError(Exception):
    """Anything the runtime raises by itself. Like any exception it is pickled and copied without its cause."""

    def __reduce__(self) -> tuple[Callable[..., BaseException], tuple[object, ...], dict[str, Any]]:
        # not by __init__, which makes the text from other arguments than the text
        return _again, (type(self), *self.args), self.__dict__


def _again(kind: type[OneiricError], *args: object) -> OneiricError:
    error = kind.__new__(kind, *args)
    error.args = args  # which OSError leaves to its `__init__`
    return error


class NotActive(OneiricError):
    """A slot was read, or called synchronously, before it was activated."""


class RuntimeNotRunning(OneiricError):
    """An activation was asked of a runtime that was not entered yet, or entered twice."""


class RuntimeClosed(OneiricError):
    """The runtime is closing or closed; its components cannot be used any more."""


class RuntimeForked(RuntimeClosed):
    """This process was forked from the one that entered the runtime: its loop, threads and instances are not here."""


class Paused(OneiricError):
    """An operator paused or drained the key; `why` is what they noted. Active instances go on serving."""

    def __init__(self, key: str, why: str) -> None:
        self.key = key
        self.why = why
        super().__init__(f"{key} takes no new activations: {why}")


class UnknownKey(OneiricError, LookupError):
    """The wiring has no such key; `nearest` names the ones that look like it, in whatever domain."""

    def __init__(self, key: str, known: Iterable[str]) -> None:
        from difflib import get_close_matches

        self.key = key
        domain, _, name = key.rpartition(":")
        named: dict[str, list[str]] = {}
        for each in sorted(known, key=lambda other: (not other.startswith(f"{domain}:"), other)):
            named.setdefault(each.partition(":")[2], []).append(each)
        near = [name] if name in named else get_close_matches(name, named, n=3)
        self.nearest = tuple(each for close in near for each in named[close])[:3]
        hint = f"; did you mean {' or '.join(self.nearest)}?" if self.nearest else ""
        super().__init__(f"the wiring has no key {key}{hint}")


class RemovedKey(OneiricError, LookupError):
    """The key was there once: the wiring that was loaded since no longer has it."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"the wiring no longer has {key}: a reload removed it")


class UnboundKey(OneiricError, LookupError):
    """The profile, or for a tenant its own settings, take the key away: they `unbind` it."""

    def __init__(self, key: str, tenant: str | None = None) -> None:
        self.key = key
        self.tenant = tenant
        of_tenant = f" for tenant {tenant}" if tenant is not None else ""
        super().__init__(f"{key} is unbound{of_tenant}: the settings take it away")


class NotProvided(OneiricError):
    """The application hands in no instance of `keys`, which the settings say are provided."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        given = ", ".join(f'"{key}": …' for key in keys)
        be = "is" if len(keys) == 1 else "are"
        super().__init__(f"{', '.join(keys)} {be} provided by the application: Runtime(…, provide={{{given}}})")


class LoadError(OneiricError):
    """A wiring cannot be loaded; `code` is `load` (unreadable, does not import), `shape` (not whole), `app`, or
    `restart-needed` where another version of an artifact is loaded, `provided` where the application does not hand in
    what it says is provided; subclasses have codes of their own."""

    def __init__(self, code: str, what: str) -> None:
        self.code = code
        super().__init__(what)


class StateError(OneiricError):
    """A state folder cannot be used: another process has it, or what is in it is not what a runtime writes."""


class PortError(OneiricError):
    """`live` cannot be offered: there is no port, it cannot be loaded, or it has members `live` refuses."""


class ReplacementError(OneiricError):
    """Instances in `replace` do not fit the ports of their keys; `mistakes` says how, one text for each."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class PreflightError(OneiricError):
    """The environment lacks what the application starts with; `missing` says what, one text for each."""

    def __init__(self, missing: Iterable[str]) -> None:
        self.missing = tuple(missing)
        super().__init__("\n".join(self.missing))


class PortalError(OneiricError):
    """A portal was used from the thread of its own loop, or outside its `with` block."""


class VariableError(OneiricError):
    """An environment variable is missing or its text cannot be converted. `variable` is its name."""

    def __init__(self, what: str, variable: str = "") -> None:
        self.variable = variable
        super().__init__(what)


class UnknownTenant(OneiricError, LookupError):
    """A tenant that has no file in settings/tenants; `runtime.tenants()` names those that have."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        super().__init__(f"there is no tenant {tenant!r}: it has no file in settings/tenants")


class UnknownRole(OneiricError, LookupError):
    """A role that the wiring does not have; `roles` are those it has."""

    def __init__(self, role: str, roles: tuple[str, ...]) -> None:
        self.role = role
        self.roles = roles
        known = f"it has {', '.join(roles)}" if roles else "it has none: settings/app.yml states `roles`"
        super().__init__(f"the wiring has no role {role!r}; {known}")


class UnknownProfile(OneiricError, LookupError):
    """A profile that the project does not have; `profiles` are those it has, `variable` the environment variable that
    named it, None where the program did."""

    def __init__(self, profile: str, profiles: tuple[str, ...], variable: str | None = None) -> None:
        self.profile = profile
        self.profiles = profiles
        self.variable = variable
        by = f"{variable}: " if variable else ""
        super().__init__(f"{by}there is no profile {profile!r}; there are {', '.join(profiles)}")


class TenantsError(OneiricError):
    """`tenants.jsonl` is not what the compiler writes."""


class _ComponentError(OneiricError):
    """An error of one component: `domain`, `key`, `provider`, and `tenant` for a tenant's own instance."""

    def __init__(self, domain: str, key: str, provider: str, tenant: str | None, what: str) -> None:
        self.domain = domain
        self.key = key
        self.provider = provider
        self.tenant = tenant
        of_tenant = f" of tenant {tenant}" if tenant is not None else ""
        super().__init__(f"{domain}:{key} ({provider}){of_tenant}: {what}")


class ActivationError(_ComponentError):
    """A component could not be activated; `step` is where, the chained cause is why.

    Steps: python, os, needs, secrets, factory, start, health.
    """

    def __init__(self, domain: str, key: str, provider: str, tenant: str | None, step: str, what: str) -> None:
        self.step = step
        super().__init__(domain, key, provider, tenant, what)


class MissingExtra(ActivationError):
    """A built-in component misses its SDK; `extra` is the extra of this distribution that has it."""

    extra: str


class CloseError(_ComponentError):
    """One component's `close` failed or was too late; the cause is chained."""


class DrainExpired(_ComponentError):
    """One component was closed while `leases` were still held, because the drain deadline passed.

    It is reported, and raised to whoever holds one: at the next step of an iterator, and on leaving a context manager
    whose block did not raise itself.
    """

    leases: int


class NurseryEnded(OneiricError):
    """A background task was begun in a nursery that takes none any more: it is closed, or a task of it failed."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the nursery takes no more tasks: {why}")


class EngineError(OneiricError):
    """The engine of a `domain` failed at a `step` (start, settle, stop); the cause is chained."""

    def __init__(self, domain: str, step: str, what: str) -> None:
        self.domain = domain
        self.step = step
        super().__init__(f"the engine of {domain}: {what}")


class RunFailed(OneiricError):
    """The run `id` of `key` came to no result: `errors` are those of its nodes (`node`, `type`, `message`, `attempts`),
    in the flow's order; `cancelled` is whether somebody ended it."""

    def __init__(self, id: str, key: str, errors: Iterable[Mapping[str, Any]], *, cancelled: bool = False) -> None:
        self.id = id
        self.key = key
        self.errors = tuple(errors)
        self.cancelled = cancelled
        told = "; ".join(f"{each['node']}: {each['type']}: {each['message']}" for each in self.errors)
        super().__init__(f"run {id} of {key} {'was cancelled' if cancelled else 'failed'}{told and f': {told}'}")


class NotInRun(OneiricError):
    """What only a run has was asked for outside of one."""


class ShutdownError(OneiricError, ExceptionGroup[Exception]):
    """Everything that went wrong while a runtime closed; all else was closed all the same."""


class AdapterError(OneiricError):
    """Anything a component raises by its port: the base of `CacheError`, `DatabaseError` and the like.

    `domain` and `key` are the port's, `provider` and `setting` (the one to blame or to look at) where known. The
    text names all of them and holds no secret; `what` is the text without them.
    """

    domain = "adapter"
    key = ""

    def __init__(self, what: str, *, provider: str | None = None, setting: str | None = None) -> None:
        self.what = what if setting is None else f"{what} (setting {setting})"
        self.provider = provider
        self.setting = setting
        super().__init__(self.what if provider is None else f"{self.domain}:{self.key} ({provider}): {self.what}")


class ActionError(OneiricError):
    """Anything an action raises by itself: the base of `InvalidPayload` and the like in `oneiric.actions`.

    `key` is the action's, `provider` where known; `field` is the one of its payload, `setting` the one of its settings
    to look at. The text names all of them and holds no value of a payload; `what` is the text without key and provider.
    """

    domain = "action"

    def __init__(
        self, what: str, *, key: str, provider: str | None = None, field: str | None = None, setting: str | None = None
    ) -> None:
        of_field = f"`{field}` " if field is not None else ""
        by_setting = f" (setting {setting})" if setting is not None else ""
        self.what = f"{of_field}{what}{by_setting}"
        self.key = key
        self.provider = provider
        self.field = field
        self.setting = setting
        of_provider = f" ({provider})" if provider is not None else ""
        super().__init__(f"{self.domain}:{key}{of_provider}: {self.what}")


class Closed(OneiricError):
    """The component was closed, or not started yet: the base of `CacheClosed` and its like, whatever the port."""


class Unavailable(OneiricError):
    """What is behind the component does not answer, or not in time; trying again later may help."""


class Refused(OneiricError):
    """What is behind the component turns it away; trying again does not help."""


class Misconfigured(OneiricError):
    """The component's settings are malformed or contradict each other."""


def refused(error: OSError) -> str:
    """What the system answered, and about which file where it says so."""
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"
