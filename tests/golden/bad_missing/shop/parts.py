from oneiric import component


@component("adapter", "x")
class Api:
    pass


@component(key="x", provider="p")
class B:
    pass


@component("adapter", provider="p")
class C:
    pass
