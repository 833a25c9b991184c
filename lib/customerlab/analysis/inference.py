"""What several methods need to say how sure a result is."""

import numpy as np
import pandas as pd


def holm(p: pd.Series) -> pd.Series:
    """P-values adjusted by Holm (1979) for their number: the chance of any false finding stays below the level.

    Examples
    --------
    >>> holm(pd.Series([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    rising = p.sort_values(kind="stable")
    adjusted = (rising * np.arange(len(p), 0, -1)).cummax().clip(upper=1)
    return adjusted.reindex(p.index)
