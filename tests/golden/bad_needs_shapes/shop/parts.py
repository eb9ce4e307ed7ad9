from oneiric import component


class Plugin: ...


@component("service", "five", provider="std", needs={"a": [], "b": ["service:auth", "service:auth"], "c": "plugin.*", "d": "service:*.a", "e": ["service:*"]})
class Five:
    def __init__(self, *, a: list[Plugin], b: list[Plugin], c: list[Plugin], d: list[Plugin], e: list[Plugin]) -> None: ...


@component("service", "six", provider="std", needs={"auth": "service:auth"}, optional="auth", lazy=[1])
class Six:
    def __init__(self, *, auth: Plugin) -> None: ...
