"""Rules of every run: with ONEIRIC_NO_SKIPS=1 a skipped test fails the run; in CI random examples are repeatable.

`--snapshot-update` writes what is kept of outputs: snapshots, and what the tests marked `golden` compare with.
"""

from __future__ import annotations

import compileall
import os
import signal
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from oneiric_compiler.source import modules
from syrupy.assertion import SnapshotAssertion

from tests.snapshots import Text

settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a run in the background, whose children would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
NO_SKIPS = os.environ.get("ONEIRIC_NO_SKIPS") == "1"


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # of xdist, which leaves files with few tests, the longest, for the end
    if not hasattr(config, "workerinput"):
        _compile_sources()


def _compile_sources() -> None:
    """The processes that tests start write no bytecode, and would each compile every module that they import."""
    for package in ("runtime/oneiric", "compiler/oneiric_compiler"):
        compileall.compile_dir(ROOT / package, quiet=2)


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Text as it is kept beside the test: `assert shown == snapshot`."""
    return snapshot.use_extension(Text)


@pytest.fixture(autouse=True)
def shop_of_this_project() -> None:
    """Projects of tests have packages called `shop` too: what one of them has left imported is not this project's."""
    shop = sys.modules.get("shop")
    if shop is None or Path(shop.__file__ or "").parent == ROOT / "shop":
        return
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]
    sys.path[:] = [each for each in sys.path if not (Path(each) / "shop").is_dir() or Path(each) == ROOT]


@pytest.fixture(scope="session", autouse=True)
def sources_parsed_once() -> None:
    """The components that come with this project are read by every compile, most of the time of a small one's."""
    modules._parsed = lru_cache(512)(modules._parsed)


@pytest.fixture(scope="class")  # of a function this is the function; hypothesis refuses what says so
def no_builtins() -> Iterator[None]:
    """Of tests that are not about built-ins and compile many times in this process."""
    from tests.builtins import NONE, builtins_below

    with builtins_below(NONE):
        yield


@pytest.fixture(scope="session")
def updating(pytestconfig: pytest.Config) -> bool:
    """Whether this run writes what is kept of outputs."""
    return bool(pytestconfig.option.update_snapshots)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Turns a skip into a failure that says why the test wanted to skip."""
    report = yield
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome, report.longrepr = "failed", f"{item.nodeid} may not be skipped here. {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    """The same for a module that skips itself."""
    report = yield
    if NO_SKIPS and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome, report.longrepr = "failed", f"{collector.nodeid} may not be skipped here. {reason}"
    return report
