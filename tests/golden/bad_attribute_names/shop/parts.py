from oneiric import component


@component("adapter", "http.fetch", provider="p")
class A:
    pass


@component("adapter", "http-fetch", provider="p")
class B:
    pass


@component("adapter", "class", provider="p")
class C:
    pass


@component("adapter", "class_", provider="p")
class D:
    pass


@component("service", "http_fetch", provider="p")
class E:
    pass
