"""docs/how-to/deploy.md: each of its files is held against a tool that knows its kind, and run as far as can be."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.test_docs import ROOT
from tests.docs.test_docs_procfile import answer, free_port
from tests.unit.cli.running import DEADLINE, environment
from tests.unit.serve.serving import command, copy_project, until
from tests.unit.serve.test_serve_supervisor import listening

FILES = dict(
    re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", (ROOT / "docs/how-to/deploy.md").read_text("utf-8"), re.M | re.S)
)
MANIFEST = re.compile(r"deploy/\w+\.yaml$")
BIN = Path(sys.executable).parent
PATH = os.pathsep.join((str(BIN), os.environ["PATH"]))


@pytest.fixture(name="made", scope="module")
def a_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("deploy") / "shop"
    command(root.parent, "init", "shop")
    return root


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return copy_project(made, tmp_path / "shop")


def call(words: list[str], cwd: Path, **more: str) -> str:
    """What a command prints that ends well."""
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**environment(), "PATH": PATH, **more},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextmanager
def running(
    words: list[str], cwd: Path, more: Mapping[str, str] | None = None, code: int = 0
) -> Generator[subprocess.Popen[bytes]]:
    """A process of the page, ended by SIGTERM; it ends with that code."""
    environ = {**environment(), "PATH": PATH, "ONEIRIC_SECRET_INVOICE_KEY": "k", **(more or {})}
    process = subprocess.Popen(words, cwd=cwd, env=environ, start_new_session=True)
    with process:
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == code
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def of_unit(text: str, name: str) -> list[str]:
    """What the unit has of that name."""
    return re.findall(rf"^{name}=(.*)$", text, re.M)


@pytest.fixture
def unit(project: Path, tmp_path: Path) -> str:
    """The unit, with folders of the test in the place of the system's."""
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/oneiric").symlink_to(BIN / "oneiric")
    return FILES["/etc/systemd/system/shop.service"].replace("/srv/shop", str(project))


