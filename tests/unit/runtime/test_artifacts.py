"""What may be an artifact: pure modules and their data, and nothing that reaches out of its own folder."""

from __future__ import annotations

import io
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.artifacts.contents import MAX_FILES, ArtifactError, Contents, inspect

from tests.unit.runtime.wheels import WHEEL, distribution, wheel

NAME = "acme-1.0-py3-none-any.whl"
GOOD: dict[Any, Any] = {"acme/__init__.py": "", "acme/parts.py": "X = 1\n"}


def refused(data: bytes, why: str, *, name: str = NAME, limit: int = 1_000_000) -> None:
    with pytest.raises(ArtifactError, match=why) as caught:
        inspect(name, data, limit)
    assert caught.value.code == "artifact"


def test_a_pure_wheel_is_its_files_and_its_top_level_modules() -> None:
    files = {**GOOD, "acme/py.typed": "", "acme/data/rates.json": "{}", "acme_more.py": "Y = 2\n", "acme/x.pyi": ""}
    found = inspect(NAME, wheel(files))
    assert {path: text for path, text in found.files.items() if "dist-info" not in path} == {
        path: text.encode() for path, text in files.items()
    }
    assert (found.modules, found.distribution, found.version) == ({"acme", "acme_more"}, "acme", "1.0")


def test_names_of_distributions_are_compared_as_packaging_does() -> None:
    data = wheel(GOOD, name="Acme_Oneiric", told="Name: acme.oneiric\nVersion: 1.0\n\nName: other\n")
    assert inspect("Acme_Oneiric-1.0-py3-none-any.whl", data).distribution == "acme-oneiric"


def test_a_single_module_is_one_file() -> None:
    assert inspect("acme_cache.py", b"X = 1\n") == Contents({"acme_cache.py": b"X = 1\n"}, frozenset({"acme_cache"}))


@pytest.mark.parametrize(
    "name",
    ["", "acme", "acme.zip", "../acme.py", "a/b.py", "1acme.py", "class.py", "a-b.py", ".py", "a\n.py", "é.py",
     "acme-1.0-cp312-cp312-linux_x86_64.whl", "acme-1.0-py3-none-linux_x86_64.whl", "acme.whl",
     "../acme-1.0-py3-none-any.whl"],
)  # fmt: skip
def test_a_name_that_is_no_module_and_no_pure_wheel_is_refused(name: str) -> None:
    refused(wheel(GOOD), "neither NAME.py nor a wheel|not named as a module", name=name)


@pytest.mark.parametrize("module", ["json", "os", "oneiric", "oneiric_compiler", "sitecustomize", "__main__"])
def test_no_artifact_brings_a_module_of_python_or_of_oneiric(module: str) -> None:
    refused(b"", "module of Python or of Oneiric", name=f"{module}.py")
    refused(wheel({**GOOD, f"{module}.py": ""}), "module of Python or of Oneiric")
    refused(wheel({**GOOD, f"{module}/inner.py": ""}), "module of Python or of Oneiric")


@pytest.mark.parametrize(
    "path",
    ["../evil.py", "acme/../../evil.py", "/etc/evil.py", "//evil.py", "acme//evil.py", "./evil.py", "C:/evil.py",
     "acme\\evil.py", "acme/..\\evil.py", "acme/ev\til.py", "acme/evil.py ", " acme/evil.py", f"acme/{'x' * 400}.py"],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    refused(wheel({**GOOD, path: "X = 1\n"}), "may not be unpacked")


def test_a_path_with_a_null_character_is_refused() -> None:
    data = wheel({**GOOD, "acme/evil.py~.txt": ""}).replace(b"acme/evil.py~.txt", b"acme/evil.py\0.txt")
    refused(data, "may not be unpacked")


@pytest.mark.parametrize(
    ("mode", "why"),
    [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "no plain file"), (stat.S_IFCHR, "no plain file")],
)
def test_links_and_other_special_files_are_refused(mode: int, why: str) -> None:
    member = zipfile.ZipInfo("acme/link.py")
    member.create_system = 3
    member.external_attr = (mode | 0o777) << 16
    refused(wheel({**GOOD, member: "/etc/passwd"}), why)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("acme.pth", "without being imported"),
        ("acme/x.PTH", "without being imported"),
        ("acme/__pycache__/parts.cpython-312.pyc", "bytecode"),
        ("acme/parts.pyc", "bytecode"),
        ("acme/fast.so", "native"),
        ("acme/fast.cpython-312-x86_64-linux-gnu.so", "native"),
        ("acme/libfast.so.1", "native"),
        ("acme/fast.PYD", "native"),
        ("acme-1.0.data/scripts/run", "outside the folder"),
        ("acme-1.0.data/data/etc/x", "outside the folder"),
    ],
)
def test_what_would_run_by_itself_or_is_native_is_refused(path: str, why: str) -> None:
    refused(wheel({**GOOD, path: "import os"}), why)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("acme/a.py", "acme/A.py"),
        ("acme/a.py", "ACME/a.py"),
        ("acme/caf\u00e9.py", "acme/cafe\u0301.py"),
        ("acme/a", "acme/a/b.py"),
        ("acme/a/b.py", "acme/a"),
    ],
)
def test_files_that_some_file_system_confuses_are_refused(one: str, other: str) -> None:
    refused(wheel({**GOOD, one: "1", other: "2"}), "two files for the path")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_path_twice_is_refused() -> None:
    files = {**GOOD, zipfile.ZipInfo("acme/a.py"): "1", zipfile.ZipInfo("acme/a.py"): "2"}
    refused(wheel(files), "two files for the path")


