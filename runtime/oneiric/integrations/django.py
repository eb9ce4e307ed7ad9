"""Django: a runtime in each process, by two settings, and what views and commands see of it.

ONEIRIC_RUNTIME = "web.served.make_runtime"    # a function that gives a Runtime, or where it is
ONEIRIC_TENANT = "web.served.tenant_of"        # whose a request is; None is the base
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.core.signals import setting_changed
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils.module_loading import import_string

from oneiric.errors import RuntimeNotRunning
from oneiric.integrations._process import Process

P = ParamSpec("P")
T = TypeVar("T")

_SETTINGS = ("ONEIRIC_RUNTIME", "ONEIRIC_TENANT")


def start() -> None:
    """Enter the runtime of this process now, such as in `post_worker_init` of gunicorn. Else its first use does.
    Raises what entering raises."""
    _process().start()


def stop() -> None:
    """Close the runtime of this process, such as in `worker_exit` of gunicorn; the end of a process does that as well.
    Raises `ShutdownError`."""
    if _process.cache_info().currsize:
        _process().stop()


def wiring(request: HttpRequest | None = None) -> Any:
    """The wiring as the tenant of the request sees it; without one, the base's. Raises `UnknownTenant`."""
    return _process().wiring(request)


def live(key: str, request: HttpRequest | None = None) -> Any:
    """The live handle of a key, `domain:key`, as the tenant of the request sees it; the key is activated. Its functions
    are for `call`. Raises `UnknownKey`, `UnknownTenant`, `ActivationError`."""
    return _process().live(key, request)


def call(function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What an async function of a live handle comes to: `call(orders.payment, number)`."""
    return _process().call(function, *args, **kwargs)


def _healthz(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"ok": True})


def _readyz(_: HttpRequest) -> JsonResponse:
    ready = _process().ready()
    return JsonResponse({"ok": ready}, status=200 if ready else 503)


health_urls = [path("healthz", _healthz), path("readyz", _readyz)]
"""`/healthz`: the process answers, whatever its components do. `/readyz`: 200 while what is eager, and what that needs,
says that it is well, else 503. Nothing else: anyone may ask."""


@cache
def _process() -> Process[HttpRequest]:
    make, tenant = map(_named, _SETTINGS)
    if make is None:
        raise RuntimeNotRunning(
            "the project has no runtime: the setting ONEIRIC_RUNTIME names a function that gives one"
        )
    return Process(make, tenant)


def _named(setting: str) -> Any:
    said = getattr(settings, setting, None)
    return import_string(said) if isinstance(said, str) else said


def _changed(*, setting: str, **_: object) -> None:
    """Settings of a test: the runtime before is closed, and the next use makes another."""
    if setting in _SETTINGS and _process.cache_info().currsize:
        _process().stop()
        _process.cache_clear()


setting_changed.connect(_changed)
