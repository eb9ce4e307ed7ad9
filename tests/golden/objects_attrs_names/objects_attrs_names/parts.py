from attrs import define, field, frozen
from oneiric import Secret, component


@frozen
class Endpoint:
    host: str
    _port: int = field(default=80)
    path: str = field(alias="prefix", default="/")


@define
class Client:
    endpoint: Endpoint
    retries: int = field()
    token: Secret | None = field(factory=lambda: None)
    tags: list[str] = field(factory=list)
    opened: bool = field(default=False, init=False)

    @retries.default
    def _three(self) -> int:
        return 3


@component("service", "client", provider="p")
class Connected:
    def __init__(self, *, client: Client) -> None: ...
