"""Promised rates beside measured ones: tables with intervals, and a list of the promises that were not kept."""

import sys
from dataclasses import dataclass

import numpy as np
from scipy import stats

SURE = 0.999  # a promise outside even this interval was not kept
missed: list[str] = []


@dataclass(frozen=True)
class Rate:
    """So many of so many tests, and what was promised: `=` a share, `<=` at most, `>=` at least, or nothing at all."""

    what: str
    hits: int
    tests: int
    promise: str = ""

    def interval(self, confidence: float) -> tuple[float, float]:
        """The shares that so many hits allow."""
        ends = stats.binomtest(self.hits, self.tests).proportion_ci(confidence)
        return float(ends.low), float(ends.high)

    def kept(self) -> bool:
        """Whether the promise is among the shares that so many hits surely allow."""
        if not self.promise:
            return True
        sign, share = self.promise.split()
        low, high = self.interval(SURE)
        return (sign == "<=" or float(share) <= high) and (sign == ">=" or low <= float(share))


def rate(what: str, hits: np.ndarray, promise: str = "") -> Rate:
    """A rate of tests in which something was so."""
    return Rate(what, int(np.sum(hits)), np.size(hits), promise)


def show(title: str, rates: list[Rate]) -> None:
    """Print a table of rates, and remember which promises were not kept."""
    print(f"\n## {title}\n\n| what | tests | promised | measured | 95% interval |\n| --- | ---: | ---: | ---: | ---: |")
    for one in rates:
        low, high = one.interval(0.95)
        sign, _, share = one.promise.partition(" ")
        words = {"": "–", "=": "", "<=": "at most ", ">=": "at least "}[sign] + (f"{float(share):.1%}" if share else "")
        print(f"| {one.what} | {one.tests:,} | {words} | {one.hits / one.tests:.2%} | {low:.2%} to {high:.2%} |")
        if not one.kept():
            missed.append(f"{title}: {one.what}: {one.hits / one.tests:.2%}; promised {words}")
    sys.stdout.flush()


def share_of(what: str, false: np.ndarray, found: np.ndarray, promised: float = 0.05) -> None:
    """Print the mean over tests of the share of findings that are false (none where nothing is found)."""
    shares = false / np.maximum(found, 1)
    error = shares.std() / np.sqrt(len(shares))
    print(
        f"\n{what}: {shares.mean():.2%} ± {1.96 * error:.2%} of a test's findings (promised: at most {promised:.0%})."
    )
    if shares.mean() + stats.norm.ppf((1 - SURE) / 2) * error > promised:
        missed.append(f"{what}: {shares.mean():.2%}; promised at most {promised:.0%}")
