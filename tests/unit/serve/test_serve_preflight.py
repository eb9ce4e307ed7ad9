"""A process tells everything that its environment lacks before it starts anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.running import run, run_apart
from tests.unit.serve.serving import Served, compile_project

PARTS = """
from __future__ import annotations

from pathlib import Path

from oneiric import Secret, component


class Part:
    def __init__(self, **settings: object) -> None:
        with open("made", "a") as file:
            file.write(f"{type(self).__name__}\\n")


@component("service", "desk", provider="plain", eager=True, needs={"mail": "adapter:mail"})
class Desk(Part):
    def __init__(self, *, mail: object, name: str) -> None:
        super().__init__()


@component("adapter", "mail", provider="smtp")
class Smtp(Part):
    def __init__(self, *, port: int = 25, ca_file: Path | None = None, password: Secret) -> None:
        super().__init__()


@component("service", "rest", provider="only")
class Rest(Part):
    def __init__(self, *, url: str, key: Secret) -> None:
        super().__init__()
"""
ADAPTERS = """\
provider_settings:
  smtp:
    port: ${MAIL_PORT:-25}
    ca_file: ${MAIL_CA:-settings}
    password: ${ONEIRIC_SECRET_MAIL}
"""
SERVICES = """\
provider_settings:
  plain: {name: "${DESK_NAME}"}
  only: {url: "${REST_URL}", key: "${ONEIRIC_SECRET_REST}"}
"""
COMPLETE = {"DESK_NAME": "desk", "REST_URL": "here", "ONEIRIC_SECRET_MAIL": "hunter2", "ONEIRIC_SECRET_REST": "hunter2"}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A project of its own, compiled."""
    root = tmp_path / "lab"
    for path, text in {
        "settings/app.yml": "name: lab\npackages: [desk_of_lab]\n",
        "settings/adapters.yml": ADAPTERS,
        "settings/services.yml": SERVICES,
        "settings/tenants/acme.yml": "services: {provider_settings: {only: {url: '${ACME_URL}'}}}\n",
        "desk_of_lab/__init__.py": "",
        "desk_of_lab/parts.py": PARTS,
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    compile_project(root)
    return root


def refused(root: Path, monkeypatch: pytest.MonkeyPatch, *options: str, **environ: str) -> list[dict[str, object]]:
    """What a process logs that does not start, for lack of something."""
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    done = run_apart(root, ["serve", *options])
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not (root / "made").exists()
    status = json.loads((root / ".oneiric/lab/status.json").read_text())
    assert status["state"] == "failed"
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_three_missing_things_are_told_at_once_and_nothing_starts(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"MAIL_PORT": "many", "MAIL_CA": "no/such.pem", "ONEIRIC_SECRET_MAIL": "hunter2"}
    log = refused(desk, monkeypatch, **environ)
    told = {each["name"]: each["reason"] for each in log if each["event"] == "missing"}
    assert told == {
        "DESK_NAME": "the environment variable DESK_NAME is not set; needed by service:desk "
        "(name, settings/services.yml:2:17)",
        "MAIL_PORT": "the environment variable MAIL_PORT cannot be read: expected a whole number; needed by "
        "adapter:mail (port, settings/adapters.yml:3:11)",
        "no/such.pem": "the file no/such.pem does not exist; needed by adapter:mail "
        "(ca_file, settings/adapters.yml:4:14)",
    }
    assert [each["missing"] for each in log if each["event"] == "nothing was started"] == [3]


def test_a_missing_secret_is_told_with_its_setting(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = refused(desk, monkeypatch, **{name: text for name, text in COMPLETE.items() if name != "ONEIRIC_SECRET_MAIL"})
    (told,) = (each for each in log if each["event"] == "missing")
    assert (told["kind"], told["name"]) == ("secret", "MAIL")
    assert told["reason"] == (
        "the secret MAIL cannot be had: there is no secret 'MAIL': the environment variable ONEIRIC_SECRET_MAIL is not "
        "set; needed by adapter:mail (password, settings/adapters.yml:5:15)"
    )


def test_what_is_for_later_is_a_warning_with_numbers(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DESK_NAME", "ONEIRIC_SECRET_MAIL"):
        monkeypatch.setenv(name, COMPLETE[name])
    with Served(desk) as served:
        (warning,) = served.events("missing later")
    facts = {name: warning[name] for name in ("level", "count", "keys", "tenants", "unasked")}
    assert facts == {"level": "warning", "count": 3, "keys": 1, "tenants": 1, "unasked": 0}
    assert (desk / "made").read_text().split() == ["Smtp", "Desk"]


def test_the_generation_that_starts_is_the_one_that_is_tried(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a swap that is the one in the state folder, whatever the committed wiring wants."""
    parts = desk / "desk_of_lab/parts.py"
    other = '@component("adapter", "mail", provider="none")\nclass NoMail(Part):\n    """Sends nothing."""\n'
    parts.write_text(f"{PARTS}\n\n{other}")
    (desk / "settings/adapters.yml").write_text(f"selections: {{mail: smtp}}\n{ADAPTERS}")
    compile_project(desk)
    for name, text in COMPLETE.items():
        monkeypatch.setenv(name, text)
    with Served(desk) as served:
        assert served.swap("adapter:mail", "none")["accepted"]
    monkeypatch.delenv("ONEIRIC_SECRET_MAIL")
    with Served(desk) as served:
        assert served.events("missing") == []


def test_the_command_tells_the_same_of_every_key(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in COMPLETE.items():
        if name != "ONEIRIC_SECRET_REST":
            monkeypatch.setenv(name, text)
    done = run("env", "--check", "--json", cwd=desk, MAIL_PORT="many")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(each["kind"], each["name"]) for each in document["missing"]] == [
        ("variable", "ACME_URL"),
        ("variable", "MAIL_PORT"),
        ("secret", "REST"),
    ]
    (want,) = document["missing"][0]["wanted"]
    assert want == {
        "key": "service:rest",
        "tenant": "acme",
        "parameter": "url",
        "at": "settings/tenants/acme.yml:1:44",
    }
    assert "hunter2" not in done.stdout
    for name, text in {**COMPLETE, "ACME_URL": "x"}.items():
        monkeypatch.setenv(name, text)
    told = run("env", "--check", cwd=desk, MAIL_PORT="many")
    port = "the environment variable MAIL_PORT cannot be read: expected a whole number"
    where = "adapter:mail (port, settings/adapters.yml:3:11)"
    assert (told.returncode, told.stdout) == (1, f"missing: {port}; needed by {where}\n")
    whole = run("env", "--check", cwd=desk)
    assert (whole.returncode, whole.stdout, whole.stderr) == (0, "everything that the wiring needs is here\n", "")
    assert not (desk / "made").exists()


def test_a_template_is_not_tried(desk: Path) -> None:
    done = run("env", "--check", "--format", "dotenv", cwd=desk)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--check and --format dotenv exclude each other" in done.stderr


def test_there_has_to_be_a_wiring(desk: Path) -> None:
    (desk / "generated/wiring.py").unlink()
    assert run("env", "--check", cwd=desk).returncode == 2
