from oneiric import component


@component("adapter", "store", provider="std")
class Store: ...


@component("adapter", "kept", provider="std")
class Kept: ...


@component("service", "user", provider="std", needs={"a": "adapter:lost", "b": "adapter:round-a"})
class User:
    def __init__(self, *, a: Store, b: Store) -> None: ...
