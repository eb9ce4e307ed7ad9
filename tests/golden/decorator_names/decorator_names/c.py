import oneiric as o


@o.component(domain="adapter", key="c", provider="p")
def make() -> object:
    return object()
