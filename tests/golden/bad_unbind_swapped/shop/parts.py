from oneiric import component


@component("task", "cron", provider="std")
class Cron: ...




@component("task", "cron", provider="other", priority=-1)
class Other: ...
