from oneiric import component


@component("adapter", "maps", provider="other", priority=-1)
class OtherMaps:
    pass
