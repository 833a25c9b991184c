"""What the ranking metrics cost for 100,000 customers by top 10, beside pandas: `make bench-metrics`.

Lists and purchases are drawn at random, so that about one listed product in six was bought. Each contender runs in a
process of its own on two cores, three times within it, of which the fastest counts; the clock starts with lists and
purchases in memory, as arrays for ours and as tables of whole numbers for pandas, and ends with a table of one row a
customer. All contenders have to find the same means. The run fails where a promise is not kept.
"""

import argparse
import json
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
from harness import clocked, in_a_process, two_cores
from scipy.sparse import csr_matrix

CUSTOMERS, PRODUCTS, K = 100_000, 4_000, 10
SECONDS, TIMES = 1.0, 20  # promised: at most so long, and so many times faster than pandas


def drawn() -> tuple[np.ndarray, csr_matrix]:
    """Lists, and what was bought: ten products a customer on average, most of them by few customers."""
    rng = np.random.default_rng(1)
    numbers = rng.geometric(0.1, CUSTOMERS)
    rows = np.repeat(np.arange(CUSTOMERS), numbers)
    columns = (PRODUCTS * rng.random(len(rows)) ** 3).astype(int)
    bought = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(CUSTOMERS, PRODUCTS))
    bought.sum_duplicates()
    # a list has different products because its steps are of at least one; two are often such that were bought
    steps = rng.integers(1, 40, (CUSTOMERS, K))
    ranked = rng.permuted(steps.cumsum(axis=1) - 1, axis=1)
    first = bought.indices[np.minimum(bought.indptr[:-1] + 1, bought.indptr[1:] - 1)]
    second = bought.indices[bought.indptr[:-1]]
    for place, own in ((1, first), (4, second)):
        fresh = (ranked != own[:, None]).all(axis=1) & (rng.random(CUSTOMERS) < 0.75)
        ranked[fresh, place] = own[fresh]
    return ranked, bought


# -- the contenders: lists and purchases in, a table of one row a customer out -----------------------------------


def ours(ranked: np.ndarray, bought: csr_matrix) -> Callable[[], pd.DataFrame]:
    """The library, from the raw arrays on: checks and the search for hits are in the time."""
    from customerlab.analysis.recommend import metrics

    return lambda: metrics.per_customer(metrics.Lists(ranked, bought))


def _tables(ranked: np.ndarray, bought: csr_matrix) -> tuple[pd.DataFrame, pd.DataFrame]:
    pairs = bought.tocoo()
    purchases = pd.DataFrame({"customer": pairs.row, "product": pairs.col})
    lists = pd.DataFrame(
        {
            "customer": np.repeat(np.arange(CUSTOMERS), K),
            "rank": np.tile(np.arange(1, K + 1), CUSTOMERS),
            "product": ranked.ravel(),
        }
    )
    return lists, purchases


def pandas_careful(ranked: np.ndarray, bought: csr_matrix) -> Callable[[], pd.DataFrame]:
    """By someone who knows pandas: one join for all metrics, columns at once, no function of Python by group."""
    lists, purchases = _tables(ranked, bought)

    def run() -> pd.DataFrame:
        relevant = purchases.groupby("customer").size()
        hits = lists.merge(purchases, on=["customer", "product"]).sort_values(["customer", "rank"])
        return _measured(hits, relevant)

    return run


def _measured(hits: pd.DataFrame, relevant: pd.Series) -> pd.DataFrame:
    reachable = relevant.clip(upper=K)
    hits = hits.assign(
        gain=1 / np.log2(hits["rank"] + 1),
        reciprocal=1 / hits["rank"],
        precision=(hits.groupby("customer").cumcount() + 1) / hits["rank"],
        early=hits["rank"] <= hits["customer"].map(reachable),
    )
    sums = hits.groupby("customer").agg(
        found=("rank", "size"), gain=("gain", "sum"), mrr=("reciprocal", "max"), total=("precision", "sum"),
        early=("early", "sum"),
    )  # fmt: skip
    sums = sums.reindex(relevant.index, fill_value=0)
    ideal = reachable.map(dict(enumerate((1 / np.log2(np.arange(2, K + 2))).cumsum(), 1)))
    precision, recall = sums["found"] / K, sums["found"] / relevant
    return pd.DataFrame(
        {
            "precision": precision,
            "recall": recall,
            "f1": (2 * precision * recall / (precision + recall)).fillna(0),
            "hit_rate": (sums["found"] > 0).astype(float),
            "mrr": sums["mrr"],
            "map": sums["total"] / reachable,
            "ndcg": sums["gain"] / ideal,
            "r_precision": sums["early"] / reachable,
        }
    )


