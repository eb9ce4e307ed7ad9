from oneiric import component


@component("task", "mail", provider="std")
class Mail: ...
