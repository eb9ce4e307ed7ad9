"""What generated wirings are written in: `Domain`, `Wiring` and `bind`.

Nothing here runs a factory or imports a provider: a wiring that was only imported has recorded its bindings.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
    from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar, overload

    from oneiric.application import Application
    from oneiric.lines import Lines
    from oneiric.secret import Secret
    from oneiric.slot import AnyScope, Slot
    from oneiric.trust.signature import Trust

    Stamp: TypeAlias = "tuple[int, int, int] | None"
    T = TypeVar("T")
    T_co = TypeVar("T_co", covariant=True)
    W = TypeVar("W", bound="Wiring")
    Default: TypeAlias = str | Callable[[], str] | None

    class _Block(Generic[T_co]):
        """What type checkers see of a bound block: a domain's instances have a slot in its place."""

        def __get__(self, domain: Domain | None, owner: type[Domain], /) -> Slot[T_co]: ...

    class _Inputs(Protocol):
        """What one activation may read: `lifecycle.inputs.Inputs`."""

        def env(self, name: str, default: Default, why: str | None, /) -> str: ...
        def env_as(self, converter: Callable[[str], T], name: str, default: Default, why: str | None, /) -> T: ...
        def secret(self, name: str, /) -> Secret: ...
        def enter(self, made: Any, /) -> Any: ...
        async def enter_async(self, made: Any, /) -> Any: ...

    class _Entered(Protocol[T_co]):
        """A context manager, as far as it is entered."""

        def __enter__(self) -> T_co: ...

    class _EnteredAsync(Protocol[T_co]):
        """An asynchronous one."""

        async def __aenter__(self) -> T_co: ...


class Binding:
    """One key's binding: what the compiler decided, and the block that builds the instance. `bind` makes them."""

    __slots__ = (
        "artifact", "block", "blocking", "eager", "fingerprint", "inner", "key", "layers", "needs", "os", "port",
        "provided", "provider", "python", "restart", "secrets", "tenants", "unbound",
    )  # fmt: skip

    key: str
    fingerprint: str
    provider: str
    port: str | None
    needs: tuple[str, ...]
    secrets: tuple[str, ...]
    eager: bool
    blocking: bool
    restart: str | None
    python: str | None
    os: tuple[str, ...]
    artifact: str | None
    tenants: str | None
    layers: tuple[str, ...]
    inner: str | None
    provided: bool
    unbound: bool
    block: Callable[[Domain], object]

    if TYPE_CHECKING:

        @overload
        def __call__(self, block: Callable[[Any], Coroutine[Any, Any, T]], /) -> _Block[T]: ...
        @overload
        def __call__(self, block: Callable[[Any], T], /) -> _Block[T]: ...
        def __call__(self, block: Callable[[Any], Any], /) -> Any: ...
    else:

        def __call__(self, block):
            self.block = block
            return self

    def __repr__(self) -> str:
        return f"Binding({self.key}, provider={self.provider!r})"


class Alias:
    """A key that is another one: no slot of its own, but the `target`'s. `Domain.__alias__` makes them."""

    __slots__ = ("key", "target")

    def __init__(self, key: str, target: str) -> None:
        self.key = key
        self.target = target

    if TYPE_CHECKING:

        def __call__(self, block: Callable[[Any], T], /) -> _Block[T]: ...
    else:

        def __call__(self, block):
            return self


_new = object.__new__


