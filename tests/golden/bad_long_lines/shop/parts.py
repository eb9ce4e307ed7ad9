from oneiric import component


@component("adapter", "key-0", provider="provider-0")
class C0:
    pass


@component("adapter", "key-1", provider="provider-1")
class C1:
    pass


@component("adapter", "key-2", provider="provider-2")
class C2:
    pass


@component("adapter", "key-3", provider="provider-3")
class C3:
    pass


@component("adapter", "key-4", provider="provider-4")
class C4:
    pass


@component("adapter", "key-5", provider="provider-5")
class C5:
    pass


@component("adapter", "key-6", provider="provider-6")
class C6:
    pass


@component("adapter", "key-7", provider="provider-7")
class C7:
    pass


@component("adapter", "key-8", provider="provider-8")
class C8:
    pass


@component("adapter", "key-9", provider="provider-9")
class C9:
    pass


@component("adapter", "key-10", provider="provider-10")
class C10:
    pass


@component("adapter", "key-11", provider="provider-11")
class C11:
    pass


@component("adapter", "key-12", provider="provider-12")
class C12:
    pass


@component("adapter", "key-13", provider="provider-13")
class C13:
    pass


@component("adapter", "key-14", provider="provider-14")
class C14:
    pass


@component("adapter", "key-15", provider="provider-15")
class C15:
    pass


@component("adapter", "key-16", provider="provider-16")
class C16:
    pass


@component("adapter", "key-17", provider="provider-17")
class C17:
    pass


@component("adapter", "key-18", provider="provider-18")
class C18:
    pass


@component("adapter", "key-19", provider="provider-19")
class C19:
    pass


@component("adapter", "key-20", provider="provider-20")
class C20:
    pass


@component("adapter", "key-21", provider="provider-21")
class C21:
    pass


@component("adapter", "key-22", provider="provider-22")
class C22:
    pass


@component("adapter", "key-23", provider="provider-23")
class C23:
    pass


@component("adapter", "key-24", provider="provider-24")
class C24:
    pass


@component("adapter", "key-25", provider="provider-25")
class C25:
    pass


@component("adapter", "key-26", provider="provider-26")
class C26:
    pass


@component("adapter", "key-27", provider="provider-27")
class C27:
    pass


@component("adapter", "key-28", provider="provider-28")
class C28:
    pass


@component("adapter", "key-29", provider="provider-29")
class C29:
    pass


@component("adapter", "key-30", provider="provider-30")
class C30:
    pass


@component("adapter", "key-31", provider="other")
class C31:
    pass


@component("adapter", "key-32", provider="provider-32")
class C32:
    pass


@component("adapter", "key-33", provider="provider-33")
class C33:
    pass


@component("adapter", "key-34", provider="provider-34")
class C34:
    pass


@component("adapter", "key-35", provider="provider-35")
class C35:
    pass


@component("adapter", "key-36", provider="provider-36")
class C36:
    pass


@component("adapter", "key-37", provider="provider-37")
class C37:
    pass


@component("adapter", "key-38", provider="provider-38")
class C38:
    pass


@component("adapter", "key-39", provider="provider-39")
class C39:
    pass
