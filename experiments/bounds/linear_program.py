"""A linear program that is put together column by column and row by row.

Room: `experiments.bounds`. Touches numpy and scipy's HiGHS.
"""

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array


class LinearProgram:
    """Columns >= 0 with a cost each; rows that equal a constant, and rows that are at most one."""

    def __init__(self) -> None:
        self._costs: list[float] = []
        self._equal = _Rows()
        self._most = _Rows()

    def add_column(self, cost: float) -> int:
        """Return the number of a new column."""
        self._costs.append(cost)
        return len(self._costs) - 1

    def set_cost(self, column: int, cost: float) -> None:
        """Change the cost of a column."""
        self._costs[column] = cost

    def add_equal_row(self, constant: float) -> int:
        """Return the number of a new row that equals `constant`, among those that equal one."""
        return self._equal.add(constant)

    def add_most_row(self, constant: float) -> int:
        """Return the number of a new row that is at most `constant`, among those that are at most one."""
        return self._most.add(constant)

    def put_equal(self, row: int, column: int, factor: float) -> None:
        """Let `column` count `factor` times more in a row that equals a constant."""
        self._equal.entries.append((row, column, factor))

    def put_most(self, row: int, column: int, factor: float) -> None:
        """Let `column` count `factor` times more in a row that is at most a constant."""
        self._most.entries.append((row, column, factor))

    def minimum(self) -> float:
        """Return the least cost, to the solver's tolerance of 1e-7. Raises `RuntimeError` if there is none."""
        n_columns = len(self._costs)
        result = linprog(  # type: ignore[call-overload]  # the stubs know no sparse matrices
            np.array(self._costs),
            A_ub=self._most.matrix(n_columns),
            b_ub=np.array(self._most.constants),
            A_eq=self._equal.matrix(n_columns),
            b_eq=np.array(self._equal.constants),
            method="highs",
        )
        if result.status != 0:
            raise RuntimeError(f"a linear program was not solved: {result.message}")
        return float(result.fun)


class _Rows:
    def __init__(self) -> None:
        self.constants: list[float] = []
        self.entries: list[tuple[int, int, float]] = []

    def add(self, constant: float) -> int:
        self.constants.append(constant)
        return len(self.constants) - 1

    def matrix(self, n_columns: int) -> csr_array:
        rows, columns, factors = np.array(self.entries, np.float64).reshape(-1, 3).T
        places = (rows.astype(np.int64), columns.astype(np.int64))
        return csr_array((factors, places), shape=(len(self.constants), n_columns))
