from dataclasses import dataclass, field

from oneiric import Secret, component


@dataclass(frozen=True)
class Login:
    user: str = "app"
    password: Secret | None = None


@dataclass(frozen=True)
class Pool:
    size: int
    login: Login = field(default_factory=Login)
    hosts: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    fallback: Login | None = None


@component("adapter", "store", provider="p")
class Store:
    def __init__(self, *, pool: Pool) -> None: ...


@component("adapter", "store", provider="spare", stack_level=-1)
class Spare:
    def __init__(self, *, pool: Pool | None = None) -> None: ...
