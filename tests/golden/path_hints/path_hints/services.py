from oneiric import component


@component("adapter", "mail", provider="services")
class S:
    pass
