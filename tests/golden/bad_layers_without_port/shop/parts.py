from oneiric import component


@component("service", "http", provider="plain")
def plain():
    return object()


@component("service", "http", provider="audited", layer=True)
def audited(inner):
    return inner
