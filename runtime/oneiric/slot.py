"""The runtime's stable place for one key, the record of the instance in it, and what both need of where they are.

`AnyScope` and `AnyHost` are what rooms below the host know of it: they say what is needed, so that nobody imports a
room above to annotate.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Generic, Protocol, TypeVar

    from oneiric.declared import RunHandle
    from oneiric.wiring import Binding, Wiring

    T = TypeVar("T")

    class _Base(Generic[T]):
        __slots__ = ()

    class AnyHost(Protocol):
        """What the instances of an application need of it: `host.Host`."""

        deadlines: Deadlines
        environ: Mapping[str, str] | None
        provided: Mapping[str, object]
        replaced: frozenset[str]
        loop: asyncio.AbstractEventLoop | None
        paused: dict[str, str]
        active: dict[Slot[Any], Held]
        making: set[asyncio.Future[Any]]
        hurry: asyncio.Future[None]
        looks: AnyLooks | None
        application: Any
        role: str | None

        def refusal(self) -> Exception | None: ...
        def fill(self, held: Held) -> None: ...
        def empty(self, held: Held) -> None: ...
        def spawn(self, work: Coroutine[Any, Any, T], /) -> asyncio.Task[T]: ...
        def report(self, error: BaseException) -> None: ...

    class AnyLooks(Protocol):
        """Who looks at active components, and restarts some: `lifecycle.looks.Looks`."""

        def begin(self) -> None: ...
        async def stop(self) -> None: ...
        def unwell(self) -> list[Any]: ...

    class AnyScope(Protocol):
        """Where the keys of a slot's needs are looked up: the base, a tenant, or what a reload stages of either."""

        tenant: str | None
        removed: dict[str, Slot[Any]]
        wiring: Wiring
        check: Callable[[], Awaitable[None]] | None
        """What has to be awaited before anything of it is used; None where nothing has to."""

        @property
        def host(self) -> AnyHost: ...
        @property
        def wiring_class(self) -> type[Wiring]:
            """The wiring whose keys this shows."""
            ...

        def slots(self) -> dict[str, Slot[Any]]:
            """The slots whose instances belong here, by full key."""
            ...

        def slot(self, key: str) -> Slot[Any]:
            """The slot that holds a key's instance. Raises `UnknownKey`, `RemovedKey`, `TenantsError`."""
            ...

        def place(self, key: str) -> Slot[Any]:
            """What is safe to keep of a key: its slot, or one that follows the base's. Raises as `slot`."""
            ...

        def shared(self, key: str) -> Slot[Any]:
            """The base's slot, which a tenant's follows."""
            ...

        def fill(self, held: Held) -> bool:
            """Take what an activation made; False where a reload has made it useless meanwhile."""
            ...

        def forgive(self, error: Exception) -> bool:
            """Whether an instance may be used whose health check came to this."""
            ...

        def replaces(self, key: str) -> bool:
            """Whether what is activated here takes the place of an active instance."""
            ...

        def note(self, handle: Any) -> None:
            """A handle was made of one of the slots."""
            ...

    class AnyStay(Protocol):
        """The stay in what a factory gave to be entered: `lifecycle.entered`."""

        def leave(self) -> Any: ...
        def ended(self) -> str | None: ...

    class AnyAttempt(Protocol):
        """One activation under way: `lifecycle.activation.Attempt`."""

        task: asyncio.Task[Any]

        async def wait(self) -> None: ...
else:
    T = None

    class _Base:
        __slots__ = ()

        def __class_getitem__(cls, item):
            return cls


class Deadlines:
    """How long each step of one component may take, in seconds. `drain`: the wait for leases of what is replaced
    or closed; `hook`: each hook of a reload; `compile`: the compiler of a swap."""

    __slots__ = ("close", "compile", "drain", "factory", "health", "hook", "secrets", "start")

    def __init__(
        self,
        *,
        secrets: float = 10.0,
        factory: float = 30.0,
        start: float = 30.0,
        health: float = 10.0,
        close: float = 10.0,
        drain: float = 30.0,
        hook: float = 10.0,
        compile: float = 60.0,
    ) -> None:
        self.secrets = secrets
        self.factory = factory
        self.start = start
        self.health = health
        self.close = close
        self.drain = drain
        self.hook = hook
        self.compile = compile


