from oneiric import component


@component("service", "a", provider="p", needs={'a': 'service:a'})
class A:
    def __init__(self, *, a: object) -> None: ...


@component("service", "b", provider="p", needs={'c': 'service:c'})
class B:
    def __init__(self, *, c: object) -> None: ...


@component("service", "c", provider="p", needs={'b': 'service:b'})
class C:
    def __init__(self, *, b: object) -> None: ...


@component("service", "d", provider="p", needs={'e': 'service:e'})
class D:
    def __init__(self, *, e: object) -> None: ...


@component("service", "e", provider="p", needs={'f': 'service:f'})
class E:
    def __init__(self, *, f: object) -> None: ...


@component("service", "f", provider="p", needs={'d': 'service:d', 'b': 'service:b'})
class F:
    def __init__(self, *, d: object, b: object) -> None: ...


@component("service", "g", provider="p", needs={'d': 'service:d', 'a': 'service:a'})
class G:
    def __init__(self, *, d: object, a: object) -> None: ...
