from oneiric import component


@component("adapter", "mail", provider="smtp")
class Smtp:
    def __init__(self, *, host: str = '') -> None: ...


@component("adapter", "mail", provider="api", priority=-1)
class Api:
    pass


@component("adapter", "a", provider="p")
class A:
    def __init__(self, *, size: int) -> None: ...


@component("adapter", "b", provider="p")
class B:
    def __init__(self, *, size: int, colour: str) -> None: ...