def test_systemd_takes_the_unit_as_it_is(unit: str, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    (tmp_path / "shop.service").write_text(unit)
    words = [analyze, "verify", "--man=no", "--recursive-errors=yes", str(tmp_path / "shop.service")]
    assert call(words, tmp_path) == ""


def test_the_commands_of_the_unit_tell_what_its_type_waits_for(unit: str, project: Path, tmp_path: Path) -> None:
    assert of_unit(unit, "Type") == ["notify"]
    start, reload = (
        shlex.split(text.replace("%S", str(tmp_path / "lib")).replace(":8080", f":{free_port()}"))
        for name in ("ExecStart", "ExecReload")
        for text in of_unit(unit, name)
    )
    (settings,) = of_unit(unit, "Environment")
    (watchdog,) = of_unit(unit, "WatchdogSec")
    with listening() as listener:
        told = {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": f"{watchdog}000000"}
        with running(start, project, {**dict([settings.split("=")]), **told}):
            assert listener.heard() == {"READY": "1"}
            assert call(reload, project).startswith("reloaded: ")
            assert (listener.heard()["RELOADING"], listener.heard()) == ("1", {"READY": "1"})
        assert listener.heard() == {"STOPPING": "1"}


def test_the_environment_is_looked_at_before(project: Path) -> None:
    page = (ROOT / "docs/how-to/deploy.md").read_text("utf-8")
    (line,) = re.findall(r"^    oneiric (env .*)$", page, re.M)
    assert "INVOICE_KEY" in command(project, *line.split(), code=1).stdout


def test_the_procfile_starts_both_roles(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    command(tmp_path, "init", "shop", "--template", "worker")
    for name in ("settings/app.yml", "Procfile"):
        (project / name).write_text(FILES[name])
    adapters = project / "settings/adapters.yml"  # what keeps its runs is not what starts them
    adapters.write_text(adapters.read_text().replace("{engine: dbos}", "{engine: inline}").partition("  dbos:")[0])
    command(project, "compile")
    port = free_port()
    words = [sys.executable, "-m", "honcho", "start", "--no-prefix"]
    with running(words, project, {"PORT": str(port)}, 128 + signal.SIGTERM) as process:
        assert answer(port, process) == 200
        for name in ("web", "worker"):
            until(lambda name=name: status(project, name).get("state") == "running", within=DEADLINE)
            assert status(project, name)["role"] == name
    assert [status(project, name)["state"] for name in ("web", "worker")] == ["stopped", "stopped"]


def status(project: Path, name: str) -> dict[str, Any]:
    """What a process wrote down of itself; nothing before it has."""
    path = project / ".oneiric" / name / "status.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


class Image:
    """What the Dockerfile makes, with the root of its files in a folder, and no user but this one."""

    def __init__(self, context: Path, root: Path) -> None:
        self._context = context
        self._root = root
        self._folder = "/"
        self.said: dict[str, Any] = {}
        for line in FILES["Dockerfile"].replace("\\\n", "").splitlines():
            instruction, _, rest = line.partition(" ")
            if instruction == "COPY":
                self._copy(rest)
            elif instruction == "RUN":
                call(["sh", "-ec", self.inside(rest)], self.folder, **self._offline())
            elif instruction == "WORKDIR":
                self._folder = rest
                self.folder.mkdir(parents=True)
            elif instruction in ("ENTRYPOINT", "CMD"):
                self.said[instruction] = yaml.safe_load(rest)
            else:
                assert instruction in ("FROM", "USER", ""), line

    @property
    def folder(self) -> Path:
        return self._root / self._folder.lstrip("/")

    def inside(self, text: str) -> str:
        """With the paths of the image where they are here."""
        return re.sub(r"(?<![\w./])/(?=(?:srv|run|etc|vendor)/)", f"{self._root}/", text)

    def command(self, arguments: list[str]) -> list[str]:
        return [self.inside(each) for each in [*self.said["ENTRYPOINT"], *arguments]]

    def files(self) -> dict[str, int]:
        """All of it, and when each was written."""
        return {
            str(path.relative_to(self._root)): path.lstat().st_mtime_ns
            for path in self._root.rglob("*")
            if not path.is_relative_to(self._root / "run")
        }

    def _copy(self, rest: str) -> None:
        if rest.startswith("--from=build "):  # of the one before, whose files are here
            return
        source, target = rest.split()
        shutil.copytree(self._context / source, self._root / str(Path(self._folder, target)).lstrip("/"))

    def _offline(self) -> dict[str, str]:
        """Dependencies are those of the tests: nothing is fetched."""
        return {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_COMPILE": "1"}


@pytest.fixture(name="image", scope="module")
def an_image(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    context = copy_project(made, tmp_path_factory.mktemp("context") / "shop")
    call([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(context / "vendor")], ROOT)
    root = tmp_path_factory.mktemp("image")
    image = Image(context, root)
    (site,) = root.glob("srv/venv/lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
    (root / "run/shop").mkdir(parents=True)
    return image


def test_hadolint_has_nothing_to_say_of_the_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(FILES["Dockerfile"])
    assert call(["hadolint", "--no-color", "Dockerfile"], tmp_path) == ""


def test_the_image_serves_and_writes_to_its_state_alone(image: Image) -> None:
    before = image.files()
    port = free_port()
    words = image.command([each.replace("0.0.0.0:8080", f"127.0.0.1:{port}") for each in image.said["CMD"]])
    with running(words, image.folder) as process:
        assert answer(port, process) == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=DEADLINE) as found:
            assert b"oneiric_components " in found.read()
    assert image.files() == before
    bytecode = [name for name in before if name.startswith("srv/shop/generated/production/__pycache__/wiring")]
    assert len(bytecode) == 1


def manifests() -> Mapping[str, Any]:
    return {
        each["kind"]: each for each in (yaml.safe_load(text) for name, text in FILES.items() if MANIFEST.match(name))
    }


def test_the_manifests_are_what_the_api_takes(tmp_path: Path) -> None:
    names = [name for name in FILES if MANIFEST.match(name)]
    (tmp_path / "deploy").mkdir()
    for name in names:
        (tmp_path / name).write_text(FILES[name])
    said = call(["kubernetes-validate", "--strict", *names], tmp_path).splitlines()
    assert len(said) == len(names) == 2
    assert [line for line in said if not re.match(r"INFO .* passed ", line)] == []
    pod, service = manifests()["Deployment"]["spec"], manifests()["Service"]["spec"]
    assert pod["selector"]["matchLabels"] == pod["template"]["metadata"]["labels"] == service["selector"]
    (container,) = pod["template"]["spec"]["containers"]
    mounts = {each["name"] for each in container["volumeMounts"]}
    assert mounts == {each["name"] for each in pod["template"]["spec"]["volumes"]}


def test_the_container_of_a_pod_answers_its_probes(image: Image, made: Path) -> None:
    (container,) = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"]
    mounted = Path(image.inside("/etc/shop/wiring"))
    mounted.mkdir(parents=True)
    for name in ("wiring.py", "explain.json", "__init__.py"):
        shutil.copy(made / "generated/production" / name, mounted)
    port = free_port()
    words = image.command([each.replace("0.0.0.0:8080", f"127.0.0.1:{port}") for each in container["args"]])
    with running(words, image.folder) as process:
        assert answer(port, process) == 200
        for probe in ("readinessProbe", "livenessProbe"):
            path = container[probe]["httpGet"]["path"]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE) as found:
                assert found.status == 200
    with socket.socket() as left:
        assert left.connect_ex(("127.0.0.1", port)) != 0
