"""What a campaign is, and how one is run: case by case in several processes, failures made small and told of."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
import traceback
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, ClassVar, Generic, TypeVar

C = TypeVar("C")
SECONDS = 60
"""After which a case hangs."""
ATTEMPTS = 400
"""To make one failing case smaller."""
SHOWN = 8
"""Kinds of failures that are made small and told of."""
MEMORY = Path("/dev/shm")


class Hangs(BaseException):
    """A case that does not end."""


class Campaign(ABC, Generic[C]):
    """Made once in each process that runs cases; whatever it opens it leaves to `stack`."""

    name: ClassVar[str]
    cases: ClassVar[int]
    """Of the long form."""
    few: ClassVar[int]
    """Of the short form."""
    parallel: ClassVar[bool] = True

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack

    @abstractmethod
    def case(self, choose: Random) -> C:
        """A case, decided by `choose` alone."""

    @abstractmethod
    def attack(self, case: C) -> str:
        """Tries the case; what came of it in a word. Raises whatever where a promise is broken."""

    def smaller(self, case: C) -> Iterator[C]:
        """Cases that are smaller; the first that fails alike is tried next."""
        return iter(())

    @abstractmethod
    def shown(self, case: C) -> str:
        """All that somebody needs to see what the case is."""


@dataclass(frozen=True)
class Failure:
    index: int
    kind: str
    told: str


@dataclass
class Summary:
    name: str
    seed: str
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: dict[str, list[Failure]] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        return sum(map(len, self.failures.values()))

    def line(self) -> str:
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common())
        return (
            f"{self.name}: {self.cases} cases of seed {self.seed}: {outcomes or 'none answered'}; {self.failed} failed"
        )

    def text(self) -> str:
        """One failure of each kind, then the line."""
        parts = [
            f"{self.name}: {len(found)} times {kind}\n"
            f"again: python -m tests.attacks {self.name} --seed {self.seed} --only {found[0].index}\n{found[0].told}\n"
            for kind, found in self.failures.items()
        ]
        return "\n".join((*parts, self.line()))


def run(campaign: type[Campaign[Any]], cases: int, seed: str, workers: int = 1, only: int | None = None) -> Summary:
    """Tries that many cases, or the one of that index."""
    indexes = range(cases) if only is None else range(only, only + 1)
    summary = Summary(campaign.name, seed)
    shares = [indexes[n::workers] for n in range(workers)] if campaign.parallel and workers > 1 else [indexes]
    if len(shares) == 1:
        found = [_share(campaign, shares[0], seed)]
    else:
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            found = pool.starmap(_share, [(campaign, share, seed) for share in shares])
    for part in found:
        summary.cases += part.cases
        summary.outcomes += part.outcomes
        for kind, failures in part.failures.items():
            summary.failures.setdefault(kind, []).extend(failures)
    return summary


def chosen(campaign: str, seed: str, index: int) -> Random:
    """What decides the case of an index, whichever process runs it."""
    return Random(f"{campaign} {seed} {index}")


def _share(campaign: type[Campaign[Any]], indexes: range, seed: str) -> Summary:
    summary = Summary(campaign.name, seed)
    began = told = time.monotonic()
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder, ExitStack() as stack:
        ours = campaign(Path(folder).resolve(), stack)
        for index in indexes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what a case is made of
                case = ours.case(chosen(campaign.name, seed, index))
            summary.cases += 1
            error = failure_of(ours, case, summary.outcomes)
            if error is not None:
                kind = kind_of(error)
                known = summary.failures.setdefault(kind, [])
                new = not known and len(summary.failures) <= SHOWN
                known.append(Failure(index, kind, _told(ours, case, error) if new else ""))
            if time.monotonic() - told > 60:
                told = time.monotonic()
                rate = summary.cases / (told - began)
                sys.stderr.write(
                    f"{campaign.name}: {summary.cases} of {len(indexes)}, {rate:.0f}/s, {summary.failed} failed\n"
                )
    return summary


def failure_of(campaign: Campaign[C], case: C, outcomes: Counter[str] | None = None) -> BaseException | None:
    def late(number: int, frame: FrameType | None) -> None:
        raise Hangs(f"no answer in {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            outcome = campaign.attack(case)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return error
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    if outcomes is not None:
        outcomes[outcome] += 1
    return None


def kind_of(error: BaseException) -> str:
    """What failures have in common that are one: the error, where it is from, how what it says begins."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    place = f"{Path(last.filename).name}:{last.name}"
    said = str(error).partition("\n")[0][:60]
    return (
        f"{type(error).__name__} in {place}: {said}"
        if isinstance(error, AssertionError)
        else f"{type(error).__name__} in {place}"
    )


def smallest(campaign: Campaign[C], case: C, fails: Callable[[C], bool]) -> C:
    attempts = 0
    while True:
        for other in campaign.smaller(case):
            attempts += 1
            if attempts > ATTEMPTS:
                return case
            if fails(other):
                case = other
                break
        else:
            return case


def _told(campaign: Campaign[C], case: C, error: BaseException) -> str:
    kind = kind_of(error)
    if isinstance(error, Hangs):
        least = case
    else:
        least = smallest(
            campaign, case, lambda other: (found := failure_of(campaign, other)) is not None and kind_of(found) == kind
        )
    found = failure_of(campaign, least) or error
    return campaign.shown(least) + "\n" + "".join(traceback.format_exception(found))
