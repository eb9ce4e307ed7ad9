from oneiric import component


@component("adapter", "store", provider="std")
class Store: ...
