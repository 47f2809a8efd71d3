"""What the lenses hide from rules that choose by an index."""

import pytest
from playing import VOICE, channel, contact, day

from experiments.lens_loss import measure


def test_a_better_contact_that_no_lens_names_is_found():
    voice = channel(VOICE, patience={"distribution": "exponential", "mean_s": 1e9}, harm={"abandonment_prob": 0.01})
    waiting = [(10, 100, 0.0), (20, 1000, 1.0), (30, 2000, 0.0)]
    scenario = day(
        [voice],
        contact(0),
        *(contact(at_s, value_usd=usd, at_risk_prob=at_risk) for at_s, usd, at_risk in waiting),
        churn={"at_risk_multiplier": 5},
    )
    # The first caller finds nobody else. The rep, then free, may take the oldest caller, 100 USD, or the most valuable
    # one, 2,000 USD; between them waits one of 1,000 USD who counts fivefold. Then that one is the most valuable, and
    # then the oldest is alone.
    found = measure("value_cmu", scenario, episodes=1)
    assert (found.choices, found.missed) == (4, 1)
    assert found.missed_index_frac == pytest.approx((5000 - 2000) / (500 + 5000 + 5000 + 100))


def test_nothing_is_hidden_among_as_many_as_there_are_lenses():
    voice = channel(VOICE, patience={"distribution": "exponential", "mean_s": 1e9}, harm={"abandonment_prob": 0.01})
    scenario = day([voice], contact(0), contact(10, value_usd=100), contact(20, value_usd=2000))
    found = measure("value_cmu", scenario, episodes=1)
    assert (found.choices, found.missed, found.missed_index_frac) == (3, 0, 0.0)
