"""What somebody could write into outputs by hand, each edit on purpose: `verify` finds all of it, and says what."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.verify import verify
from syrupy.assertion import SnapshotAssertion

from tests.snapshots import masked
from tests.unit.cli.running import run, session

FILES = {
    "settings/app.yml": "name: shop\npackages: [shop]\ntarget: {os: linux}\n",
    "settings/services.yml": """\
selections: {mail: smtp}
eager: {feed: true}
restart: {mail: on-failure, news: never}
provider_settings:
  smtp: {sender: "{0} {} ${SENDER} {x}", tries: "${TRIES:-3}", password: "${ONEIRIC_SECRET_MAIL}", modes: [a]}
""",
    "settings/tenants/acme.yml": "services:\n  selections: {mail: test}\n",
    "settings/tenants/bolt.yml": "services:\n  provider_settings: {smtp: {tries: 9}}\n",
    "settings/tenants/calm.yml": "services:\n  selections: {mail: smtp}\n",
    "shop/__init__.py": "",
    "shop/parts.py": """\
from oneiric import Secret, component

@component("service", "mail", provider="smtp")
class Smtp:
    def __init__(self, *, sender: str, tries: int, password: Secret, modes: set[str]) -> None: ...

@component("service", "mail", provider="test", stack_level=3)
class Test: ...

@component("service", "mail", provider="mac", os_platform=["darwin"], priority=9)
class Mac: ...

@component("service", "news", provider="news", needs={"mail": "service:mail"})
class News:
    def __init__(self, *, mail: object) -> None: ...

@component("service", "feed", provider="feed")
async def feed() -> int: ...
""",
}
Outputs = dict[str, bytes]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    root = tmp_path_factory.mktemp("edits")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    diagnostics = Diagnostics()
    compiled = compile_project(Project.at(root, {}), diagnostics)
    assert compiled is not None, [each.message for each in diagnostics]
    return compiled.profiles["default"][1]


def findings(files: Outputs) -> list[str]:
    return [*verify(json.loads(files["explain.json"]), files["wiring.py"], files["tenants.jsonl"])]


def test_unaltered_they_hold(outputs: Outputs) -> None:
    assert findings(outputs) == []


WIRING = {
    "an import of more": ("from shop.parts import Smtp\n", "from shop.parts import Smtp\n        from evil import x\n"),
    "an import before the right one": (
        "from shop.parts import Smtp\n",
        "from evil import Smtp\n        from shop.parts import Smtp\n",
    ),
    "a conversion that is imported": ("self._env_as(int,", "self._env_as(evil,"),
    "a built-in name that is imported": (
        "from shop.parts import Smtp\n",
        "from shop.parts import Smtp\n        from evil import int\n",
    ),
    "an argument stated twice": ("tries=self", "tries=1,\n            tries=self"),
    "an option stated twice": ('provider="smtp"', 'provider="smtp", provider="smtp"'),
    "another placeholder": ("{{0}} {{}} {} {{x}}", "{0} {{}} {} {{x}}"),
    "a placeholder less": ("{{0}} {{}} {} {{x}}", "{{0}} {{}} {{x}}"),
    "a placeholder in another form": ("{{0}} {{}} {} {{x}}", "{{0}} {{}} {!r} {{x}}"),
    "an argument of a secret": ('self._secret("MAIL")', 'self._secret("MAIL", "x")'),
    "two defaults": ('"TRIES", "3"', '"TRIES", "3", "4"'),
    "a default that is worked out": ('"TRIES", "3"', '"TRIES", lambda: "3"'),
    "a default that is told something": ('"TRIES", "3"', '"TRIES", lambda x="3": x'),
    "a reason": ('self._env("SENDER")', 'self._env("SENDER", why="x")'),
    "another reason": ('self._env("SENDER")', 'self._env("SENDER", because="x")'),
    "a converter of others": ("self._env_as(int,", "self._env_as(list_of(int),"),
    "an empty value": ('self._env("SENDER")', "self._env()"),
    "a set for a list": ('set(["a"])', '{"a"}'),
    "an async block that awaits nothing": ("return await feed()", "return feed()"),
    "a block that is async": ("def mail(self)", "async def mail(self)"),
    "type parameters of a block": ("def mail(self)", "def mail[T](self)"),
    "type parameters of a class": ("class Services(", "class Services[T]("),
    "another parameter": ("def mail(self)", "def mail(self, x=print())"),
    "code after a class": ("\n\n\nclass Wiring(", "\n\nprint()\n\n\nclass Wiring("),
    "code between blocks": ('    @bind("service:news"', '    print()\n\n    @bind("service:news"'),
    "a decorator more": ('    @bind("service:news"', '    @print\n    @bind("service:news"'),
    "code at the end": ("services=Services)\n", "services=Services)\nprint()\n"),
    "code at the start": ("TYPE_CHECKING = False\n", "TYPE_CHECKING = False\nprint()\n"),
    "a class that shadows": ("Services", "bind"),
    "a class that hides the one before": (
        '    @bind("service:news"',
        '\nclass Services(Domain):\n    _wiring: Wiring\n\n    @bind("service:news"',
    ),
    "a class of nothing": ("\n\nclass Wiring(", "\n\nclass More(Domain):\n    _wiring: Wiring\n\n\nclass Wiring("),
    "a text that holds blocks": ('"""smtp: ', '"""\n    @bind("""'),
    "a tab for an indentation": ("    _wiring: Wiring", "\t_wiring: Wiring"),
    "another indentation": ("    _wiring: Wiring", "  _wiring: Wiring"),
    "a form feed": ("    _wiring: Wiring", "\f    _wiring: Wiring"),
    "a null byte": ("class Wiring", "\0class Wiring"),
    "line ends of another system": ("\n", "\r\n"),
    "a value too deep": ('set(["a"])', "-" * 20_000 + "1"),
    "a value deeper than a parser goes": ('set(["a"])', "[" * 20_000),
    "half a file": ("class Wiring", "class Wiring(" * 3),
    "no wiring": ("class ", "pass  # "),
}


