"""What is shown of others' text holds no secret and no unseen character."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.secrecy.names import secret_name
from oneiric_compiler.text.redact import mask, masked, python_line, settings_line
from oneiric_compiler.text.references import closings
from oneiric_compiler.text.visible import visible

SECRET = "hunter2"


@pytest.mark.parametrize(
    "name",
    [
        "password", "db_password", "passwd", "pwd", "PASSWORD", "dbPassword", "secret", "client_secrets", "token",
        "auth-token", "api_key", "api-key", "apikey", "apiKey", "private_key", "signing_key", "credentials",
        "ACCESS_KEY", "redis.password", "passphrase",
    ],
)  # fmt: skip
def test_names_that_suggest_a_secret(name: str) -> None:
    assert secret_name(name)


@pytest.mark.parametrize("name", ["secrets", "tokenizer", "keys", "monkey", "cache", "primary_key", "secretary", "url"])
def test_names_that_do_not(name: str) -> None:
    assert not secret_name(name)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (f"password: {SECRET}", 1),
        (f"  password: '{SECRET}'  # mine", 1),
        (f'"password":"{SECRET}"', 1),
        (f"redis: {{port: 1, password: {SECRET}, host: h}}", 1),
        (f"password:\n  {SECRET}", 2),
        (f"password: |\n  first\n  # {SECRET}", 3),
        (f"a: {{b: 1,\n    Authorization: Bearer\n    {SECRET}}}", 3),
        (f"a: {{b: 1, passwort: a\n {SECRET} b}}, c: 1}}", 2),
        (f"a: {{token: 'a, b\n c, {SECRET}', d: 1}}", 2),
        (f'a: [{{token: "a\n b: c\n\n {SECRET}"}}]', 4),
        (f"a: {{token: [a, b], secret: c\n d, password: e\n {SECRET}}}", 3),
        (f"password:\n\n  # comment\n  {SECRET}", 4),
        (f"tokens:\n  - a\n  - {SECRET}", 3),
        (f"tokens:\n- a\n- {SECRET}", 3),
        (f"tokens:\n  first:\n    deeper: {SECRET}", 3),
        (f"redis: {{password:\n   {SECRET}}}", 2),
        (f"redis: {{password: first\n   {SECRET}, port: 1}}", 2),
        (f"redis: {{headers: {{Authorization: Bearer\n   {SECRET}}}, 'https://host/x': 1}}", 2),
        (f"url: redis://user:{SECRET}@host/0", 1),
        (f"url: redis://user:a@{SECRET}/b@host/0", 1),
        (f"url: redis://:{SECRET}@host/0", 1),
        (f"url: https://host/?token={SECRET}", 1),
        (f"pin: ${{ONEIRIC_SECRET_PIN:-{SECRET}}}", 1),
        (f"password: x\r\npassword: {SECRET}\r", 2),
        (f"password: a$${{{SECRET}}}", 1),
    ],
)
def test_a_settings_line_shows_no_secret_and_keeps_its_length(text: str, number: int) -> None:
    shown = settings_line(text, number)
    assert SECRET not in shown
    assert len(shown) == len(text.split("\n")[number - 1].rstrip("\r"))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("password: abc\ntimeout: 3", 2),
        ("- token: abc\n- timeout", 2),
        ("a: {password: abc}\nb", 2),
        ("token: 'abc'\ntimeout", 2),
        ("cache: redis", 1),
        ("secrets: env", 1),
        ("selections:\n  secrets: env\n  cache: redis", 3),
        ("password: x\ncache: redis", 2),
        ("password:\n  x\ncache: redis", 3),
        ("  password: x\n  url: redis://host:6379/0", 2),
        ("url: redis://host:6379/0", 1),
        ("password: ${ONEIRIC_SECRET_PW}", 1),
        ("", 1),
    ],
)
def test_a_settings_line_without_secrets_stays(text: str, number: int) -> None:
    assert settings_line(text, number) == text.split("\n")[number - 1]


def test_a_python_line_shows_its_names_and_types_but_no_literal() -> None:
    line = f'def f(*, api_key: Secret, password: str = "{SECRET}", port: int = 1): ...'
    assert python_line(line, 1) == line.replace(f'"{SECRET}"', "*" * 9)


@given(st.text())
def test_masking_keeps_length(text: str) -> None:
    assert len(mask(text)) == len(masked(text)) == len(text)


@given(st.text())
def test_what_is_visible_is_printable(text: str) -> None:
    assert visible(text).isprintable()


@given(st.lists(st.sampled_from(["a: b", "  - c", " password: x", "\t", "", "- d", "    e:", "#"]), min_size=1))
def test_any_outline_is_read(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert [len(settings_line(text, number + 1)) for number in range(len(lines))] == list(map(len, lines))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"${{MY_SECRET:-{{a}}{SECRET}}} b", "${MY_SECRET:-**********} b"),
        (f"${{A:-${{MY_SECRET:-{{{SECRET}}}}}}} b", "${A:-${MY_SECRET:-*********}} b"),
        (f"${{MY_SECRET:-{{{SECRET}}}", "${MY_SECRET:-*********"),
        (f"}} {{ ${{MY_SECRET:-{SECRET}}} b", "} { ${MY_SECRET:-*******} b"),
        (f"${{X_SECRET:-${{Y:-{SECRET}}}}} b", "${X_SECRET:-*************} b"),
        (f"${{X_SECRET:?{SECRET}}} b", "${X_SECRET:?*******} b"),
        (f"${{A:-{{user: a, password: {SECRET}}}}} b", "${A:-{user: a, password: ********} b"),
        (f"${{A:-${{B:- [{{api_key: {SECRET}, b: c}}]}}}}", "${A:-${B:- [{api_key: ******** ** ***}}"),
        (f"${{A:-[{{token: {SECRET}", "${A:-[{token: *******"),
        ("${A:-{user: a}} password: b", "${A:-{user: a}} password: b"),
        (f"{{user: a, password: {SECRET}}} b", "{user: a, password: ******** *"),
        ("$${X_SECRET:-a} b", "$${X_SECRET:-a} b"),
        ("$${X_SECRET:? b", "$${X_SECRET:? b"),
        (f"$${{A:-${{X_SECRET:-{SECRET}}}}} b", "$${A:-${X_SECRET:-*******}} b"),
        (f"$$${{X_SECRET:-a}} ${{X_SECRET:-{SECRET}}} b", "$$${X_SECRET:-a} ${X_SECRET:-*******} b"),
        ("$${A:-{password: a} b", "$${A:-{password: a} b"),
    ],
)
def test_defaults_of_secrets_are_hidden_to_the_brace_that_closes_them(text: str, shown: str) -> None:
    assert masked(text) == shown


def closing(text: str, start: int) -> int | None:
    depth, at = 0, start
    while at < len(text):
        if text.startswith("$${", at):
            at += 3
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return at
        at += 1
    return None


@given(st.lists(st.sampled_from(["{", "}", "$", "a", "$${"])).map("".join))
def test_braces_close_as_counting_says(text: str) -> None:
    closed = closings(text)
    escaped = {each.end() - 1 for each in re.finditer(r"\$\$\{", text)}
    opens = [at for at, char in enumerate(text) if char == "{" and at not in escaped]
    assert closed == {at: end for at in opens if (end := closing(text, at)) is not None}
