"""How sure results are: against definitions written out."""

from itertools import combinations

import numpy as np
import pandas as pd

from customerlab.analysis.inference import holm


def test_holm_is_bonferroni_closed_over_all_subsets():
    p = np.random.default_rng(3).random(5) ** 3
    wanted = [
        max(
            min(1, len(some) * p[list(some)].min())
            for n in range(1, 6)
            for some in combinations(range(5), n)
            if i in some
        )
        for i in range(5)
    ]
    assert np.allclose(holm(pd.Series(p)), wanted)
