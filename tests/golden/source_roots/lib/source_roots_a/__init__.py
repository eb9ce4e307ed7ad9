from oneiric import component


@component("adapter", "mail", provider="lib")
class Lib:
    pass
