from oneiric import component


@component("adapter", "mail", provider="smtp")
class Smtp:
    def __init__(self, *, host: str, hosts: list[str], timeout: float | None = 3.0, tls: bool = False) -> None: ...


class Fake:
    pass
