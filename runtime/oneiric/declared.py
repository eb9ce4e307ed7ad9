"""What a wiring declares besides components: workflows of the settings, and topics.

What carries them out stands above this and is loaded by name at first use, so that a start pays for none of it.
"""

from __future__ import annotations

from oneiric.references import load
from oneiric.wiring import Domain, bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from typing import Any, ClassVar, Generic, Protocol, TypeVar

    from oneiric.envelope import Emitted
    from oneiric.flows.model import Flow, Run
    from oneiric.slot import AnyScope
    from oneiric.wiring import Binding

    I_contra = TypeVar("I_contra", contravariant=True)
    I = TypeVar("I")  # noqa: E741
    R_co = TypeVar("R_co", covariant=True)
    R = TypeVar("R")
    T_contra = TypeVar("T_contra", contravariant=True)
    T = TypeVar("T")

    class _Live(Protocol[I_contra, R_co]):
        def __call__(self, input: I_contra, /) -> Coroutine[Any, Any, R_co]: ...

    class FlowSlot(Protocol[I_contra, R_co]):
        """The place of a workflow that settings declare, in the base's view or a tenant's, whose runs are then its."""

        @property
        def key(self) -> str: ...
        @property
        def tenant(self) -> str | None: ...
        @property
        def live(self) -> _Live[I_contra, R_co]:
            """Run it and wait for its result. Raises `RunFailed`, and what `start` raises."""
            ...

        async def start(
            self, input: I_contra, /, *, id: str | None = None, queue: str | None = None
        ) -> RunHandle[R_co]:
            """Submit a run; under one `id` once, however often that is asked for. Raises `PayloadError`, `Paused`."""
            ...

        async def inline(self, input: I_contra, /) -> R_co:
            """Run what the wiring says of it here, as plain code: without engine, retries and limits. For tests."""
            ...

    class AnyTransaction(Protocol):
        """What is used of a transaction of the port `database`."""

        async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int: ...
        async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]: ...

    class _FlowBlock(Protocol[I_contra, R_co]):
        def __get__(self, domain: Domain | None, owner: type[Domain], /) -> FlowSlot[I_contra, R_co]: ...

    class _TopicBlock(Protocol[T_contra]):
        def __get__(self, topics: Topics | None, owner: type[Topics], /) -> TopicSlot[T_contra]: ...

    class _OfResult(Generic[R_co]):
        __slots__ = ()

    class _OfEvent(Generic[T_contra]):
        __slots__ = ()
else:
    R_co = T_contra = None

    class _OfResult:
        __slots__ = ()

        def __class_getitem__(cls, item):
            return cls

    _OfEvent = _OfResult


_WORK = "oneiric.engines.work:work_of"
_MADE = "oneiric.engines.workflows:Declared"
_EMIT = "oneiric.engines.events:emit"


def work_of(scope: AnyScope) -> Any:
    """What runs work of the application that a scope is of: `engines.work.Work`."""
    return load(_WORK)(scope.host)


class FlowBlock:
    """The block of a workflow that is declared: its `flow`, the name of its `input` type (None: any JSON object) and
    the `method` that says the same as plain code, None where a tenant has a flow of its own."""

    __slots__ = ("flow", "input", "method")

    def __init__(self, flow: Flow, input: str | None, method: Callable[[Any, Any], Awaitable[Any]] | None) -> None:
        self.flow = flow
        self.input = input
        self.method = method

    def __call__(self, domain: Domain) -> Any:
        return load(_MADE)(domain._scope, self)  # pyright: ignore[reportPrivateUsage]


def flow(
    key: str, fingerprint: str, *, flow: Mapping[str, Any], input: str | None = None, **fields: Any
) -> Callable[[Callable[[Any, I], Coroutine[Any, Any, R]]], _FlowBlock[I, R]]:
    """Make the method below the `Binding` of a workflow, `workflow:KEY`. `fields` are those of `bind`."""

    def declare(method: Callable[[Any, I], Coroutine[Any, Any, R]]) -> Any:
        return flow_binding(key, fingerprint, flow, input, method, **fields)

    return declare


