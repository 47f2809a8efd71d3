from __future__ import annotations

import numpy as np
import pytest
from logged import FIRST_DAY, contacts

from experiments.calibration.estimators.redials import estimate_redials, next_contact_s


def test_the_next_contact_is_reckoned_from_the_end_of_the_wait() -> None:
    """A customer hangs up at 100 + 20 s and calls at 500 s: 380 s. The other customer never comes again, the third is
    not named."""
    found = contacts(
        [(FIRST_DAY, 100.0, 20.0, np.nan, -1), (FIRST_DAY, 200.0, 0.0, 60.0, 0), (FIRST_DAY, 500.0, 0.0, 60.0, 0)]
    )
    found["customer"] = [7, 8, 7]
    np.testing.assert_array_equal(next_contact_s(found), [380.0, np.inf, np.inf])
    found["customer"][1] = -1
    assert np.isnan(next_contact_s(found)[1])


def test_who_comes_again_over_midnight_is_found() -> None:
    found = contacts([(FIRST_DAY, 86_000.0, 100.0, np.nan, -1), (FIRST_DAY + 1, 50.0, 0.0, 60.0, 0)])
    found["customer"] = 3
    assert next_contact_s(found)[0] == pytest.approx(86_400.0 + 50.0 - 86_100.0)


def test_redials_are_those_beyond_what_served_customers_do() -> None:
    """60 abandon and 30 of them are back after 600 s. Of 96 contacts that are served, 60 first ones and 36 second ones,
    6 are followed by another: 30 / 60 − 6 / 96."""
    rows, customers = [], []
    for customer in range(120):
        day = FIRST_DAY + customer
        abandons = customer < 60
        rows.append((day, 1000.0, 0.0, np.nan if abandons else 60.0, -1 if abandons else 0))
        customers.append(customer)
        if customer < 30 or customer >= 114:
            rows.append((day, 1600.0, 0.0, 60.0, 0))
            customers.append(customer)
    found = contacts(rows)
    found["customer"] = customers
    redial = estimate_redials(found)
    assert redial is not None
    assert redial.prob == pytest.approx(30 / 60 - 6 / 96)
    assert redial.delay == {"distribution": "exponential", "mean_s": 600.0}
    assert "biased" in redial.origin


def test_a_log_without_customers_tells_no_redials() -> None:
    assert estimate_redials(contacts([(FIRST_DAY, 100.0 * i, 5.0, np.nan, -1) for i in range(80)])) is None
