from oneiric import component


@component("adapter", "mail", provider="house")
class House:
    pass
