from decorator_names.marks import component


@component("adapter", "d", provider="p")
@component("adapter", "d2", provider="p")
class D:
    pass