VARIES = {
    r"wiring.py: .* \(<unknown>, line \d+\)": "wiring.py: WHAT PYTHON SAYS",
    r"line \d+": "line N",
    r"\b[0-9a-f]{8}\b": "FINGERPRINT",
}
"""What is not of this project's words, or moves with each built-in: a pattern, and what is kept in its place."""


def shown(found: dict[str, list[str]]) -> str:
    """A page of edits, each with what is found; no edit goes unnoticed."""
    assert [name for name, told in found.items() if not told] == []
    page = "\n".join("".join([f"{name}\n", *(f"  {each}\n" for each in told)]) for name, told in found.items())
    return masked(page, VARIES)


def test_edits_of_a_wiring(outputs: Outputs, snapshot: SnapshotAssertion) -> None:
    text = outputs["wiring.py"].decode()
    found: dict[str, list[str]] = {}
    for name, (old, new) in WIRING.items():
        assert old in text
        found[name] = findings({**outputs, "wiring.py": text.replace(old, new).encode()})
        assert any("wiring.py" in each for each in found[name]), name
    assert shown(found) == snapshot


@pytest.mark.parametrize(
    "data",
    [
        b"# -*- coding: utf-7 -*-\n# +AAo-import os\n",
        b"# coding: latin-1\n",
        b"# coding: none-such\n",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
    ],
)
def test_a_wiring_that_python_reads_otherwise(data: bytes, outputs: Outputs) -> None:
    """Text that is a comment as UTF-8 may be code in the encoding that the file says it has."""
    assert findings({**outputs, "wiring.py": data + outputs["wiring.py"]})


def test_a_line_of_the_file_is_named(outputs: Outputs) -> None:
    text = outputs["wiring.py"].decode().replace("from shop.parts import News\n", "import os\n")
    line = text.split("\n").index("        import os") + 1
    assert findings({**outputs, "wiring.py": text.encode()}) == [
        f"wiring.py: line {line} has no place in a wiring: `import os`"
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n", "\u2028".encode()),
        (b"\n", b"\r\n"),
        (b"\n", b"\n\n"),
        (b"acme", b"acne"),
        (b"}\n", b"}"),
    ],
)
def test_edits_of_the_lines_of_tenants(old: bytes, new: bytes, outputs: Outputs) -> None:
    assert findings({**outputs, "tenants.jsonl": outputs["tenants.jsonl"].replace(old, new)})


def test_lines_of_tenants_in_another_order_twice_or_gone(outputs: Outputs) -> None:
    lines = outputs["tenants.jsonl"].splitlines(keepends=True)
    assert len(lines) > 2
    for altered in (lines[::-1], [*lines, lines[-1]], lines[1:], []):
        assert findings({**outputs, "tenants.jsonl": b"".join(altered)})


