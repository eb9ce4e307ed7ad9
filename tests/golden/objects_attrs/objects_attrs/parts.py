from attrs import define, field, frozen
from oneiric import Secret, component


@frozen
class Endpoint:
    host: str
    port: int = field(default=80)
    path: str = field(alias="prefix", default="/")


@define
class Client:
    endpoint: Endpoint
    retries: int = field(default=3)
    token: Secret | None = field(factory=lambda: None)
    tags: list[str] = field(factory=list)
    opened: bool = field(default=False, init=False)

@component("service", "client", provider="p")
class Connected:
    def __init__(self, *, client: Client) -> None: ...
