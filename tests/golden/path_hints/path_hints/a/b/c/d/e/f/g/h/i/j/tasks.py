from oneiric import component


@component("adapter", "mail", provider="deep-tasks")
class T:
    pass
