from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    pass


@component("service", "mail", provider="p")
class Q:
    pass


@component("task", "t", provider="p", needs={'mail': 'mail'})
class T:
    def __init__(self, *, mail: object) -> None: ...
