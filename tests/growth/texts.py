"""Whatever reads or shows a text of a user, on long texts made to take it long: `python texts.py NAME LENGTH`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from oneiric.adapters.storage import _CONTENT_TYPE
from oneiric.secrecy.names import secret_name
from oneiric.secrecy.shapes import secrets_in
from oneiric_compiler.cli.reports import stated_output
from oneiric_compiler.diagnostics.found import Diagnostics, Source, Span, did_you_mean
from oneiric_compiler.diagnostics.render import as_github, as_json, as_sarif, as_text
from oneiric_compiler.linking.expressions import convert
from oneiric_compiler.linking.plain_secrets import plain_secrets
from oneiric_compiler.linking.unfit import Unfit
from oneiric_compiler.questions.diff import tell
from oneiric_compiler.questions.diff.compare import Difference
from oneiric_compiler.settings.documents import parse_document
from oneiric_compiler.settings.schema import shortened
from oneiric_compiler.source.types import AnyOf, Scalar
from oneiric_compiler.stages.read import parse_stack_order
from oneiric_compiler.text.redact import Shown, mask, masked, redacted
from oneiric_compiler.text.visible import visible

WORDS = (
    *("a", "A", "aB", "a=", "a: ", "a:", ":", "://", "://a:", "://a:b@", "a://b:c@", "${A", "${A:-", "${A:-b}", "$${"),
    *("${SECRET", '"', "'", "\\", '\\"', '"a" ', "`", "{", "}", "[", "]", "<", " ", "\t", "\n", "\r\n", "_", "-", "--"),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN A ", "-----END A-----", "Authorization: ", "Authorization: Bearer "),
    *(
        "Bearer ",
        "eyJaaaaaaaa.",
        "eyJ",
        "ghp_",
        "?token=",
        "a=b ",
        "password=",
        "password: ",
        "password={",
        "password='",
    ),
    *(
        "x=1;",
        "0",
        "1:",
        "1_",
        "@",
        "?",
        "&",
        "é",
        "😀",
        "\u0301",
        "#",
        "%",
        "~",
        "/",
        "../",
        "*",
        "|",
        ">",
        "- ",
        "a.",
    ),
    *("password.", "pass", ",", "(", "f(", "a b:c", "\x1b[", "\u202e"),
)


def converted(text: str) -> None:
    for type in (Scalar("str"), AnyOf((Scalar("int"), Scalar("None")))):
        try:
            convert(text, type)
        except Unfit as error:
            str(error)


def diagnosed(text: str) -> None:
    """A mistake in the middle of a line, and a message that is long itself, in every format."""
    found = Diagnostics()
    for path in ("settings/a.yml", "a.py"):
        source = Source(path, text)
        at = Span(source, 1, len(text) // 2 + 1, 1, len(text) + 1)
        found.add("ONE110", f"unknown key `{text}`", at, help=text, related=[(text, Span(source, 1, 1, 1, 2))])
    for form in (as_text, as_json, as_github):
        form(found)
    as_sarif(found, version="1")


def compared(text: str) -> None:
    changes = {"default": [Difference("setting", f"adapter:{text}", None, text, text, f"{text}b")]}
    tell.lines(changes)
    tell.markdown(changes)
    tell.document(changes)


def parsed(text: str) -> None:
    for start in ("", 'a: "', "a: ", "{"):
        parse_document(Source("settings/a.yml", start + text), Diagnostics())


READERS: dict[str, Callable[[str], object]] = {
    "a line of settings": lambda text: [Shown(text).settings(1), Shown(text).settings(text.count("\n") + 1)],
    "a line of Python": lambda text: [Shown(text).python(1), Shown(text).python(text.count("\n") + 1)],
    "a message": masked,
    "a value": lambda text: redacted("x", {text: [text]}),
    "a mask": mask,
    "unseen characters": visible,
    "a name": secret_name,
    "shapes of secrets": lambda text: secrets_in(text, text),
    "secrets of a setting": lambda text: plain_secrets("x", {text: [text]}, named=True),
    "a setting": converted,
    "a diagnostic": diagnosed,
    "a change": compared,
    "an output folder": lambda text: [stated_output(text), stated_output(f"output: {text}")],
    "a stack order": parse_stack_order,
    "the nearest name": lambda text: did_you_mean(text, [text[1:], f"{text[2:]}x", "b"]),
    "a short form": shortened,
    "a content type": lambda text: _CONTENT_TYPE.fullmatch(f"a/{text}\n"),
    "YAML": parsed,
}

if __name__ == "__main__":
    reader, length = READERS[sys.argv[1]], int(sys.argv[2])
    for word in WORDS:
        reader((word * (length // len(word) + 1))[:length])
