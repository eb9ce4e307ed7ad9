from oneiric import component


@component("adapter", "mail", provider="p")
class P:
    pass