def flow_binding(
    key: str,
    fingerprint: str,
    flow: Mapping[str, Any],
    input: str | None,
    method: Callable[[Any, Any], Awaitable[Any]] | None,
    *,
    provider: str = "declared",
    blocking: bool = False,
    **fields: Any,
) -> Binding:
    """The binding of a flow: what makes it only keeps it, in the loop."""
    binding = bind(key, fingerprint, provider=provider, blocking=blocking, **fields)
    stated: Any = {"key": key, **flow}
    binding.block = FlowBlock(stated, input, method)
    return binding


def flow_of(binding: Binding) -> FlowBlock | None:
    """The block of a workflow that is declared; None of a component."""
    block = getattr(binding, "block", None)
    return block if type(block) is FlowBlock else None


class RunHandle(_OfResult[R_co]):
    """One run, by its `id`. `R` is what it results in."""

    __slots__ = ("_work", "id")

    def __init__(self, work: Any, id: str) -> None:
        self._work = work
        self.id = id

    async def result(self) -> R_co:
        """Wait for its end. Raises `RunFailed`, also where it was cancelled."""
        result: R_co = await self._work.result(self.id)
        return result

    async def cancel(self) -> bool:
        """End it: the step under way is cancelled, none begins. False where it is over."""
        done: bool = await self._work.cancel(self.id)
        return done

    async def status(self) -> Run:
        """What is known of it."""
        run: Run = await self._work.run(self.id)
        return run

    def __repr__(self) -> str:
        return f"<run {self.id}>"


class Topic:
    """A topic as a wiring declares it: `type` is the name of that of its events (None: any JSON object), `order_by` the
    field by whose value they keep their order."""

    __slots__ = ("name", "order_by", "type")

    def __init__(self, name: str, type: str | None, order_by: str | None) -> None:
        self.name = name
        self.type = type
        self.order_by = order_by

    if TYPE_CHECKING:

        def __call__(self, block: Callable[[Any], T], /) -> _TopicBlock[T]: ...
    else:

        def __call__(self, block):
            return self

        def __get__(self, topics, owner):
            return self if topics is None else TopicSlot(topics._scope, self)


def topic(name: str, *, type: str | None = None, order_by: str | None = None) -> Topic:
    """Make the method below, of which only the annotation matters, a `Topic`: instances have a `TopicSlot` there."""
    return Topic(name, type, order_by)


class TopicSlot(_OfEvent[T_contra]):
    """Where events of a topic are emitted: in the base's view, or a tenant's, whose events they are then."""

    __slots__ = ("scope", "topic")

    def __init__(self, scope: AnyScope, topic: Topic) -> None:
        self.scope = scope
        self.topic = topic

    async def emit(
        self,
        event: T_contra,
        *,
        transaction: AnyTransaction | None = None,
        key: str | None = None,
        id: str | None = None,
        source: str | None = None,
        subject: str | None = None,
        time: str | None = None,
        extensions: Mapping[str, str | int | bool] | None = None,
    ) -> Emitted:
        """Tell who subscribed: `transaction`, of the outbox's database, makes it part of what that commits. `key` is in
        the place of what the topic's `order_by` leads to. The rest sets the envelope: an event emitted twice under one
        `id` (and `source`) is one event to durable deliveries; `time` is in RFC 3339; names of `extensions` are
        lower-case letters and digits. What handlers raise is in the answer. Raises `EventError`, `EnvelopeError`, and
        with a transaction what the database raises."""
        emitted: Emitted = await load(_EMIT)(
            self.scope, self.topic, event,
            transaction=transaction, key=key, id=id, source=source, subject=subject, time=time, extensions=extensions,
        )  # fmt: skip
        return emitted

    def __repr__(self) -> str:
        return f"<topic {self.topic.name}>"


class Topics(Domain):
    """The topics of a wiring, by attribute; `__topics__` are they by name."""

    __scoped__ = True
    __topics__: ClassVar[Mapping[str, Topic]] = {}

    def __init_subclass__(cls) -> None:
        cls.__topics__ = {each.name: each for each in vars(cls).values() if type(each) is Topic}


def topics_of(scope: AnyScope) -> Mapping[str, Topic]:
    """The topics of a wiring by name."""
    for domain in scope.wiring_class.__domains__.values():
        if issubclass(domain, Topics):
            return domain.__topics__
    return {}
