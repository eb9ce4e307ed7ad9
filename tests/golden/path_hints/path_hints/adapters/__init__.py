from oneiric import component


@component("adapter", "mail", provider="adapters")
class A:
    pass
