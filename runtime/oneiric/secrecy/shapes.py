"""Secrets that a text gives away by its shape: in a URL, a connection text, an Authorization value, a private key.

Every scan is linear in the text, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from oneiric.secrecy.names import authorization_name, secret_name

Shape: TypeAlias = Literal["url", "connection", "authorization", "private-key", "token", "pair"]

UNKNOWN = "\0"
"""Stands in a text for what is known only later: a reference without a default."""

_RUN = re.compile(r"\S++")
_USER = re.compile(r"(?!\[)[^/@\s:?#]*+:(?!\d*+(?:[/?#]|\Z))")
_QUERY = re.compile(r"[?&;](?P<name>[\w.\-\[\]]++)=(?P<value>[^&\s#;]*+)")
_NAMED = re.compile(r"""(?<![\w.\-])(?P<name>[A-Za-z][\w.\-]*+)(?:["']\s*+:|[ \t]*+=(?!=))[ \t]*+""")
_VALUE = re.compile(r"""%\(\w*+\)s|"(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?|\{[^}]*+\}?|[^\s;,&"'}\])]*+""", re.DOTALL)
_PAIR = re.compile(r"""\s*+[A-Za-z][\w.\-]*+\s*+=\s*+(?:'(?:[^'\\]|\\.)*+'|[^\s']*+)(?=\s|\Z)""", re.DOTALL)
_SCHEME = r"(?i:bearer|basic|token|apikey|digest|aws4-hmac-sha256)"
_HEADER = re.compile(rf"""(?i:authorization)["']?\s*+[:=]\s*+["']?(?:{_SCHEME}\s++)?(?P<value>[^\s"']++)""")
_CREDENTIALS = re.compile(rf"\s*{_SCHEME}\s++(?P<value>\S.*)", re.DOTALL)
_BLOCK = re.compile(r"-----(?P<edge>BEGIN|END) (?P<of>[A-Z0-9 ]++)-----")
_TOKEN = re.compile(
    r"(?<![\w\-])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22}|glpat-[\w\-]{20}|xox[abeprs]-[\w\-]{10}|"
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{16}|npm_[A-Za-z0-9]{36}|AIza[\w\-]{35}|hf_[A-Za-z0-9]{30}|"
    r"eyJ[\w\-]{8,}+\.eyJ[\w\-]{8,}+\.)[\w\-]*+"
)
_PLACEHOLDER = re.compile(
    r"""[?*.…x]+|%s|%\(\w+\)s|\$[A-Z_][A-Z0-9_]*|%\w+%|[:@][a-z_]+\d*|\$?\{+\s*[\w.:!]*\s*\}+|<[^<>]*>|"""
    r"""(?i:true|false|yes|no|on|off|none|null|required|optional|enabled|disabled|[01]|bearer|basic|token|digest)"""
)


class Found(NamedTuple):
    """Where in a text something secret is written out, and what it is part of."""

    start: int
    end: int
    shape: Shape


def secrets_in(text: str, name: str = "") -> list[Found]:
    """The secrets in a text, the value of a setting called `name`; `UNKNOWN` in it is nothing written out.

    A `pair` is `password=abc` amid other text; a `token` is known by how its issuer writes such.
    """
    found = [*_in_urls(text), *_in_pairs(text), *_in_headers(text, name), *_private_keys(text), *_tokens(text)]
    return sorted(each for each in found if is_written(text[each.start : each.end]))


def is_written(value: str) -> bool:
    """Whether a text is a secret itself, and not what stands for one or leads to it."""
    bare = value.strip("\"'").replace(UNKNOWN, "").strip()
    return bool(bare) and _PLACEHOLDER.fullmatch(bare[:100]) is None


def _in_urls(text: str) -> Iterator[Found]:
    for run in _RUN.finditer(text) if "://" in text else ():
        begins = text.find("://", *run.span())
        while begins >= 0:
            start = begins + 3
            following = text.find("://", start, run.end())
            end = run.end() if following < 0 else following
            if begins and (text[begins - 1].isalnum() or text[begins - 1] in "+.-"):
                yield from _in_url(text, start, end)
            begins = following


def _in_url(text: str, start: int, end: int) -> Iterator[Found]:
    """In the user and the query of one URL: `user:password@host`, and not `host:port/@path`."""
    user, at = _USER.match(text, start, end), text.rfind("@", start, end)
    if user and user.end() < at:
        yield Found(user.end(), at, "url")
    for each in _QUERY.finditer(text, start, end):
        if secret_name(each["name"]):
            yield Found(*each.span("value"), "url")


def _in_pairs(text: str) -> Iterator[Found]:
    """What follows `password=`, or `"password":`; where the text is nothing but pairs it is a connection text."""
    position = 0
    shape: Shape | None = None
    while named := _NAMED.search(text, position):
        position = named.end()
        if secret_name(named["name"]) and (value := _VALUE.match(text, position)):
            position = max(value.end(), position)
            if text[value.start() : value.end()].strip("\"'").lower() != named["name"].lower():
                shape = shape or ("connection" if _is_connection(text) else "pair")
                yield Found(*value.span(), shape)


def _is_connection(text: str) -> bool:
    """Whether a text is nothing but pairs: `Server=a;Password=b`, `host=a password=b`."""
    if ";" in text:
        return all("=" in part for part in text.split(";") if part.strip())
    position = 0
    while pair := _PAIR.match(text, position):
        position = pair.end()
    return not text[position:].strip()


def _in_headers(text: str, name: str) -> Iterator[Found]:
    whole = _CREDENTIALS.fullmatch(text)
    if whole and (authorization_name(name) or _looks_random(whole["value"])):
        yield Found(*whole.span("value"), "authorization")
    for each in _HEADER.finditer(text):
        yield Found(*each.span("value"), "authorization")


def _looks_random(value: str) -> bool:
    """Whether a text behind `Bearer` is credentials, and not a word about them."""
    return len(value) >= 8 and not any(map(str.isspace, value)) and any(map(str.isdigit, value))


def _private_keys(text: str) -> Iterator[Found]:
    """What stands between the lines that begin and end a private key; to the end of the text where none ends it."""
    begun: int | None = None
    for block in _BLOCK.finditer(text):
        if begun is not None and block["edge"] == "END":
            yield Found(begun, block.start(), "private-key")
            begun = None
        elif begun is None and block["edge"] == "BEGIN" and "PRIVATE KEY" in block["of"]:
            begun = block.end()
    if begun is not None:
        yield Found(begun, len(text), "private-key")


def _tokens(text: str) -> Iterator[Found]:
    return (Found(*each.span(), "token") for each in _TOKEN.finditer(text))