def test_a_zip_bomb_is_refused_by_its_declared_size() -> None:
    refused(wheel({**GOOD, "acme/zeros": b"\0" * 2_000_000}), "more than 1000000 bytes")


def test_a_bomb_that_lies_about_its_size_never_gets_further_than_that() -> None:
    data = wheel({**GOOD, "acme/zeros": b"\0" * 2_000_000})
    refused(data.replace(struct.pack("<L", 2_000_000), struct.pack("<L", 10)), "not a readable wheel")


def test_limits_hold_for_single_modules_and_the_number_of_files() -> None:
    refused(b"#" * 101, "larger than 100", name="acme.py", limit=100)
    refused(wheel({**GOOD, **{f"acme/{number}": "" for number in range(MAX_FILES)}}), "more than 10000 files")


def test_a_huge_directory_is_refused_before_it_is_read() -> None:
    """zipfile keeps half a kilobyte of each of its records, which take 50 bytes in the file."""
    count = 50_000
    record = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0) + b"acme"
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, count * len(record), 0, 0)
    data = record * count + end
    tracemalloc.start()
    refused(data, "more than 10000 files")
    assert tracemalloc.get_traced_memory()[1] < len(data)
    tracemalloc.stop()


def test_the_record_of_a_wheel_is_not_looked_at() -> None:
    """The digest that was signed is of every byte: what RECORD says on top is believed by nobody."""
    lies = wheel({**GOOD, "acme-1.0.dist-info/RECORD": "acme/__init__.py,sha256=AAAA,1\n../../evil.py,,\n"})
    assert inspect(NAME, lies).modules == inspect(NAME, wheel(GOOD)).modules


def test_encrypted_and_oddly_packed_files_are_refused() -> None:
    packed = io.BytesIO(wheel(GOOD))
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("acme/more.py", "X = 1")
    refused(packed.getvalue(), "packed in a way")


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (WHEEL.replace("true", "false"), "Root-Is-Purelib"),
        (WHEEL.replace("Root-Is-Purelib: true\n", ""), "Root-Is-Purelib"),
        (WHEEL.replace("py3-none-any", "cp312-cp312-linux_x86_64"), "its tags are"),
        (WHEEL + "Tag: cp312-none-linux_x86_64\n", "its tags are"),
        (WHEEL.replace("Tag", "Tog"), "its tags are none"),
        (WHEEL.replace("1.0", "2.0"), "wheel version 1"),
        ("", "wheel version 1"),
    ],
)
def test_a_wheel_that_does_not_say_it_is_pure_is_refused(facts: str, why: str) -> None:
    refused(wheel(GOOD, facts=facts), why)


def test_a_wheel_is_the_distribution_that_its_name_says() -> None:
    refused(wheel(GOOD, told="Name: other\nVersion: 1.0\n"), "says inside that it is other 1.0")
    refused(wheel(GOOD, told="Name: acme\nVersion: 2.0\n"), r"acme 2\.0")
    refused(wheel(GOOD, told="\nName: acme\nVersion: 1.0\n"), "says inside")
    refused(wheel({}), "brings no module")
    refused(wheel({**GOOD, "other-1.0.dist-info/WHEEL": WHEEL}), "2 folders")


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: b"PK\x03\x04" + data))
def test_no_bytes_get_more_out_of_it_than_a_refusal(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        inspect(NAME, data)


@given(st.data())
def test_a_damaged_wheel_is_refused_or_as_good_as_whole(data: st.DataObject) -> None:
    name, whole = distribution("acme", "fine")
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[position] = data.draw(st.integers(0, 255))
    try:
        found = inspect(name, bytes(damaged))
    except ArtifactError:
        return
    assert all(not Path(path).is_absolute() and ".." not in Path(path).parts for path in found.files)
