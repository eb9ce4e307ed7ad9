"""`python -m tests.attacks [NAME…] [--cases N] [--seed S] [--only INDEX]`: 1 where a case failed."""

from __future__ import annotations

import argparse
import os
import sys

from tests.attacks.campaign import run
from tests.attacks.campaigns import CAMPAIGNS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description="Campaigns against Oneiric.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(CAMPAIGNS)} (default: all)")
    parser.add_argument("--cases", type=int, help="how many of each (default: those of the long form)")
    parser.add_argument("--seed", default="1", help="what decides the cases")
    parser.add_argument("--only", type=int, metavar="INDEX", help="the one case of this index")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    asked = parser.parse_args()
    if unknown := sorted({*asked.names} - {*CAMPAIGNS}):
        parser.error(f"no campaign is called {', '.join(unknown)}")
    failed = 0
    for name in asked.names or CAMPAIGNS:
        campaign = CAMPAIGNS[name]
        cases = campaign.cases if asked.cases is None else asked.cases
        summary = run(campaign, cases, asked.seed, asked.workers, asked.only)
        sys.stdout.write(f"{summary.text()}\n")
        sys.stdout.flush()
        failed += summary.failed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
