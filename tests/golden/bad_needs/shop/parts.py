from oneiric import component


@component("service", "a", provider="a", needs={'b': 'service:b'})
class A:
    def __init__(self, *, b: object) -> None: ...


@component("service", "b", provider="b", needs={'mail': 'adapter:mial', 'sms': 'sms'})
class B:
    def __init__(self, *, mail: object, sms: object) -> None: ...


@component("adapter", "mail", provider="p")
class P:
    pass
