"""The short form of every campaign: the same few cases each time. `just attack` tries many."""

from __future__ import annotations

import pytest

from tests.attacks.campaign import run
from tests.attacks.campaigns import CAMPAIGNS


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_campaign_finds_nothing(name: str) -> None:
    campaign = CAMPAIGNS[name]
    summary = run(campaign, campaign.few, "short")
    assert summary.failed == 0, summary.text()
    assert sum(summary.outcomes.values()) == campaign.few
