from oneiric import component


@component("adapter", "mail", provider="vendor")
class V:
    pass
