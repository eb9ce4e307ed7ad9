"""`oneiric secrets rotate`: a process that serves takes a new secret, without a failed call."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from oneiric_compiler.cli.complete import secrets

from tests.unit.cli.running import fits
from tests.unit.serve.serving import Served, command, compile_project, until

HOLDER = """

@component("service", "guard", provider="only", eager=True, port="lab.parts:Greeter")
class Guard(Plain):
    def __init__(self, *, password: Secret, length: int = 3) -> None:
        Path("guarded").write_text(password.reveal())
        if password.reveal() == "bad-hunter2":
            raise ValueError(password.reveal())


@component("task", "caller", provider="only", eager=True, needs={"guard": "service:guard"})
class Caller:
    def __init__(self, *, guard: Greeter) -> None:
        self._guard = guard

    async def start(self) -> None:
        self._task = asyncio.create_task(self._call())

    async def _call(self) -> None:
        while True:
            try:
                await self._guard.greet()
            except BaseException as error:
                Path("refused").write_text(repr(error))
                raise
            await asyncio.sleep(0)

    def close(self) -> None:
        self._task.cancel()
"""


def _keep(project: Path, password: str) -> None:
    (project / "kept.json").write_text(json.dumps({"PASSWORD": password}))


def test_a_changed_secret_restarts_its_holder_and_nothing_else(project: Path) -> None:
    parts = project / "lab/parts.py"
    parts.write_text(parts.read_text().replace("from oneiric import", "from oneiric import Secret,") + HOLDER)
    (project / "settings/adapters.yml").write_text(
        "selections: {secrets: file}\nprovider_settings: {file: {path: kept.json}}\n"
    )
    services = project / "settings/services.yml"
    services.write_text(
        services.read_text() + 'provider_settings: {guard/only: {password: "${ONEIRIC_SECRET_PASSWORD}"}}\n'
    )
    _keep(project, "old-hunter2")
    compile_project(project)
    with Served(project) as served:
        until(lambda: (project / "guarded").read_text() == "old-hunter2")
        generation = served.ask("status")["generation"]
        said = command(project, "secrets", "rotate").stdout
        assert said.startswith(f"rotated: generation {generation[:12]}\n  keep ")
        _keep(project, "new-hunter2")
        said = command(project, "secrets", "rotate", "ONEIRIC_SECRET_PASSWORD").stdout
        assert "  replace  service:guard  only\n" in said and "greeter" not in said
        assert (project / "guarded").read_text() == "new-hunter2"
        assert "nothing that is active has the secret PASSWRD; did you mean PASSWORD?" in (
            command(project, "secrets", "rotate", "PASSWRD").stderr
        )
        _keep(project, "bad-hunter2")
        refused = command(project, "secrets", "rotate", code=1)
        assert refused.stderr.startswith("rejected[start]: service:guard (only): factory raised ValueError")
        fits(json.loads(command(project, "secrets", "rotate", "--json", code=1).stdout))
        (project / "kept.json").unlink()
        refused = command(project, "secrets", "rotate", code=1)
        assert "rejected[secrets]: adapter:secrets: kept.json cannot be read" in refused.stderr
        status = served.ask("status")
        assert (status["generation"], status["rejected"], status["last_change"]["what"]) == (generation, None, "rotate")
        assert not (project / "refused").exists()
    assert "hunter2" not in served.text() + said + refused.stderr
    assert (project / "closed").read_text().splitlines().count("Guard") == 2


def test_completion_names_the_secrets_of_the_report(project: Path) -> None:
    root = SimpleNamespace(params={"project": project})
    context = SimpleNamespace(params={}, find_root=lambda: root)
    report = json.loads((project / "generated/explain.json").read_text())
    report["bindings"]["service:greeter"]["secrets"] = ["DB_PASSWORD", "MAIL"]
    (project / "generated/explain.json").write_text(json.dumps(report))
    assert secrets(context, "D") == ["DB_PASSWORD"]
