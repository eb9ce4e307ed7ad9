"""The `?` of statements: found wherever they are parameters, and nowhere else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.adapters.database._placeholders import MYSQL, MYSQL_WITHOUT_BACKSLASHES, POSTGRES, pieces

NOISE = st.text(alphabet="ab ?'\"`\\/*-#$\n;", max_size=8)


def quoted(mark: str, text: str, backslashes: bool) -> str:
    if backslashes:
        text = text.replace("\\", "\\\\")
    return mark + text.replace(mark, mark * 2) + mark


def comment(text: str) -> str:
    return "/*" + text.replace("*", "").replace("/", "") + "*/"


def line(start: str, text: str) -> str:
    return start + text.replace("\n", "") + "\n"


def tokens(dialect: re.Pattern[str]) -> st.SearchStrategy[str]:
    """Parts of statements that hold no parameter, whatever is in them."""
    common = [
        NOISE.map(comment),
        NOISE.map(lambda text: line("-- ", text)),
        st.sampled_from(["SELECT", "a", "1 ", ",", "+", "(", ")", "::int", "\n"]),
    ]
    if dialect is POSTGRES:
        return st.one_of(
            *common,
            NOISE.map(lambda text: quoted("'", text, False)),
            NOISE.map(lambda text: " E" + quoted("'", text, True)),
            NOISE.map(lambda text: quoted('"', text, False)),
            NOISE.map(lambda text: f" $tag${text.replace('$', '')}$tag$ "),
            NOISE.map(lambda text: f" $${text.replace('$', '')}$$ "),
            NOISE.map(lambda text: f"/* {comment(text)} ? */"),
        )
    backslashes = dialect is MYSQL
    return st.one_of(
        *common,
        NOISE.map(lambda text: quoted("'", text, backslashes)),
        NOISE.map(lambda text: quoted('"', text, backslashes)),
        NOISE.map(lambda text: quoted("`", text, False)),
        NOISE.map(lambda text: line("#", text)),
    )


@pytest.mark.parametrize("dialect", [POSTGRES, MYSQL, MYSQL_WITHOUT_BACKSLASHES])
@given(st.data())
def test_a_statement_is_taken_apart_at_its_parameters_only(dialect: re.Pattern[str], data: st.DataObject) -> None:
    between = data.draw(st.lists(st.lists(tokens(dialect), max_size=5).map(" ".join), min_size=1, max_size=5))
    assert list(pieces(" ? ".join(between), dialect)) == [
        ("" if first else " ") + text + ("" if last else " ")
        for text, first, last in zip(
            between, [True, *[False] * (len(between) - 1)], [*[False] * (len(between) - 1), True], strict=True
        )
    ]


@pytest.mark.parametrize("dialect", [POSTGRES, MYSQL, MYSQL_WITHOUT_BACKSLASHES])
@given(st.text(alphabet="ab ?'\"`\\/*-#$\n;E", max_size=60))
def test_nothing_of_a_statement_is_lost(dialect: re.Pattern[str], sql: str) -> None:
    assert "?".join(pieces(sql, dialect)) == sql
