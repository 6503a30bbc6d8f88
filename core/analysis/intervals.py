"""How sure a share is: Wilson's interval, for many shares at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVEL = 0.95


def wilson_interval(successes: npt.ArrayLike, totals: npt.ArrayLike, *, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Wilson's score interval of shares: the lower and the upper ends, each like the inputs, in [0, 1].

    A share of nothing lies anywhere: 0 to 1.

    Source: Wilson 1927; scipy's ``binomtest(k, n).proportion_ci(method="wilson")``, which takes one share at a time.
    """
    from scipy.special import ndtri

    count, total = np.asarray(successes, dtype=np.float64), np.asarray(totals, dtype=np.float64)
    z = float(ndtri(0.5 + level / 2))
    some = np.maximum(total, 1.0)
    share = count / some
    middle = (share + z**2 / (2 * some)) / (1 + z**2 / some)
    half = z / (1 + z**2 / some) * np.sqrt(share * (1 - share) / some + z**2 / (4 * some**2))
    # Rounding must not push the end of a share of 0 or 1 past it.
    lower = np.where(count == 0, 0.0, np.clip(middle - half, 0.0, 1.0))
    upper = np.where(count == total, 1.0, np.clip(middle + half, 0.0, 1.0))
    return np.where(total > 0, lower, 0.0), np.where(total > 0, upper, 1.0)
