"""The action `http.fetch`: one request, and what is answered."""

from __future__ import annotations

import json as jsons
from base64 import b64encode
from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Final, Protocol, TypedDict
from urllib.parse import urlencode

from oneiric import component
from oneiric.actions import ActionRefused, ActionUnavailable, Json
from oneiric.actions._payload import Fields, chosen, given, payload_of, settings_of
from oneiric.actions._requests import MAX_BYTES, MAX_TIMEOUT, METHODS, answered, headers_of
from oneiric.adapters.http import HttpClient, Response
from oneiric.errors import ActionError
from oneiric.flows.paths import is_list

_KEY: Final = "http.fetch"
_LATER = frozenset((HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS))
_TEXTS = ("text/", "application/xml", "application/javascript", "application/x-www-form-urlencoded")


class Fetched(TypedDict):
    """What was answered.

    `status`: `success` for a status below 400, else `error`.
    `status_code`: the status.
    `ok`: whether it is below 400.
    `method`: how it was asked.
    `url`: the address that answered, after redirects.
    `headers`: the header fields of the answer, with names in lower case.
    `elapsed_ms`: milliseconds until all of the answer was here.
    `json`: the body where its content type is one of JSON and it is JSON, else null.
    `text`: the body where its content type is one of texts, JSON included, else null.
    `data`: the body in base64 where it is no text, else null.
    """

    status: str
    status_code: int
    ok: bool
    method: str
    url: str
    headers: dict[str, str]
    elapsed_ms: float
    json: Json
    text: str | None
    data: str | None


class Fetch(Protocol):
    """Asks a server by HTTP, through `adapter:http`, and gives its answer; one of 400 and above is an answer as well.

    `url`: the address, or a path below the `base_url` of `adapter:http`.
    `path`: the same.
    `method`: `GET`, `HEAD`, `OPTIONS`, `POST`, `PUT`, `PATCH` or `DELETE`; the setting by default.
    `params`: the query; several values of one name are a list.
    `headers`: header fields, besides those of the settings.
    `json`: what is sent as JSON.
    `data`: what is sent as a form; a text is sent as it is.
    `content`: a text that is sent as it is.
    `timeout`: seconds that all of it may take; the setting by default.
    `verify`: nothing but true, which it is by default: certificates are a matter of `adapter:http`.
    `allow_redirects`: nothing but true, which it is by default: `adapter:http` says how many are followed.
    `raise_for_status`: whether an answer of 400 and above is an error; the setting by default.
    """

    async def __call__(
        self,
        *,
        url: str | None = None,
        path: str | None = None,
        method: str | None = None,
        params: Mapping[str, Json] | None = None,
        headers: dict[str, str] | None = None,
        json: Json = None,
        data: Json = None,
        content: str | None = None,
        timeout: float | None = None,
        verify: bool | None = None,
        allow_redirects: bool | None = None,
        raise_for_status: bool | None = None,
    ) -> Fetched: ...


