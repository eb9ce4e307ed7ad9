from dataclasses import dataclass, field

from oneiric import component


@dataclass
class Login:
    user: str


@dataclass
class Pool:
    size: int
    login: Login
    logins: list[Login] = field(default_factory=list)


@component("adapter", "store", provider="p")
class Store:
    def __init__(self, *, pool: Pool) -> None: ...


@component("adapter", "other", provider="q")
class Other:
    def __init__(self, *, pool: Pool) -> None: ...