def bind(
    key: str,
    fingerprint: str,
    *,
    provider: str,
    port: str | None = None,
    needs: tuple[str, ...] = (),
    secrets: tuple[str, ...] = (),
    eager: bool = False,
    blocking: bool = True,
    restart: str | None = None,
    python: str | None = None,
    os: tuple[str, ...] = (),
    artifact: str | None = None,
    tenants: str | None = None,
    layers: tuple[str, ...] = (),
    inner: str | None = None,
    provided: bool = False,
    unbound: bool = False,
) -> Binding:
    """Make the block below the `Binding` of `key` (`domain:key`), so that its domain has a `Slot` there.

    Where it is not `blocking`, what is synchronous of it runs in the loop, without a thread. `restart` is `on-failure`
    where an instance that turns unhealthy is replaced by another. `artifact` is what the factory is imported from:
    `SHA256 NAME` of a pinned one. `tenants` is `NUMBER:DIGEST` of the key's lines in `tenants.jsonl`, the digest the
    first 8 hex digits of their SHA-256. `layers` are the keys of the layers around it, outermost first; of a layer,
    `inner` is the key of what it wraps: another layer, or the key itself. What is `provided` the application hands in;
    what is `unbound` is there for its type alone. A function sets the fields, since a class would take its keywords in
    half as much time again, at each of ten thousand keys.
    """
    binding = _new(Binding)
    binding.key = key
    binding.fingerprint = fingerprint
    binding.provider = provider
    binding.port = port
    binding.needs = needs
    binding.secrets = secrets
    binding.eager = eager
    binding.blocking = blocking
    binding.restart = restart
    binding.python = python
    binding.os = os
    binding.artifact = artifact
    binding.tenants = tenants
    binding.layers = layers
    binding.inner = inner
    binding.provided = provided
    binding.unbound = unbound
    return binding


def without_layers(binding: Binding) -> Binding:
    """The same binding of a key, of which nothing is wrapped."""
    bare = _new(Binding)
    for name in Binding.__slots__:
        setattr(bare, name, () if name == "layers" else getattr(binding, name))
    return bare


class _DomainType(type):
    """Keeps bindings out of the class: a class attribute by a slot's name would slow the slot's lookup."""

    __bindings__: dict[str, Binding]
    __aliases__: dict[str, Alias]

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _DomainType:
        bindings = {n: value for n, value in namespace.items() if type(value) is Binding}
        aliases = {n: value for n, value in namespace.items() if type(value) is Alias}
        for attribute in (*bindings, *aliases):
            del namespace[attribute]
        domain = super().__new__(mcs, name, bases, namespace)
        domain.__bindings__ = bindings
        domain.__aliases__ = aliases
        return domain


class Domain(metaclass=_DomainType):
    """One domain of a wiring. Its instances hold the slots; a block runs on one made for its activation.

    `__engine__` is what drives its components, as `module:Class`: see `lifecycle.engines`. `__subscriptions__` and
    `__schedules__` are what it drives them by, as the report has it. Instances of a domain that is `__scoped__` know
    the scope they are of.
    """

    __engine__: ClassVar[str | None] = None
    __scoped__: ClassVar[bool] = False
    __subscriptions__: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    __schedules__: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    _inputs: _Inputs
    _inner: Any
    """What a layer wraps, as an object that is safe to keep; None elsewhere."""
    _scope: AnyScope

    @staticmethod
    def __alias__(key: str, target: str) -> Alias:
        """Let the block below stand for the slot of another key, whose instance it returns."""
        return Alias(key, target)

    @property
    def _application(self) -> Application:
        """What is handed over for `oneiric:runtime`."""
        host = self._scope.host
        application: Application = host.application(host, self._scope.tenant)
        return application

    def _env(self, name: str, default: Default = None, *, why: str | None = None) -> str:
        """The environment variable; `default` where it is unset or empty. `VariableError` without either.

        With `why`, which the error tells, an empty one is an error too.
        """
        return self._inputs.env(name, default, why)

    def _env_as(
        self,
        convert: Callable[[str], T],
        name: str,
        default: Default = None,
        *,
        why: str | None = None,
    ) -> T:
        """The same, converted; `VariableError` names what was expected where it cannot be."""
        return self._inputs.env_as(convert, name, default, why)

    def _secret(self, name: str) -> Secret:
        """A secret that was fetched for this activation."""
        return self._inputs.secret(name)

    def _enter(self, made: _Entered[T] | Iterator[T]) -> T:
        """What a context manager gives, or a generator yields. It is left when that is closed."""
        entered: T = self._inputs.enter(made)
        return entered

    async def _enter_async(self, made: _EnteredAsync[T] | AsyncIterator[T]) -> T:
        """The same of an asynchronous one, in a task of its own."""
        entered: T = await self._inputs.enter_async(made)
        return entered