def pandas_usual(ranked: np.ndarray, bought: csr_matrix) -> Callable[[], pd.DataFrame]:
    """As tutorials write it: lists and purchases by customer, and a function of Python for each metric."""
    lists, purchases = _tables(ranked, bought)

    def run() -> pd.DataFrame:
        listed = lists.sort_values(["customer", "rank"]).groupby("customer")["product"].agg(list)
        both = pd.DataFrame({"listed": listed, "bought": purchases.groupby("customer")["product"].agg(set)})
        both["hits"] = both.apply(lambda row: [product in row["bought"] for product in row["listed"]], axis=1)
        both["precision"] = both["hits"].map(lambda hits: sum(hits) / K)
        both["recall"] = both.apply(lambda row: sum(row["hits"]) / len(row["bought"]), axis=1)
        both["f1"] = (2 * both["precision"] * both["recall"] / (both["precision"] + both["recall"])).fillna(0)
        both["hit_rate"] = both["hits"].map(lambda hits: float(any(hits)))
        both["mrr"] = both["hits"].map(lambda hits: 1 / (hits.index(True) + 1) if any(hits) else 0.0)
        both["map"] = both.apply(_average_precision, axis=1)
        both["ndcg"] = both.apply(_ndcg, axis=1)
        both["r_precision"] = both.apply(
            lambda row: sum(row["hits"][: len(row["bought"])]) / min(K, len(row["bought"])), axis=1
        )
        return both.drop(columns=["listed", "bought", "hits"])

    return run


def _average_precision(row: pd.Series) -> float:
    total = sum(sum(row["hits"][: r + 1]) / (r + 1) for r in range(K) if row["hits"][r])
    return total / min(K, len(row["bought"]))


def _ndcg(row: pd.Series) -> float:
    gain = sum(hit / np.log2(r + 2) for r, hit in enumerate(row["hits"]))
    return gain / sum(1 / np.log2(r + 2) for r in range(min(K, len(row["bought"]))))


CONTENDERS = {function.__name__: function for function in (ours, pandas_careful, pandas_usual)}
NAMES = {
    "ours": "customerlab", "pandas_careful": "pandas, with care: one join", "pandas_usual": "pandas, as usually written",
}  # fmt: skip


# -- measuring ---------------------------------------------------------------------------------------------------


def contend(name: str) -> None:
    """In the contender's own process: run it and print what it took."""
    took, table = clocked(CONTENDERS[name](*drawn()))
    print(json.dumps(took | {"means": table.mean().to_dict()}))


def main() -> None:
    """Measure all contenders, and end non-zero where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.contend:
        contend(words.contend)
        return
    two_cores()
    took = {name: in_a_process(__file__, name) for name in CONTENDERS}
    first = took["ours"]
    print(f"\n## {len(first['means'])} ranking metrics of {CUSTOMERS:,} customers by top {K}, {PRODUCTS:,} products\n")
    print("| contender | seconds | CPU, s | times ours | peak GiB |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, run in took.items():
        times = run["seconds"] / first["seconds"]
        print(f"| {NAMES[name]} | {run['seconds']:.3f} | {run['cpu']:.3f} | {times:.1f} | {run['peak']:.2f} |")
    for name, run in took.items():
        for metric, mean in run["means"].items():
            if abs(mean - first["means"][metric]) > 1e-9:
                sys.exit(f"{name} found {metric} = {mean}, customerlab {first['means'][metric]}")
    print(
        "\nAll found the same means: " + ", ".join(f"{name} {mean:.4f}" for name, mean in first["means"].items()) + "."
    )
    if first["seconds"] > SECONDS or took["pandas_usual"]["seconds"] < TIMES * first["seconds"]:
        sys.exit(f"promised: {SECONDS} s, and {TIMES} times faster than pandas as usually written")


if __name__ == "__main__":
    main()
