from oneiric import component


@component("adapter", "mail", provider="fake", priority=100)
class Fake:
    pass


for key in ("a", "b"):
    component("adapter", key, provider="fake")(Fake)
