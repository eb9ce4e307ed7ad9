from collections.abc import Callable


def component(*_: str) -> Callable[[type], type]:
    return lambda cls: cls


@component("adapter", "not-ours")
class E:
    pass