def mail(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = report["bindings"]["service:mail"]
    return found


def candidate(report: dict[str, Any], provider: str) -> dict[str, Any]:
    return next(each for each in mail(report)["candidates"] if each["provider"] == provider)


def two_swapped(report: dict[str, Any]) -> None:
    one, other = candidate(report, "smtp"), candidate(report, "test")
    for fact in ("factory", "declared_at", "stack_level"):
        one[fact], other[fact] = other[fact], one[fact]


REPORT: dict[str, Callable[[dict[str, Any]], object]] = {
    "facts of two candidates are swapped": two_swapped,
    "another fingerprint": lambda report: mail(report).update(fingerprint="00000000"),
    "another fingerprint of a tenant": lambda report: mail(report)["tenants"]["bolt"].update(fingerprint="00000000"),
    "another rule": lambda report: mail(report).update(decided_by="priority"),
    "another rule that a loser lost by": lambda report: candidate(report, "test").update(lost_by="priority"),
    "another place": lambda report: report["bindings"]["service:feed"].update(decided_at="shop/parts.py#News"),
    "another sentence": lambda report: report["bindings"]["service:feed"].update(because="it is the best"),
    "another order": lambda report: candidate(report, "test").update(order=7),
    "two winners": lambda report: candidate(report, "test").update(won=True),
    "a winner filtered out by what is not a filter": lambda report: candidate(report, "mac").update(excluded_by="mood"),
    "by what is for manifests": lambda report: candidate(report, "mac").update(excluded_by="allowlist"),
    "a loser that should be filtered out": lambda report: candidate(report, "test").update(os_platform=["darwin"]),
    "one filtered out that passes": lambda report: candidate(report, "mac").update(os_platform=["linux"]),
    "a tenant that shares what differs": lambda report: mail(report)["tenants"]["bolt"].update(shared=True),
    "a tenant that is forgotten where a need differs": lambda report: report["bindings"]["service:news"].update(
        tenants={}
    ),
    "a tenant rebuilt for something else": lambda report: report["bindings"]["service:news"]["tenants"]["acme"].update(
        rebuilt_for=["service:feed"]
    ),
    "another setting": lambda report: mail(report)["settings"]["modes"]["expr"].update(set=[{"value": "b"}]),
    "a setting less": lambda report: mail(report)["settings"].pop("modes"),
    "a key less": lambda report: report["bindings"].pop("service:feed"),
    "what is eager where that is stated otherwise": lambda report: report["bindings"]["service:feed"].pop("eager"),
    "another restart": lambda report: mail(report).pop("restart"),
    "a restart that nothing states": lambda report: report["bindings"]["service:feed"].update(restart="on-failure"),
    "a restart stated for another key": lambda report: mail(report)["options"]["restart"].update(
        {"from": "settings/services.yml#/restart/news"}
    ),
    "a restart stated in a file that is not read": lambda report: mail(report)["options"]["restart"].update(
        {"from": "settings/profiles/default.yml#/services/restart/mail"}
    ),
    "a restart that is not one": lambda report: report["bindings"]["service:news"]["options"]["restart"].update(
        value="always"
    ),
    "another app": lambda report: report.update(app="other"),
}


def test_edits_of_a_report(outputs: Outputs, snapshot: SnapshotAssertion) -> None:
    found: dict[str, list[str]] = {}
    for name, edit in REPORT.items():
        report = json.loads(outputs["explain.json"])
        edit(report)
        assert report != json.loads(outputs["explain.json"])
        found[name] = findings({**outputs, "explain.json": json.dumps(report).encode()})
    assert shown(found) == snapshot


@pytest.mark.parametrize("path", [(), ("bindings", "service:mail"), ("bindings", "service:mail", "candidates", 0)])
def test_a_field_that_this_release_does_not_know_is_ignored(path: tuple[Any, ...], outputs: Outputs) -> None:
    report = json.loads(outputs["explain.json"])
    inner = report
    for part in path:
        inner = inner[part]
    inner["invented"] = {"since": "1.9"}
    assert findings({**outputs, "explain.json": json.dumps(report).encode()}) == []


@pytest.fixture
def folder(outputs: Outputs, tmp_path: Path) -> Path:
    for name, data in outputs.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


NO_REPORT: dict[str, Callable[[bytes], bytes]] = {
    "a name twice": lambda data: data.replace(b'"won": true', b'"won": false, "won": true'),
    "what is not a number": lambda data: data.replace(b'"priority": 9,', b'"priority": NaN,'),
    "half of it": lambda data: data[: len(data) // 2],
    "nothing": lambda data: b"",
    "of another format": lambda data: data.replace(b"oneiric.explain/1", b"oneiric.explain/2"),
    "too deep": lambda data: b"[" * 100_000,
    "not UTF-8": lambda data: b"\xff" + data,
}


def test_what_is_no_report(folder: Path, snapshot: SnapshotAssertion) -> None:
    report = folder / "explain.json"
    data = report.read_bytes()
    pages: list[str] = []
    for name, alter in NO_REPORT.items():
        report.write_bytes(alter(data))
        pages.append(f"# {name}\n{session([('verify', '.')], cwd=folder, code=2)}")
    assert masked("\n".join(pages), VARIES) == snapshot


def test_what_cannot_be_read(folder: Path) -> None:
    (folder / "wiring.py").unlink()
    done = run("verify", ".", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "wiring.py" in done.stderr
    (folder / "explain.json").unlink()
    (folder / "explain.json").mkdir()
    assert "cannot be read: Is a directory" in run("verify", ".", cwd=folder).stderr


def test_nothing_of_a_report_reaches_a_terminal_raw(folder: Path) -> None:
    report = json.loads((folder / "explain.json").read_text())
    report["bindings"]["service:\x1b[2J"] = report["bindings"]["service:feed"]
    (folder / "explain.json").write_text(json.dumps(report))
    done = run("verify", ".", cwd=folder)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
