from oneiric import component


@component("task", "cron", provider="std")
class Cron: ...


