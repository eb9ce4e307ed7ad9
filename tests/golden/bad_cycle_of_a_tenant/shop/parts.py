from oneiric import component


@component("service", "b", provider="p", needs={'a': 'service:a'})
class B:
    def __init__(self, *, a: object) -> None: ...


@component("service", "a", provider="p", priority=1)
class A:
    pass


@component("service", "a", provider="loop", needs={'b': 'b'})
class Loop:
    def __init__(self, *, b: object) -> None: ...