class Held:
    """One instance in a slot, with the number of leases on it.

    While it is `watched`, the end of a lease is told to whoever watches: one that drains it (`settled` is what it waits
    for), or one who looks for idle instances and finds it no longer watched when it was used. `expired` is how many
    leases were held when it was closed all the same, `asked` the question under way how it is, if there is one. Where
    its factory was entered, its `stay` there is left in the place of a close. `inner` is the handle that an instance of
    a layer was given, `secrets` the marks of those that it was made with.
    """

    __slots__ = (
        "asked", "binding", "expired", "inner", "instance", "leases", "owned", "secrets", "settled", "slot", "stay",
        "watched",
    )  # fmt: skip

    def __init__(
        self,
        slot: Slot[Any],
        instance: Any,
        *,
        owned: bool = True,
        binding: Binding | None = None,
        stay: AnyStay | None = None,
    ) -> None:
        self.slot = slot
        self.binding = binding or slot.binding
        self.instance = instance
        self.stay = stay
        self.owned = owned
        self.leases = 0
        self.expired = 0
        self.inner: Any = None
        self.secrets: Mapping[str, bytes | None] | None = None
        self.watched = False
        self.asked: asyncio.Future[Any] | None = None
        self.settled: asyncio.Future[None] | None = None

    def give_back(self) -> None:
        """End one lease."""
        self.leases -= 1
        if self.watched:
            self.tell()

    def tell(self) -> None:
        """Tell whoever watches that a lease has ended."""
        if self.settled is None:
            self.watched = False
        elif not self.leases and not self.settled.done():
            self.settled.set_result(None)


# A slot goes through its states without a flag that every use would have to ask: its class is the state.
#
#   InactiveSlot ── an Attempt begins ──► attempt set ── fill ──► Slot: held and current ── empty ──► InactiveSlot
#        ▲                                   │ failed, cancelled                        (closing set while it is closed)
#        └───────────────────────────────────┘
#   InactiveSlot, of a tenant ── share ──► SharedSlot: all it shows is the base's slot's ── own ──► InactiveSlot
#
# All of it happens in the loop; `share` and `own` in a commit alone. Other threads may read `current` at any moment, so
# `fill` puts the instance there before the class says so, and `empty` the other way round: they see it, or NotActive.


class Slot(_Base[T]):
    """The place of one key in one scope (the base's or a tenant's). It outlives the instances in it."""

    __slots__ = ("attempt", "binding", "closing", "current", "handle", "held", "scope")

    current: T
    """The instance, as fast as a plain attribute; `NotActive` before activation. Nothing keeps it open."""

    def __init__(self, binding: Binding, scope: AnyScope) -> None:
        self.binding = binding
        self.scope = scope
        self.held: Held | None = None
        self.attempt: AnyAttempt | None = None
        self.closing: asyncio.Future[Any] | None = None
        self.handle: T | None = None

    @property
    def live(self) -> T:
        """The key's port as an object that is safe to keep: each call leases whatever instance is current.

        Async calls activate. Raises `PortError` where the binding has no usable port.
        """
        handle = self.handle
        if handle is None:
            from oneiric.live.handles import handle_for

            handle = self.handle = handle_for(self)
        return handle

    def lease(self) -> AbstractAsyncContextManager[T]:
        """Activate on entering, and keep the instance from being closed until the exit."""
        from oneiric.live.leases import SlotLease

        return SlotLease(self)

    async def start(self, input: object, /, *, id: str | None = None, queue: str | None = None) -> RunHandle[Any]:
        """Submit a run to the engine, given a JSON object, for the tenant whose view this is; under one `id` it runs
        once, however often that is asked for. Raises `PayloadError`, `Paused`, and what the engine raises."""
        from oneiric.declared import work_of

        started: RunHandle[Any] = await work_of(self.scope).start(self, input, id=id, queue=queue)
        return started

    async def inline(self, input: object, /) -> Any:
        """Run here, as plain code, what the wiring says of a workflow: without engine, retries and limits."""
        from oneiric.declared import work_of

        return await work_of(self.scope).inline(self, input)

    @property
    def home(self) -> Slot[T]:
        """The slot whose instance is used: this one, but for what has layers, or what a tenant shares with the base."""
        return self

    @property
    def key(self) -> str:
        """The full key, `domain:key`."""
        return self.binding.key

    @property
    def tenant(self) -> str | None:
        """The tenant whose own slot this is; None for the base's."""
        return self.scope.tenant

    @property
    def state(self) -> str:
        """inactive, activating, active, closing, or removed by a reload."""
        if self.held is not None:
            return "active"
        if self.attempt is not None:
            return "activating"
        if self.closing is not None:
            return "closing"
        return "removed" if self.scope.removed.get(self.key) is self else "inactive"

    def __repr__(self) -> str:
        of_tenant = f" of tenant {self.tenant}" if self.tenant is not None else ""
        return f"<Slot {self.key}{of_tenant}, {self.binding.provider}, {self.state}>"


class InactiveSlot(Slot[T]):
    """A slot without an instance: the same object, by `__class__`, so that an active one costs no check."""

    __slots__ = ()

    if not TYPE_CHECKING:

        @property
        def current(self):
            raise inactive(self)


