from oneiric import component


@component("service", "orders", provider="orders", needs={'mail': 'adapter:mail'})
class Orders:
    def __init__(self, *, mail: object) -> None: ...


@component("adapter", "mail", provider=NAME)
class Smtp:
    def __init__(self, *, host: str) -> None: ...
