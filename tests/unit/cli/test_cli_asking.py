"""How the command is asked: its help, errors as documents, what a shell completes to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from oneiric.serve.folder import StateFolder
from oneiric_compiler.text.paint import Line, columns, paint

from tests.unit.cli.running import COMPILER_EXTRA, run, run_on_terminal

ROOT = Path(__file__).parents[3]
SCHEMA = Draft202012Validator(json.loads((ROOT / "schemas/error.schema.json").read_text()))
FILES = {
    "settings/app.yml": "name: shop\npackages: [shop]\nprofiles: [busy]\n",
    "settings/profiles/busy.yml": "{}\n",
    "settings/tenants/acme.yml": "services: {selections: {payments: cash}}\n",
    "shop/__init__.py": "",
    "shop/parts.py": """
from oneiric import component

@component("service", "payments", provider="card", stack_level=1)
class Card: ...

@component("service", "payments", provider="cash")
class Cash: ...
""",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("asked")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    assert run("compile", cwd=root).returncode == 0
    return root


def test_help_is_in_groups_and_whole_where_it_is_piped(tmp_path: Path) -> None:
    told = run("--help", cwd=tmp_path).stdout
    groups = [line for line in told.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert groups == [
        "Options:", "From settings to a wiring:", "Questions:", "A running process:", "Signed manifests:", "Work:",
    ]  # fmt: skip
    assert "..." not in told.partition("\n")[2]
    assert "a mistake, figures." in " ".join(told.split())


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("explain", "nope", "--json"), "ONE305", "nothing is bound to `adapter:nope`"),
        (("explain", "--from-report", "gone.json", "--json"), "ONE504", "gone.json cannot be read"),
        (("explain", "--nope", "--json"), None, "has no option `--nope`"),
        (("diff", "generated", "--format", "json"), None, "name two reports"),
        (("diff", "--format=json", "--fail-on", "x"), None, "is not a class of change"),
        (("--project", "gone", "list", "--json"), None, "gone is not a folder"),
        (("nope", "--json"), None, "has no command `nope`"),
    ],
)
def test_an_error_is_a_document_where_json_was_asked_for(
    arguments: tuple[str, ...], code: str | None, message: str, project: Path
) -> None:
    done = run(*arguments, cwd=project)
    assert (done.returncode, done.stderr) == (2, "")
    document = json.loads(done.stdout)
    SCHEMA.validate(document)
    assert document["error"]["code"] == code
    assert message in document["error"]["message"]


def test_without_it_an_error_is_text_on_stderr(project: Path) -> None:
    for arguments in (("explain", "nope"), ("explain", "--nope"), ("nope",)):
        done = run(*arguments, cwd=project)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("oneiric explain --domain service pay", ["payments"]),
        ("oneiric explain service:", ["service:payments"]),
        ("oneiric explain ca", ["cache"]),
        ("oneiric explain --domain se", ["service"]),
        ("oneiric explain --profile ", ["busy", "default"]),
        ("oneiric explain --tenant a", ["acme"]),
        ("oneiric explain --domain service payments --why-not c", ["card", "cash"]),
        ("oneiric swap --domain service payments ca", ["card", "cash"]),
        ("oneiric explain-code ONE50", ["ONE501", "ONE502", "ONE503", "ONE504", "ONE505"]),
        ("oneiric explain zzz", []),
        ("oneiric --project gone explain ca", []),
    ],
)
def test_what_a_shell_completes_to(line: str, wanted: list[str], project: Path) -> None:
    """On the base install."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    done = run(cwd=project, blocked=COMPILER_EXTRA, _ONEIRIC_COMPLETE="complete_bash", **words)
    assert done.stdout.split() == wanted
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["explain", "service", ":", "pay"], ["payments"]),
        (["explain", "service", ":"], ["payments"]),
        (["swap", "service", ":", "payments", "ca"], ["card", "cash"]),
        (["explain", "ca"], ["cache"]),
        (["status", "--name", ""], ["second", "shop"]),
    ],
)
def test_bash_takes_a_full_key_for_several_words(words: list[str], wanted: list[str], project: Path) -> None:
    """As its own script hands them on, with COMP_WORDBREAKS as they are; it completes the last word alone."""
    for name in ("shop", "second"):
        folder = StateFolder.of(project, name)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.status.touch()
    asked = {"COMP_WORDS": "\n".join(["oneiric", *words]), "COMP_CWORD": str(len(words))}
    done = run(cwd=project, blocked=COMPILER_EXTRA, _ONEIRIC_COMPLETE="complete_bash", **asked)
    assert (done.stdout.split(), done.stderr) == (wanted, "")


@example("`` ````漢", 10)
@given(st.text(st.sampled_from("ab  `é漢"), max_size=200), st.integers(10, 60))
def test_a_terminal_breaks_lines_between_words_alone(text: str, width: int) -> None:
    line: Line = [("  ", "blue"), (text, "plain"), (" end", "red")]
    whole, broken = paint([line], styled=False), paint([line], styled=False, width=width)
    assert broken.split() == whole.split()
    assert broken.count("\n") == 1 or columns(whole.rstrip("\n")) > width or "  " in text
    for part in broken.splitlines():
        assert columns(part) <= width or len(part.split()) == 1


def test_a_message_is_broken_on_a_terminal_and_whole_in_a_pipe(project: Path) -> None:
    arguments = ("explain", "--from-report", "/gone/" + "far " * 40 + "away.json")
    assert len(run(*arguments, cwd=project).stderr.splitlines()[0]) > 160
    shown = run_on_terminal(*arguments, cwd=project, NO_COLOR="1", COLUMNS="60")
    assert all(len(line) <= 60 for line in shown.splitlines())
    assert "far far" in shown
