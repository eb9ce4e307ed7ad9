from oneiric import component


@component("service", "a", provider="a", priority=3)
class A:
    pass


@component("service", "a", provider="loser", needs={'mail': 'adapter:mail'})
class B:
    def __init__(self, *, mail: object) -> None: ...
