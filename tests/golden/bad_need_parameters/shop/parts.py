from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    pass


@component("service", "a", provider="p", needs={'mail': 'adapter:mail', 'orders': 'adapter:mail'})
class A:
    def __init__(self, *, mail: object, ordres: object = None) -> None: ...


@component("service", "b", provider="q", needs={'zzz': 'adapter:mail'})
class B:
    pass
