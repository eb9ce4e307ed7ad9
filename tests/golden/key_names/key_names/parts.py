from oneiric import component


@component("adapter", "http.fetch", provider="v1.2")
class C0:
    pass


@component("adapter", "payment-processor", provider="x-y")
class C1:
    pass


@component("adapter", "2fa", provider="2")
class C2:
    pass


@component("adapter", "class", provider="p")
class C3:
    pass


@component("adapter", "import", provider="p")
class C4:
    pass


@component("adapter", "None", provider="p")
class C5:
    pass


@component("adapter", "match", provider="p")
class C6:
    pass


@component("adapter", "A", provider="p")
class C7:
    pass


@component("adapter", "object", provider="p")
class C8:
    pass


@component("adapter", "str", provider="p")
class C9:
    pass


@component("adapter", "C0", provider="p")
class C10:
    pass


@component("adapter", "Adapters", provider="p")
class C11:
    pass


@component("adapter", "Wiring", provider="p")
class C12:
    pass


@component("adapter", "bind", provider="p")
class C13:
    pass
