"""What it costs to fit EASE, ALS and the hybrid: `make bench-recommend`.

EASE gets 4,000 products that 20,000 simulated customers bought, and is compared with the formula as it is usually
written, inverted by numpy. ALS and the hybrid get Online Retail where its file is on this machine (CUSTOMERLAB_DATA or
data/raw), else a simulated shop of its size; ALS is compared with `implicit` as it comes, fifteen rounds from random
numbers. Each contender runs in a process of its own on two cores; the fastest of three runs counts, of the hybrid one.
The run fails where a promise is not kept; ours run on one thread, so that CPU tells it on a busy machine, too.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import clocked, in_a_process, two_cores
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[2]
PRODUCTS = 4_000
SECONDS = {"EASE": 5, "ALS": 3, "hybrid": 120}  # promised


def simulated(customers: int, products: int, orders: int, days: int) -> Any:
    """A split of orders of a few popular and many rare products, each customer keeping to a shelf of fifty."""
    from customerlab.analysis.recommend import split_of

    rng = np.random.default_rng(3)
    names = np.array([f"p{number:05d}" for number in range(products)])
    made = [(f"c{number % customers:05d}", float(rng.uniform(-28, days)), ()) for number in range(orders)]
    shelves = (products * rng.random((customers, 50)) ** 2).astype(int)
    drawn = [np.unique(rng.integers(0, 50, 22)) for _ in made]
    return split_of(
        [
            (customer, when, names[np.unique(shelves[number % customers][places])].tolist())
            for number, ((customer, when, _), places) in enumerate(zip(made, drawn, strict=True))
        ]
    )


def online_retail() -> tuple[str, Any]:
    """The published log, or a simulated one of its size."""
    from customerlab.analysis.recommend import split_by_time
    from customerlab.data.catalog import find_data_set
    from customerlab.data.engine import connect, open_table
    from customerlab.data.fetch import locate
    from customerlab.data.prepare import prepare

    entry = find_data_set(ROOT, "online_retail")
    if locate(ROOT, entry.sources[entry.tables["transactions"].source]) is None:
        return "simulated shop", simulated(4_300, 3_700, 18_500, 345)
    with tempfile.TemporaryDirectory() as folder:
        path = prepare(ROOT, Path(folder), "transactions", "online_retail").path
        return "Online Retail", split_by_time(open_table(connect(), path), 28, pattern=r"^\d{5}")


def ease(split: Any) -> Callable[[], Any]:
    """Ours."""
    from customerlab.analysis.recommend import EASE

    return lambda: EASE(200).fit(split).weights_


def ease_by_numpy(split: Any) -> Callable[[], Any]:
    """As the paper writes it."""

    def run() -> np.ndarray:
        owned = (split.history > 0).astype(float)
        gram = (owned.T @ owned).toarray()
        gram[np.diag_indices_from(gram)] += 200
        inverse = np.linalg.inv(gram)
        weights = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0)
        return weights

    return run


def als(split: Any) -> Callable[[], Any]:
    """Ours: two rounds from the directions of PureSVD."""
    from customerlab.analysis.recommend.models import ALS

    return lambda: ALS().fit(split)


def als_by_implicit(split: Any) -> Callable[[], Any]:
    """As it comes, but for the number of factors."""
    from implicit.cpu.als import AlternatingLeastSquares

    def run() -> None:
        with threadpool_limits(1, "blas"):
            AlternatingLeastSquares(64, random_state=7).fit(split.history, show_progress=False)

    return run


def hybrid(split: Any) -> Callable[[], Any]:
    """Ours: eight windows, seven models each, and the lists of all who are evaluated."""
    from customerlab.analysis.recommend import Hybrid

    return lambda: Hybrid().fit(split).scores(split.warm)


CONTENDERS = {
    "EASE": ease, "EASE by numpy's inverse": ease_by_numpy, "ALS": als, "ALS by implicit as it comes": als_by_implicit,
    "hybrid": hybrid,
}  # fmt: skip


def contend(name: str) -> None:
    """In the contender's own process: run it and print what it took."""
    of_ease = name.startswith("EASE")
    shop, split = ("simulated products", simulated(20_000, PRODUCTS, 40_000, 300)) if of_ease else online_retail()
    took, result = clocked(CONTENDERS[name](split))
    check = float(np.abs(result).sum()) if of_ease else None
    sizes = dict(zip(("customers", "products"), split.history.shape, strict=True))
    print(json.dumps(took | sizes | {"shop": shop, "check": check, "estimate": estimate(name, split)}))


def estimate(name: str, split: Any) -> float | None:
    """The seconds that a notebook says one of ours needs, before it is fitted."""
    from customerlab.analysis.recommend import candidates
    from customerlab.analysis.recommend.models.cost import Size, needs

    return next((needs(model, Size.of(split))[0] for model in candidates() if model.name == name), None)


def main() -> None:
    """Measure all contenders, and end non-zero where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contend", choices=CONTENDERS, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.contend:
        contend(words.contend)
        return
    two_cores()
    print("\n## Recommenders\n")
    print("| contender | shop | customers | products | seconds | estimated | times ours | CPU, s | peak GiB |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    found: dict[str, dict[str, Any]] = {}
    for name in CONTENDERS:
        run = found[name] = in_a_process(__file__, name)
        times = run["seconds"] / found[name.split(" by ")[0]]["seconds"]
        estimated = "" if run["estimate"] is None else f"{run['estimate']:.1f}"
        print(
            f"| {name} | {run['shop']} | {run['customers']:,} | {run['products']:,} | {run['seconds']:.2f} | {estimated} | {times:.1f} "
            f"| {run['cpu']:.2f} | {run['peak']:.2f} |",
            flush=True,
        )
    one, two = (found[name]["check"] for name in ("EASE", "EASE by numpy's inverse"))
    if abs(one - two) > 1e-6 * abs(two):
        sys.exit(f"the weights of EASE sum to {one}, by numpy to {two}")
    used = {name: found[name]["cpu"] for name in SECONDS}
    missed = [
        f"{name}: {used[name]:.1f} s of CPU; promised {most}" for name, most in SECONDS.items() if used[name] > most
    ]
    if missed:
        sys.exit("\n".join(["", *missed]))


if __name__ == "__main__":
    main()
