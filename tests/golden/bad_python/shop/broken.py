from oneiric import component


@component("adapter", "broken", provider="p"
class A:
    pass
