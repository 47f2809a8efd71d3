"""What must hold after every step, in random small centers under random open actions (hypothesis)."""

import pytest
from auditing import play_and_audit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_centers import scenarios


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(scenario=scenarios(), seed=st.integers(0, 2**31 - 1))
def test_everything_adds_up_after_every_step(scenario, seed):
    play_and_audit(scenario, seed)


@pytest.mark.slow
@settings(max_examples=2000, suppress_health_check=[HealthCheck.too_slow])
@given(scenario=scenarios(), seed=st.integers(0, 2**31 - 1))
def test_everything_adds_up_after_every_step_of_many(scenario, seed):
    play_and_audit(scenario, seed)
