from oneiric import component


@component("adapter", "mail", provider="a", priority=1)
class A:
    pass
