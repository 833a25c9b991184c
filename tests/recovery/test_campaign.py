"""What is planted in campaigns of simulated shops is found: what they caused, hours, channels, fatigue, over-claim."""

import numpy as np
import pytest

from campaign_shop import judged, planned


@pytest.mark.thorough
def test_planted_effects_hours_and_channels_are_found(say):
    found = [judged(seed, 4_000) for seed in range(8)]
    one = {name: np.array([shop[name] for shop in found]) for name in found[0]}
    say(
        f"hours: expected gain {one['expected'].mean():.3f}, found {one['gained'].mean():.3f}; channels {one['channel'].mean():.0%}"
    )
    # of eight intervals two outside happen once in 20, three once in 170 times
    assert min(one["revenue"].sum(), one["orders"].sum(), one["tired"].sum()) >= 6
    assert one["claimed"].all() and one["personal"].all()
    assert (one["channel"] > one["fixed"]).sum() >= 7
    apart = one["gained"] - one["expected"]
    assert abs(apart.mean()) < 3.3 * apart.std(ddof=1) / np.sqrt(len(apart))


@pytest.mark.thorough
def test_a_plan_brings_what_it_is_expected_to(say):
    found = [planned(seed, 2_000) for seed in range(10)]
    inside = sum(one["low"] <= one["truth"] <= one["high"] for one in found)
    expected, true = (np.mean([one[name] for one in found]) for name in ("profit", "truth"))
    say(f"profit of ten plans: expected {expected:,.0f}, by the planted truth {true:,.0f}; {inside} of 10 inside")
    assert inside >= 8  # at 95%, seven or fewer of ten happen once in 90 times
    assert 0.5 < expected / true < 2
