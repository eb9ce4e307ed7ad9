from dataclasses import dataclass

from oneiric import Secret, component


@dataclass
class Login:
    user: str
    password: Secret


@component("adapter", "store", provider="p", stack_level=1)
class Store:
    def __init__(self, *, login: Login) -> None: ...


@component("adapter", "store", provider="spare")
class Spare:
    def __init__(self, *, login: Login, size: int = 1) -> None: ...
