from oneiric import component


@component("adapter", "store", provider="std")
class Store: ...


@component("service", "user", provider="std", needs={"stores": ["store", "adapter:session-store"]})
class User:
    def __init__(self, *, stores: dict[str, Store]) -> None: ...
