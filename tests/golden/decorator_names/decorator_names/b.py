import oneiric


@oneiric.component("adapter", "b", provider="p")
class B:
    pass
