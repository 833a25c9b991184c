"""What a hierarchical clustering costs beside scipy and scikit-learn: `make bench-clustering`.

Customers are simulated: recency, frequency and monetary value after `log1p`, scaled. Each contender gets the points and
ends with a label for each customer, in a process of its own, on two cores, three times, of which the fastest counts.
`seconds` leave out the imports and the making of the points; `CPU` tells whether other work disturbed the clock. Peak
memory is that of the whole process. `scatter` is what is left within the clusters, of all there is: where the plain
one can run at all, it says what micro-clusters lose.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
from harness import in_a_process, peak, two_cores

REPEATS = 3
CLUSTERS = 6
PLAIN = (5_000, 10_000, 20_000)  # above, the plain ones need n² distances: 64 GiB for 100,000 customers in scikit-learn
OURS = (*PLAIN, 100_000, 1_000_000)
LIMITS = {1_000_000: (30, 2)}  # customers to the seconds and GiB promised


def points(customers: int) -> np.ndarray:
    """Customers in the space of the notebook: most of them rare, some frequent, money skewed."""
    rng = np.random.default_rng(7)
    often = rng.random(customers) < 0.25
    frequency = 1 + rng.poisson(np.where(often, 9, 0.6))
    recency = np.ceil(rng.exponential(np.where(often, 30, 160))).clip(1, 730)
    monetary = np.round(frequency * rng.lognormal(3.2, 0.7, customers), 2)
    table = np.log1p(np.column_stack([recency, frequency, monetary]))
    return (table - table.mean(axis=0)) / table.std(axis=0)


def ours(linkage: str) -> Callable[[np.ndarray], np.ndarray]:
    """A tree over micro-clusters, cut."""
    from customerlab.analysis.clustering import hierarchy

    def run(x: np.ndarray) -> np.ndarray:
        micro, tree = hierarchy.grow_tree(x, linkage)
        return hierarchy.cut(tree, CLUSTERS)[micro.members]

    return run


def scipy(linkage: str) -> Callable[[np.ndarray], np.ndarray]:
    """The tree over all customers."""
    from scipy.cluster import hierarchy

    return lambda x: hierarchy.fcluster(hierarchy.linkage(x, linkage), CLUSTERS, criterion="maxclust")


def sklearn(linkage: str) -> Callable[[np.ndarray], np.ndarray]:
    """The tree over all customers, as scikit-learn offers it."""
    from sklearn.cluster import AgglomerativeClustering

    return AgglomerativeClustering(CLUSTERS, linkage=linkage).fit_predict


CONTENDERS: dict[str, Callable[[str], Callable[[np.ndarray], np.ndarray]]] = {
    "customerlab": ours, "scipy": scipy, "scikit-learn": sklearn,
}  # fmt: skip


def scatter(x: np.ndarray, labels: np.ndarray) -> float:
    """The share of the variance that is within clusters."""
    groups = [x[labels == label] for label in np.unique(labels)]
    return float(sum(((group - group.mean(axis=0)) ** 2).sum() for group in groups) / ((x - x.mean(axis=0)) ** 2).sum())


def contend(name: str, linkage: str, customers: int) -> None:
    """In the contender's own process: run it and print what it took."""
    cluster, x = CONTENDERS[name](linkage), points(customers)
    begin, cpu = time.perf_counter(), time.process_time()
    labels = cluster(x)
    took = {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu}
    print(json.dumps(took | {"peak": peak(), "scatter": scatter(x, labels), "clusters": len(np.unique(labels))}))


def measure(name: str, linkage: str, customers: int, repeats: int) -> dict[str, float]:
    """The fastest of some runs of a contender, each in a process of its own, with the lowest peak."""
    runs = [in_a_process(__file__, name, linkage, str(customers)) for _ in range(repeats)]
    return min(runs, key=lambda run: run["seconds"]) | {"peak": min(run["peak"] for run in runs)}


def report(linkage: str, repeats: int) -> list[str]:
    """Measure all sizes, print them side by side and return what was promised and not kept."""
    print(f"\n## {linkage}, {CLUSTERS} clusters\n")
    print("| customers | contender | seconds | times ours | CPU, s | peak GiB | scatter within |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    missed = []
    for customers in OURS:
        names = CONTENDERS if customers in PLAIN else ["customerlab"]
        took = {name: measure(name, linkage, customers, repeats) for name in names}
        for name, run in took.items():
            print(
                f"| {customers:,} | {name} | {run['seconds']:.2f} | {run['seconds'] / took['customerlab']['seconds']:.1f} "
                f"| {run['cpu']:.2f} | {run['peak']:.2f} | {run['scatter']:.4f} |",
                flush=True,
            )
        own, (seconds, gib) = took["customerlab"], LIMITS.get(customers, (np.inf, np.inf))
        if own["seconds"] > seconds or own["peak"] > gib or own["clusters"] != CLUSTERS:
            missed.append(f"{linkage} of {customers:,} customers: {own}; promised {seconds} s and {gib} GiB")
    return missed


def main() -> None:
    """Measure both linkages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--contend", nargs=3, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.contend:
        name, linkage, customers = words.contend
        contend(name, linkage, int(customers))
        return
    two_cores()
    missed = [line for linkage in ("ward", "average") for line in report(linkage, words.repeats)]
    if missed:
        sys.exit("\n".join(["", *missed]))


if __name__ == "__main__":
    main()
