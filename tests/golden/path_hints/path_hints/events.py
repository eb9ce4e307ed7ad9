from oneiric import component


@component("adapter", "mail", provider="events")
class E:
    pass


@component("adapter", "mail", provider="declared", priority=0)
class D:
    pass
