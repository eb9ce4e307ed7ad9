from oneiric import component


@component("adapter", "mail", provider="vendor")
class Vendor:
    pass


@component("adapter", "mail", provider="declared", priority=30)
class Declared:
    pass
