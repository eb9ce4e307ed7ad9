from oneiric import Secret, component


@component("adapter", "store", provider="memory")
class Memory:
    def __init__(self, *, size: int = 1) -> None: ...


@component("adapter", "store", provider="redis")
class Redis:
    def __init__(self, *, url: str, password: Secret, size: int = 1) -> None: ...


@component("adapter", "store", provider="plain", stack_level=-1)
class Plain: ...


@component("adapter", "store", provider="mac", os_platform="darwin")
class Mac:
    def __init__(self, *, size: int = 1) -> None: ...