@component(
    "action",
    "http.fetch",
    provider="builtin-http-fetch",
    priority=0,
    stack_level=-10,
    capabilities=("http", "json", "external-service"),
    needs={"http": "adapter:http"},
    port="oneiric.actions.fetch:Fetch",
)
class HttpFetch:
    """Asks servers by `adapter:http`, which tries again what may be repeated.

    `default_method`: how is asked, where a payload does not say.
    `timeout`: seconds that all of a request may take, where a payload does not say.
    `raise_for_status`: whether an answer of 400 and above is an error, where a payload does not say.
    `default_headers`: header fields of every request, which a payload may override.
    `max_bytes`: how large an answer may be.
    """

    def __init__(
        self,
        *,
        http: HttpClient,
        default_method: str = "GET",
        timeout: float = 10.0,
        raise_for_status: bool = False,
        default_headers: dict[str, str] | None = None,
        max_bytes: int = 8_388_608,
    ) -> None:
        checks = settings_of(_KEY, "builtin-http-fetch")
        self._http = http
        self._method = checks.one_of("default_method", default_method, METHODS)
        self._timeout = checks.number("timeout", timeout, 0.001, MAX_TIMEOUT)
        self._raise = checks.boolean("raise_for_status", raise_for_status)
        self._headers = headers_of(checks, "default_headers", default_headers or {})
        self._most = checks.integer("max_bytes", max_bytes, 1, MAX_BYTES)

    async def __call__(
        self,
        *,
        url: str | None = None,
        path: str | None = None,
        method: str | None = None,
        params: Mapping[str, Json] | None = None,
        headers: dict[str, str] | None = None,
        json: Json = None,
        data: Json = None,
        content: str | None = None,
        timeout: float | None = None,
        verify: bool | None = None,
        allow_redirects: bool | None = None,
        raise_for_status: bool | None = None,
    ) -> Fetched:
        checks = payload_of(_KEY)
        where = checks.one(url=given(url), path=given(path))
        address = checks.text(where, url if where == "url" else path, empty=False)
        for field, wanted in (("verify", verify), ("allow_redirects", allow_redirects)):
            if wanted is not None and not checks.boolean(field, wanted):
                raise checks.wrong(field, "cannot be false for one request: `adapter:http` has a setting")
        asked = checks.one_of("method", chosen(method, self._method), METHODS)
        body, kind = _body(checks, json, data, content)
        fields = {**kind, **self._headers, **headers_of(checks, "headers", {} if headers is None else headers)}
        within = checks.number("timeout", chosen(timeout, self._timeout), 0.001, MAX_TIMEOUT)
        strict = checks.boolean("raise_for_status", chosen(raise_for_status, self._raise))
        query = _params(checks, params)
        begun = perf_counter()
        response = await answered(
            self._http, _KEY, asked, address, params=query, headers=fields, body=body, timeout=within, most=self._most
        )
        elapsed = (perf_counter() - begun) * 1000
        if strict and response.status >= 400:
            raise _failed(response.status)
        return _fetched(response, asked.upper(), elapsed)


def _body(checks: Fields, json: Json, data: Json, content: str | None) -> tuple[bytes | None, dict[str, str]]:
    """What is sent, and its content type."""
    if json is None and data is None and content is None:
        return None, {}
    field = checks.one(json=given(json), data=given(data), content=given(content))
    if field == "json":
        text = jsons.dumps(checks.json("json", json), ensure_ascii=False, separators=(",", ":"))
        return text.encode(), {"content-type": "application/json"}
    if field == "data" and not isinstance(data, str):
        form = urlencode(_params(checks, data, "data") or {}, doseq=True)
        return form.encode(), {"content-type": "application/x-www-form-urlencoded"}
    return checks.text(field, data if field == "data" else content).encode(), {
        "content-type": "text/plain; charset=utf-8"
    }


def _params(checks: Fields, value: Json, field: str = "params") -> dict[str, str | list[str]] | None:
    """A query or a form: texts, numbers and booleans by name, and lists of them."""
    if value is None:
        return None
    made: dict[str, str | list[str]] = {}
    for name, each in checks.mapping(field, value).items():
        if is_list(each):
            made[name] = [_written(checks, f"{field}.{name}", one) for one in each]
        else:
            made[name] = _written(checks, f"{field}.{name}", each)
    return made


def _written(checks: Fields, field: str, value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | str):
        return str(value)
    raise checks.wrong(field, "is not a text, a number or a boolean, or a list of such")


def _failed(status: int) -> ActionError:
    later = status >= 500 or status in _LATER
    return (ActionUnavailable if later else ActionRefused)(f"got the status {status}", key=_KEY)


def _fetched(response: Response, method: str, elapsed: float) -> Fetched:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind in ("application/json", "text/json") or kind.endswith("+json")
    is_text = is_json or not response.body or kind.startswith(_TEXTS) or kind.endswith("+xml")
    return {
        "status": "success" if response.status < 400 else "error",
        "status_code": response.status,
        "ok": response.status < 400,
        "method": method,
        "url": response.url,
        "headers": {name: _readable(response.headers[name]) for name in response.headers},
        "elapsed_ms": round(elapsed, 3),
        "json": _json(response.body) if is_json else None,
        "text": response.text() if is_text else None,
        "data": None if is_text else b64encode(response.body).decode(),
    }


def _json(body: bytes) -> Json:
    """A body as JSON; null where it is none, or holds what not every reader of JSON takes."""
    try:
        return payload_of(_KEY).json("json", jsons.loads(body))
    except (ValueError, RecursionError):
        return None


def _readable(text: str) -> str:
    """A header without what UTF-8 cannot encode."""
    return text.encode(errors="replace").decode()
