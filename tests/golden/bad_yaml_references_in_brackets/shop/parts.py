from oneiric import component


@component("adapter", "mail", provider="smtp", capabilities=('html',))
class Smtp:
    def __init__(self, *, host: str = "localhost", timeout: float = 1.0) -> None: ...


@component("adapter", "mail", provider="api", priority=-1)
class Api:
    pass


@component("service", "orders", provider="orders", needs={'mail': 'adapter:mail'})
class Orders:
    def __init__(self, *, mail: Smtp) -> None: ...
