from oneiric import component as serves


@serves("adapter", "a", provider="p")
class A:
    pass
