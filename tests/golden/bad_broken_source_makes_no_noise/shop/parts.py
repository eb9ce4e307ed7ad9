from oneiric import component


@component("service", "orders", provider="orders", needs={'mail': 'adapter:mail'})
class Orders:
    def __init__(self, *, mail: object) -> None: ...
