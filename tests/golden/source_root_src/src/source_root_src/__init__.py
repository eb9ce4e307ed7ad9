from oneiric import component


@component("adapter", "mail", provider="src")
class Src:
    pass
