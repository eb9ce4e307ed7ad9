"""The documentation says what is so: its example compiles to the wiring it shows, its code and settings parse."""

from __future__ import annotations

import ast
import asyncio
import re
import textwrap
from pathlib import Path

import pytest
import yaml
from oneiric_compiler.diagnostics.found import Diagnostics, Source
from oneiric_compiler.model import Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.settings.documents import parse_document

ROOT = Path(__file__).parents[2]
MAINTAINERS = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"]
PAGES = sorted([ROOT / "README.md", *MAINTAINERS, *(ROOT / "docs").rglob("*.md")])


def blocks(page: Path, language: str) -> list[str]:
    return [textwrap.dedent(text) for text in re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.S)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_and_settings_parse(page: Path) -> None:
    for code in blocks(page, "python"):
        ast.parse(code if "await" not in code and "async with" not in code else wrapped(code))
    for text in blocks(page, "yaml"):
        if text.startswith("# deploy/"):  # for others than the compiler
            assert list(yaml.safe_load_all(text))
            continue
        diagnostics = Diagnostics()
        parse_document(Source(page.name, text), diagnostics)
        assert not list(diagnostics), text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", MAINTAINERS, ids=lambda page: page.name)
def test_maintainers_are_sent_to_files_that_exist(page: Path) -> None:
    roots = [ROOT, ROOT / "compiler/oneiric_compiler", ROOT / "runtime/oneiric"]
    named = set(re.findall(r"`([\w./]+\.(?:py|j2|txt|toml|md|yaml))`", page.read_text("utf-8")))
    assert len(named) > 5
    assert [name for name in sorted(named) if not any((root / name).is_file() for root in roots)] == sorted(
        name for name in named if re.search(r"KEY|PROVIDER|GROUP|NAME", name)
    )


def test_the_picture_of_the_floors_has_every_room() -> None:
    picture = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("## The floors")[1].split("## ")[0]
    rooms = {
        path.stem
        for root in (ROOT / "compiler/oneiric_compiler", ROOT / "runtime/oneiric")
        for path in root.iterdir()
        if path.stem != "__init__" and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert {room for room in rooms if not re.search(rf"\b{room}\b", picture)} == set()


def test_the_readme_example_compiles_to_the_wiring_it_shows(tmp_path: Path) -> None:
    for language in ("python", "yaml"):
        for text in blocks(ROOT / "README.md", language):
            if match := re.match(r"# ([a-z/]+\.(?:py|yml))\n", text):
                path = tmp_path / match[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    (tmp_path / "shop" / "__init__.py").touch()
    diagnostics = Diagnostics()
    outputs = compile_project(Project.at(tmp_path, {}), diagnostics)
    assert outputs is not None, list(diagnostics)
    wiring = outputs.profiles["default"][1]["wiring.py"].decode()
    shown = next(text for text in blocks(ROOT / "README.md", "python") if text.startswith("@bind"))
    assert textwrap.indent(shown, "    ") in wiring


def test_the_demo_shop_takes_orders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from oneiric import Runtime

    from generated.wiring import Wiring

    monkeypatch.chdir(tmp_path)

    async def run() -> None:
        async with Runtime(Wiring) as runtime:
            for wiring, reference in ((runtime.wiring, "sandbox"), (runtime.tenant("acme"), "invoice")):
                order = await wiring.services.orders.live.place("ada", {"mug": 2})
                assert str(await wiring.services.orders.live.paid(order)).startswith(reference)
            assert await runtime.wiring.services.warehouse.live.sold() == {"mug": 4}

    asyncio.run(asyncio.wait_for(run(), 30))


def wrapped(code: str) -> str:
    return f"async def example():\n{textwrap.indent(code, '    ')}"


def test_a_runtime_has_exactly_the_names_that_the_pages_name() -> None:
    from oneiric import Runtime

    from generated.wiring import Wiring

    pages = "".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"\bruntime\.([a-z_]+)\b(?!\))", pages)) - {"md"}
    runtime = Runtime(Wiring)
    assert {name for name in dir(runtime) if not name.startswith("_")} == named
