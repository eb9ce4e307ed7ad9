"""A swap a second under load, for half an hour: is memory flat? `python -m benchmarks.soak [--short] [--plot FILE]`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import tempfile
import time
from pathlib import Path
from typing import Any

import oneiric
from oneiric import Runtime

from benchmarks.swapping import resident, write_wiring

USERS = 10
WIDTH, HEIGHT = 800, 300


async def soak(seconds: float, gap: float, paths: list[Path]) -> list[tuple[float, float]]:
    """Load and switch to one generation after the other; the memory at each point of time, in seconds and MiB."""
    samples: list[tuple[float, float]] = []
    begin = time.monotonic()
    over, swaps, failed = False, 0, 0

    async def user(runtime: Runtime[Any], number: int) -> None:
        nonlocal failed
        cache = runtime.wiring.adapters.k0.live  # type: ignore[attr-defined]
        while not over:
            try:
                await cache.set("k", b"v")
                await cache.get("k")
            except Exception:
                failed += 1
            await asyncio.sleep(0.001)

    async with Runtime(oneiric.load(paths[0])) as runtime:
        users = [asyncio.ensure_future(user(runtime, number)) for number in range(USERS)]
        while (elapsed := time.monotonic() - begin) < seconds:
            swaps += 1
            outcome = await runtime.reload(paths[swaps % 2])
            assert outcome.accepted, outcome.reason
            if swaps % max(1, int(seconds / gap / 200)) == 0:
                gc.collect()
                samples.append((elapsed, resident()))
            await asyncio.sleep(gap)
        over = True
        await asyncio.gather(*users)
    print(f"{swaps} swaps in {elapsed:.0f} s, {failed} failed calls")
    return samples


def plot(samples: list[tuple[float, float]]) -> str:
    """The memory over time as an SVG, from zero."""
    longest, most = samples[-1][0], max(memory for _, memory in samples) * 1.2
    points = " ".join(f"{at / longest * WIDTH:.1f},{HEIGHT - memory / most * HEIGHT:.1f}" for at, memory in samples)
    label = f"{longest / 60:.1f} minutes, at most {max(memory for _, memory in samples):.1f} MiB"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="white"/><text x="10" y="20">{label}</text>'
        f'<polyline fill="none" stroke="black" points="{points}"/></svg>\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--short", action="store_true", help="twenty seconds, thirty swaps a second")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the memory there, as an SVG")
    arguments = parser.parse_args()
    seconds, gap = (20.0, 0.03) if arguments.short else (arguments.minutes * 60, 1.0)
    with tempfile.TemporaryDirectory() as name:
        paths = [write_wiring(Path(name, side), 100, 100, side) for side in ("one", "two")]
        samples = asyncio.run(soak(seconds, gap, paths))
    quarter = len(samples) // 4
    early = sum(memory for _, memory in samples[quarter : 2 * quarter]) / quarter
    late = sum(memory for _, memory in samples[-quarter:]) / quarter
    print(f"memory: {early:.2f} MiB in the second quarter, {late:.2f} MiB in the last: {late - early:+.2f} MiB")
    if arguments.plot is not None:
        arguments.plot.write_text(plot(samples))


if __name__ == "__main__":
    main()
