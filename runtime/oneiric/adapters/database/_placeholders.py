"""The `?` of the port, found where they are parameters and not part of a text, a name or a comment."""

from __future__ import annotations

import re
from functools import lru_cache

from oneiric.adapters.database import LONG, QueryError


def _nested(depth: int) -> str:
    """A comment that may hold comments, so deep."""
    inner = f"|{_nested(depth - 1)}" if depth else ""
    return rf"/\*(?:[^*/]|\*(?!/)|/(?!\*){inner})*+\*/"


_COMMENT = r"/\*(?:[^*]|\*(?!/))*+\*/"
_PLAIN = r"'(?:[^']|'')*+'"
_ESCAPED = r"'(?:[^'\\]|\\.|'')*+'"

POSTGRES = re.compile(
    rf"""(?<![\w$])[eE]{_ESCAPED} | {_PLAIN} | "(?:[^"]|"")*+" | (?<![\w$])\$([^\W\d]\w*|)\$.*?\$\1\$
    | --[^\n]* | {_nested(4)} | (\?)""",
    re.DOTALL | re.VERBOSE,
)
MYSQL = re.compile(
    rf"""{_ESCAPED} | "(?:[^"\\]|\\.|"")*+" | `(?:[^`]|``)*+` | \#[^\n]* | --(?=\s|$)[^\n]* | {_COMMENT} | (\?)""",
    re.DOTALL | re.VERBOSE,
)
MYSQL_WITHOUT_BACKSLASHES = re.compile(
    rf"""{_PLAIN} | "(?:[^"]|"")*+" | `(?:[^`]|``)*+` | \#[^\n]* | --(?=\s|$)[^\n]* | {_COMMENT} | (\?)""",
    re.DOTALL | re.VERBOSE,
)


def pieces(sql: str, dialect: re.Pattern[str]) -> tuple[str, ...]:
    """The statement, taken apart at its parameters."""
    return (_looked_up if len(sql) < LONG else _taken_apart)(sql, dialect)


def _taken_apart(sql: str, dialect: re.Pattern[str]) -> tuple[str, ...]:
    found: list[str] = []
    start = 0
    for token in dialect.finditer(sql):
        if token[0] == "?":
            found.append(sql[start : token.start()])
            start = token.end()
    return (*found, sql[start:])


_looked_up = lru_cache(maxsize=512)(_taken_apart)


def check_number(given: int, wanted: int) -> None:
    """Raise `QueryError` unless there are as many parameters as the statement has `?`."""
    if given != wanted:
        raise QueryError(f"the statement has {wanted} parameters, {given} were given")