class LayeredSlot(Slot[T]):
    """The slot of a key with layers. It holds what they wrap; what is used is the outermost of them."""

    __slots__ = ()

    if not TYPE_CHECKING:

        @property
        def home(self):
            return self.scope.slot(self.binding.layers[0])

        @property
        def current(self):
            return self.home.current

        @property
        def state(self):
            state = super().state
            return self.home.state if state == "active" else state


class SharedSlot(Slot[T]):
    """A tenant's place for a key it shares with the base. When a reload gives the tenant an instance of its own,
    this becomes its slot, by `__class__`, and so for whoever kept it; and the other way round."""

    __slots__ = ()

    if not TYPE_CHECKING:

        @property
        def key(self):
            return _binding(self).key

        @property
        def home(self):
            return self.scope.shared(self.key).home

        @property
        def binding(self):
            return self.scope.shared(self.key).binding

        @property
        def held(self):
            return self.home.held

        @property
        def current(self):
            return self.home.current

        @property
        def state(self):
            return self.home.state


class UncheckedSlot(SharedSlot[T]):
    """A tenant's place for a key that it seems to share with the base, as long as its lines are not known to be whole:
    a lost one would serve the base's instance in the place of its own. An activation checks them."""

    __slots__ = ()

    if not TYPE_CHECKING:

        @property
        def home(self):
            return self

        @property
        def binding(self):
            return self.scope.shared(self.key).binding

        @property
        def held(self):
            return None

        @property
        def current(self):
            raise inactive(self)

        @property
        def state(self):
            return "inactive"


_binding: Callable[[Slot[Any]], Binding] = vars(Slot)["binding"].__get__
_set_binding: Callable[[Slot[Any], Binding], None] = vars(Slot)["binding"].__set__
_set_held: Callable[[Slot[Any], Held | None], None] = vars(Slot)["held"].__set__
_set_current: Callable[[Slot[Any], object], None] = vars(Slot)["current"].__set__


def fill(slot: Slot[Any], held: Held) -> None:
    """Put an instance into the slot."""
    _set_current(slot, held.instance)
    slot.held = held
    slot.__class__ = LayeredSlot if slot.binding.layers else Slot


def empty(slot: Slot[Any]) -> None:
    """Take the instance out of the slot."""
    slot.__class__ = LayeredSlot if slot.binding.layers else InactiveSlot
    slot.held = None
    _set_current(slot, None)


def bound(binding: Binding, scope: AnyScope) -> Slot[Any]:
    """An empty slot for a binding."""
    return (LayeredSlot if binding.layers else InactiveSlot)(binding, scope)


def rebind(slot: Slot[Any]) -> None:
    """Let a slot show its layers, or itself, as its binding has it by now."""
    slot.__class__ = LayeredSlot if slot.binding.layers else InactiveSlot if slot.held is None else Slot


def bare_handle(slot: Slot[Any]) -> Any:
    """What a layer is given: it calls this very slot, not what is around it. Raises `PortError`."""
    from oneiric.live.handles import handle_on

    return handle_on(slot)


def stack_of(key: str) -> str:
    """The key whose stack a key is of: a layer's is `domain:key/layer`."""
    return key.partition("/")[0]


def shared_slot(key: str, scope: AnyScope, *, unchecked: bool = False) -> Slot[Any]:
    """A tenant's place for a key it shares with the base, or seems to."""
    slot: Slot[Any] = Slot(_nothing(key), scope)
    slot.__class__ = UncheckedSlot if unchecked else SharedSlot
    return slot


def checked(slot: Slot[Any]) -> None:
    """Let a tenant's place follow the base's slot, now that its lines are known to be whole."""
    if slot.__class__ is UncheckedSlot:
        slot.__class__ = SharedSlot  # type: ignore[assignment]


def share(slot: Slot[Any]) -> None:
    """Let a tenant's slot follow the base's."""
    nothing = _nothing(slot.key)
    slot.__class__ = SharedSlot
    _set_held(slot, None)
    _set_binding(slot, nothing)
    _set_current(slot, None)


def _nothing(key: str) -> Binding:
    from oneiric.wiring import bind

    return bind(key, "", provider="")


def own(slot: Slot[Any], binding: Binding) -> None:
    """Let a tenant's place that followed the base's be a slot of its own."""
    slot.__class__ = InactiveSlot
    slot.binding = binding
    rebind(slot)


def inactive(slot: Slot[Any]) -> Exception:
    """Why an empty slot cannot be used synchronously."""
    from oneiric.errors import NotActive, RemovedKey, UnboundKey

    refusal = slot.scope.host.refusal()
    if refusal is not None:
        return refusal
    if slot.state == "removed":
        return RemovedKey(slot.key)
    if slot.binding.unbound:
        return UnboundKey(slot.key, slot.tenant)
    return NotActive(f"{slot.key} is not active: await a call through live, runtime.use(...) or slot.lease() first")
