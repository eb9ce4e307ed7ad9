"""Layers that come with the package, and the errors that are theirs.

A layer wraps whatever serves a key, by the key's port. Each module here has one, a function of the module's name; it
takes the live handle of what it wraps as `inner`, and gives an object with the same methods. What a layer keeps (how
often something failed, who waits, what is cached) is in that object, which is for one event loop.
"""

from __future__ import annotations

from oneiric.errors import Misconfigured, OneiricError, Unavailable


class LayerError(OneiricError):
    """Anything a layer raises by itself. Errors of what it wraps come through as they are."""


class LayerMisconfigured(LayerError, Misconfigured, ValueError):
    """Settings of a `layer` that are malformed or contradict each other; `setting` is one of them."""

    def __init__(self, layer: str, setting: str, what: str) -> None:
        self.layer = layer
        self.setting = setting
        super().__init__(f"the layer {layer}: {what} (setting {setting})")


class TimedOut(LayerError, Unavailable, TimeoutError):
    """A call of `key`'s `method` was ended by the layer `timeout`, after so many seconds.

    What was asked for may have happened or not.
    """

    def __init__(self, key: str, method: str, timeout: float) -> None:
        self.key = key
        self.method = method
        self.timeout = timeout
        super().__init__(f"{key}: {method} was not done within {timeout:g} s")


class BreakerOpen(LayerError, Unavailable):
    """The layer `breaker` lets no call of `key` in. `retry_after` is how many seconds it stays so; 0 while a call that
    tries it is under way."""

    def __init__(self, key: str, retry_after: float) -> None:
        self.key = key
        self.retry_after = retry_after
        when = f"in {retry_after:.3g} s" if retry_after else "once that is known to work which is under way"
        super().__init__(f"{key} failed too often just now; calls are let in again {when}")


class LimitReached(LayerError, Unavailable):
    """A call of `key` waited `wait` seconds at the layer `limit`, and it was not its turn."""

    def __init__(self, key: str, wait: float) -> None:
        self.key = key
        self.wait = wait
        super().__init__(f"{key} is used as much as it may be, and a call waited {wait:g} s for its turn")
