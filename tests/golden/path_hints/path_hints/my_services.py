from oneiric import component


@component("adapter", "mail", provider="no-hint")
class N:
    pass