class Wiring:
    """One profile's wiring: an attribute per domain, which has an attribute (a `Slot`) per key.

    `__source_roots__` are the folders of the project that its components are imported from; `__listed__` is
    `NUMBER:DIGEST` of the lines that list the tenants, None where there are none; `__serial__` is what its signers
    numbered it, where it was loaded with trust; `__roles__` are the keys and patterns that each role names;
    `__queues__` are the limits of queues by name, `__outbox__` is the key of the database that events of a transaction
    wait in, `__broadcast__` that of the queue by which every process is told, `__exports__` the key of the queue that
    events go to as well, by the pattern of their topics, `__imports__` the keys of those that events come from.
    """

    __app__: ClassVar[str]
    __profile__: ClassVar[str]
    __domains__: ClassVar[Mapping[str, type[Domain]]] = {}
    __source_roots__: ClassVar[tuple[str, ...]] = (".", "src")
    __listed__: ClassVar[str | None] = None
    __roles__: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    __queues__: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    __outbox__: ClassVar[str | None] = None
    __broadcast__: ClassVar[str | None] = None
    __exports__: ClassVar[Mapping[str, str]] = {}
    __imports__: ClassVar[tuple[str, ...]] = ()
    __file__: ClassVar[str | None] = None
    __generation__: ClassVar[str | None] = None
    __tenants__: ClassVar[Lines | None] = None
    __trust__: ClassVar[Trust | None] = None
    __serial__: ClassVar[int | None] = None

    def __init_subclass__(cls, *, app: str, profile: str = "default") -> None:
        cls.__app__ = app
        cls.__profile__ = profile

    @classmethod
    def domains(cls, **domains: type[Domain]) -> None:
        """Say which domain class is behind which attribute."""
        cls.__domains__ = domains


def file_of(wiring: type[Wiring]) -> str | None:
    """The path of the module that defines the wiring; None where it has no file."""
    if wiring.__file__ is not None:
        return wiring.__file__
    import sys

    path: str | None = getattr(sys.modules.get(wiring.__module__), "__file__", None)
    return path


def stamp_of(path: str | None) -> Stamp:
    """What tells a file from another that replaced it."""
    import os

    try:
        found = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size, found.st_ino)


def lines_of(wiring: type[Wiring]) -> Lines:
    """The tenants' lines beside a wiring, as they were when it was loaded."""
    if wiring.__tenants__ is not None:
        return wiring.__tenants__
    from oneiric.lines import Lines

    return Lines.beside(file_of(wiring))


def check_lines(wiring: type[Wiring], lines: Lines) -> None:
    """See that the tenants' lines are those that the wiring names. Raises `LoadError`."""
    expected = {
        binding.key: binding.tenants
        for _, _, bindings in domains_of(wiring)
        for binding in bindings.values()
        if binding.tenants is not None
    }
    lines.check(wiring.__listed__, expected)


def artifacts_beside(wiring: type[Wiring]) -> str | None:
    """The folder that the wiring's artifacts are pinned in; None where it has no file."""
    path = file_of(wiring)
    if path is None:
        return None
    import os

    folder = os.path.dirname(os.path.abspath(path))
    return os.path.join(folder if wiring.__profile__ == "default" else os.path.dirname(folder), "manifests/artifacts")


def may_bind_artifacts(wiring: type[Wiring], lines: Lines | None, *places: str | None) -> bool:
    """Whether it is worth looking for artifacts: a binding has one, or a tenant may have one of those pinned."""
    for _, _, bindings in domains_of(wiring):
        for binding in bindings.values():
            if binding.artifact is not None:
                return True
    if not lines:
        return False
    import os

    return any(place is not None and os.path.isdir(place) for place in places)


def domains_of(wiring: type[Wiring]) -> Iterator[tuple[str, type[Domain], dict[str, Binding]]]:
    """Each domain's attribute, class and bindings by attribute."""
    for attribute, domain in wiring.__domains__.items():
        yield attribute, domain, domain.__bindings__


def aliases_of(wiring: type[Wiring]) -> Iterator[tuple[str, str, Alias]]:
    """Each alias, with the attributes of its domain and of itself."""
    for attribute, domain in wiring.__domains__.items():
        for name, alias in domain.__aliases__.items():
            yield attribute, name, alias


def target_of(wiring: type[Wiring], key: str) -> str:
    """The key that an alias is; any other key is itself."""
    return next((alias.target for _, _, alias in aliases_of(wiring) if alias.key == key), key)
