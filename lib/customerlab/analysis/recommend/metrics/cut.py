"""Metrics of one ranked list against what was bought, with the formulas that the field disagrees on spelled out."""

import numpy as np
import pandas as pd


def at_k(hits: np.ndarray, relevant: np.ndarray) -> pd.DataFrame:
    """Precision, recall, nDCG and hit rate of lists of length k.

    Parameters
    ----------
    hits : boolean array of shape (customers, k)
        Whether the product at each rank was bought.
    relevant : int array of shape (customers,)
        How many products each customer bought in the future, at least one.

    Returns
    -------
    DataFrame
        One row a customer. With binary gains and ranks r = 1 … k:

        - `precision` = hits / k, also where fewer than k products were recommended;
        - `recall` = hits / relevant;
        - `ndcg` = Σ hit(r) / log2(r + 1), divided by the same sum for min(k, relevant) hits at the top
          (Järvelin and Kekäläinen 2002);
        - `hit_rate` = 1 with at least one hit.

    Examples
    --------
    >>> at_k(np.array([[True, False, True]]), np.array([2])).round(4).to_dict("records")
    [{'precision': 0.6667, 'recall': 1.0, 'ndcg': 0.9197, 'hit_rate': 1.0}]
    """
    if (relevant < 1).any():
        raise ValueError("a customer with nothing relevant has no recall; leave such customers out")
    k = hits.shape[1]
    discount = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], discount.cumsum()])[np.minimum(relevant, k)]
    found = hits.sum(axis=1)
    return pd.DataFrame(
        {
            "precision": found / k,
            "recall": found / relevant,
            "ndcg": (hits * discount).sum(axis=1) / ideal,
            "hit_rate": (found > 0).astype(float),
        }
    )
