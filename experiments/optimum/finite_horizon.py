"""The expected cost of a policy until a horizon, from the empty center on.

Room: `experiments.optimum`. Plain linear algebra on a `Chain`.

With the generator Q of the chain that the policy makes of the center, and c(s) what a state costs by the second, events
and decisions included, the cost v(t) until t seconds from now follows v' = Q v + c, v(0) = 0. So v(horizon) stands in
the exponential of the generator with one more column, that of c (Van Loan 1978, IEEE Transactions on Automatic Control
23(3)), which is applied to a vector and never written out (Al-Mohy and Higham 2011, SIAM Journal on Scientific
Computing 33(2)).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import expm_multiply

from experiments.optimum.average_cost import make_policy_chain
from experiments.optimum.markov_chain import Chain


def expected_cost_usd(chain: Chain, edges: NDArray[np.int64], horizon_s: float) -> float:
    """Return what a policy that takes the way `edges[i]` (an index of `chain.actions`) in decision i is expected to
    cost within `horizon_s` seconds from the empty center on, USD."""
    found = make_policy_chain(chain, edges)
    size = len(found.lasting)
    everyone = np.arange(size)
    rows = np.concatenate([found.start, everyone, everyone])
    columns = np.concatenate([found.stop, everyone, np.full(size, size)])
    outflow = np.bincount(found.start, found.rate_per_s, size)
    entries = np.concatenate([found.rate_per_s, -outflow, found.cost_usd_per_s])
    generator = coo_matrix((entries, (rows, columns)), (size + 1, size + 1)).tocsr()
    end = np.zeros(size + 1)
    end[size] = 1.0
    costs_usd = expm_multiply(horizon_s * generator, end)
    return float(costs_usd[0])
