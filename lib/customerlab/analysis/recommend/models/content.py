"""Content-based filtering: products with descriptions like those the customer bought, also products never sold."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from customerlab.analysis.recommend.models.base import dense
from customerlab.analysis.recommend.split import Split


@dataclass(eq=False)
class Content:
    """Products whose description and category are most similar to those the customer bought.

    A product is the TF-IDF vector of its words (Salton and Buckley 1988; `TfidfVectorizer` of scikit-learn: of length
    one, with the smoothed idf log((1 + D) / (1 + d)) + 1 over D products), its category being one word more; without
    words it scores zero. A customer is the sum of log(1 + orders) · vector over the products bought, and a score the
    cosine of the two (Pazzani and Billsus 2007). Purchases of others play no part, so that a product without a sale is
    scored like any other.

    Products have `product_id`, `description`, and `category` where there is one; either may be missing of a product.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> names = {"p1": "red mug", "p2": "blue mug", "p3": "lantern", "p4": "mug with handle"}
    >>> named = pd.DataFrame({"product_id": names.keys(), "description": names.values()})
    >>> model = Content(named).fit(split_of([("ann", 9, ["p1"]), ("bob", 8, ["p2", "p3"])]))
    >>> model.scores(np.array([0])).round(2).tolist()
    [[1.0, 0.29, 0.0]]
    >>> model.scores_of(np.array([0]), pd.Index(["p4"])).round(2).tolist()  # never sold
    [[0.22]]
    """

    name = "content"
    products: pd.DataFrame

    def fit(self, split: Split) -> Self:
        """Make vectors of words, and of customers what they bought."""
        table = self.products.drop_duplicates("product_id").sort_values("product_id", ignore_index=True)
        self.ids_ = pd.Index(table["product_id"])
        texts = table["description"].fillna("").astype(str)
        if "category" in table:
            # one word that no description has
            word = "category=" + table["category"].astype(str).str.replace(r"\s+", "_", regex=True)
            texts = texts + " " + word.where(table["category"].notna(), "")
        # words of letters and digits, of two characters or more, or a category
        words = TfidfVectorizer(token_pattern=r"category=\S+|\b\w\w+\b")
        try:
            self.vectors_ = csr_matrix(words.fit_transform(texts))
        except ValueError:  # not one word in all the texts
            self.vectors_ = csr_matrix((len(table), 1))
        self.sold_ = split.products
        weights = split.history.astype(float)
        weights.data = np.log1p(weights.data)
        sums = weights @ self.vectors(split.products)
        self.profiles_ = csr_matrix(normalize(sums) if len(split.customers) else sums)
        return self

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Cosines of the customers and the products of the split."""
        return self.scores_of(rows, self.sold_)

    def scores_of(self, rows: np.ndarray, products: pd.Index) -> np.ndarray:
        """Cosines of the customers and any products of the table, sold or not."""
        return dense(self.profiles_[rows] @ self.vectors(products).T)

    def vectors(self, products: pd.Index) -> csr_matrix:
        """The vectors of any products as rows, empty where one has no words."""
        at = self.ids_.get_indexer(products)
        found = np.flatnonzero(at >= 0)
        pick = csr_matrix((np.ones(len(found)), (found, at[found])), shape=(len(products), len(self.ids_)))
        return pick @ self.vectors_
