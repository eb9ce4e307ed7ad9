from oneiric import component


@component("service", "jobs", provider="jobs", needs={'queue': 'queue'})
class Jobs:
    def __init__(self, *, queue: object) -> None: ...
