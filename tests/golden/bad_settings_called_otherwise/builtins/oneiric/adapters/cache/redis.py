from oneiric import component


@component("adapter", "cache", provider="redis", stack_level=-20)
class RedisCache:
    def __init__(self, *, tls: bool = False, user: str | None = None, client_name: str = "") -> None: ...
