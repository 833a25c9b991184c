"""What is found of customers as tables for a page: each with its caption and with how its columns are written.

Every function returns a list of what `show` takes, which is empty where there is nothing to show.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence

import pandas as pd

from customerlab.analysis import pages
from customerlab.analysis.disclosure import suppressed
from customerlab.analysis.language.answers import Answer
from customerlab.analysis.pages import Shown
from customerlab.analysis.profile.latent import Choice
from customerlab.analysis.profile.reference import Representation
from customerlab.analysis.profile.regions import Rates
from customerlab.analysis.profile.scales import Reliability
from customerlab.analysis.profile.segment_prediction import Prediction

LABELS = {
    "log_likelihood": "log-likelihood", "bic": "BIC", "entropy_r2": "entropy R²", "reached": "best reached",
    "largest_customer": "largest customer", "p_adjusted": "Holm p", "pvalue_holm": "Holm p",
    "balanced_accuracy": "balanced accuracy", "log_loss": "log loss",
    "balanced_accuracy_low": "low", "balanced_accuracy_high": "high", "difference_low": "from", "difference_high": "to",
}  # fmt: skip
SHARES = [
    "share", "low", "high", "reference", "rate", "shrunken", "largest customer", "accuracy", "balanced accuracy",
    "predicted", "observed",
]  # fmt: skip
FORMATS = {
    "customers": "{:,}", "missing": "{:,}", "log-likelihood": "{:,.1f}", "BIC": "{:,.1f}", "entropy R²": "{:.2f}",
    "best reached": "{:.0%}", "index": "{:.0f}", "Holm p": "{:.3f}", "weight": "{:.2f}", "mean": "{:,.2f}",
    "difference": "{:+,.2f}", "from": "{:+,.2f}", "to": "{:+,.2f}", "bits": "{:.4f}", "log loss": "{:.3f}",
    "share of revenue": "{:.1%}", "revenue": "{:,.2f}",
} | dict.fromkeys(SHARES, "{:.1%}")  # fmt: skip
"""What columns are called, and how their numbers are written, where a table does not say otherwise."""


def _shown(
    table: pd.DataFrame, columns: Iterable[Hashable], caption: str, formats: Mapping[str, str] = FORMATS
) -> Shown:
    """Some columns of a table, by the names that a page gives them."""
    return pages.shown(table, columns, caption, formats, LABELS)


def class_table(choice: Choice | None) -> Shown:
    """Numbers of latent classes and how well they fit."""
    if choice is None or choice.model is None:
        return []
    columns = ["classes", "log_likelihood", "parameters", "bic", "entropy_r2", "reached"]
    return _shown(
        choice.table, columns,
        "Latent classes: BIC chooses their number. Entropy R² is 1 where no assignment is in doubt; best reached is the share of the best "
        "starts that ended at the same log-likelihood",
    )  # fmt: skip


def scale_tables(scale: Reliability, items: Sequence[str], scored: pd.DataFrame, factors: pd.DataFrame) -> Shown:
    """Reliability of a survey scale, its scores, and the number of factors; tables as `scales` returns them."""
    values = {"Cronbach's alpha": scale.alpha, "low": scale.low, "high": scale.high, "McDonald's omega": scale.omega}
    described = scored["score"].describe()[["count", "mean", "std", "min", "max"]].to_frame().T
    described = described.assign(error=scored["error"].median())
    kept = factors.replace({"kept": {True: "yes", False: "no"}})
    return [
        *_shown(
            pd.DataFrame([values]), list(values),
            f"Reliability of a scale of {len(items)} items ({', '.join(items)}), of {scale.customers:,} customers who answered all; alpha "
            "with 95% confidence interval (Feldt)", dict.fromkeys(values, "{:.2f}"),
        ),
        *_shown(
            described, list(described), "Scores: mean of the answered items, and median standard error of measurement",
            dict.fromkeys(map(str, described), "{:.2f}") | {"count": "{:,.0f}"},
        ),
        *_shown(
            kept, list(kept), "Number of factors: eigenvalues of the items' correlations, and 95th percentile of those of random data",
            {"eigenvalue": "{:.2f}", "random": "{:.2f}"},
        ),
    ]  # fmt: skip


def population_table(found: Representation, attribute: str) -> Shown:
    """Shares of customers against those of a reference population."""
    return _shown(
        found.table, ["group", "reference", "customers", "share", "low", "high", "index", "p_adjusted"],
        f"{attribute} of {found.customers:,} customers against the reference population: shares with simultaneous 95% confidence "
        "intervals, index, Holm-adjusted p. –: too few to show or to tell",
    )  # fmt: skip


def region_table(found: Rates, what: str) -> Shown:
    """Rates by region, as observed and shrunken."""
    return _shown(
        found.table, ["region", "customers", "rate", "weight", "shrunken", "low", "high"],
        f"{what[:1].upper()}{what[1:]} by region: as observed, weight of the region's own rate, and shrunken (empirical Bayes) "
        "with 95% interval. –: too few to show",
    )  # fmt: skip


def group_table(groups: pd.DataFrame, outcome: str, attribute: str) -> Shown:
    """An outcome by group, as observed and adjusted; `groups` as `by_group` returns it."""
    shown = groups.drop(columns=["low", "high", "p"])
    return _shown(
        shown, list(shown),
        f"{outcome} by {attribute}, as observed and adjusted for recency, frequency, tenure and net revenue before: mean, difference from "
        "the others with its simultaneous 95% confidence interval, and share of the largest customer. –: too few to tell",
    )  # fmt: skip


def information_table(found: pd.DataFrame, basis: str) -> Shown:
    """What attributes say of segments; `found` as `information` returns it."""
    return _shown(
        found.assign(share=found["share"].clip(lower=0)), ["attribute", "customers", "missing", "bits", "share", "pvalue_holm"],
        f"Information of attributes about {basis}: bits beyond chance, share of the segments' entropy, Holm-adjusted p",
    )  # fmt: skip


def persona_sizes_table(sizes: pd.DataFrame, basis: str, currency: str) -> Shown:
    """Customers of each persona, and what they ordered where that is known; `sizes` as `persona_sizes` returns them."""
    means = f", and means of recency in days, orders, and net revenue and average order value in {currency}"
    ordered = {"recency": "{:.0f}", "frequency": "{:.1f}", "revenue": "{:,.0f}", "average order value": "{:,.0f}"}
    caption = f"Personas of {basis}: customers{means if 'recency' in sizes else ''}"
    return _shown(sizes, list(sizes), caption, FORMATS | ordered)


def score_table(found: Prediction) -> Shown:
    """Models of the segment of a new customer beside each other."""
    columns = [
        "model",
        "customers",
        "balanced_accuracy",
        "balanced_accuracy_low",
        "balanced_accuracy_high",
        "accuracy",
        "log_loss",
    ]
    return _shown(
        found.scores, columns,
        f"Candidates on customers whom they were not trained on. {found.split} Balanced accuracy with 95% confidence interval",
    )  # fmt: skip


def calibration_table(found: Prediction, smallest: int) -> Shown:
    """Predicted probabilities beside observed shares."""
    shown = suppressed(found.calibration, smallest, keep=["segment", "group"])
    return _shown(
        shown, list(shown),
        "Calibration: predicted probability and observed share of each segment, in fifths of customers, with 95% confidence interval",
    )  # fmt: skip


def error_table(found: Prediction) -> Shown:
    """How well the model does by sensitive group."""
    if found.groups.empty:
        return []
    return _shown(
        found.groups, ["attribute", "group", "customers", "balanced_accuracy", "low", "high"],
        "Error by sensitive group: balanced accuracy with 95% confidence interval. –: too few to show",
    )  # fmt: skip


def answer_table(answers: Sequence[Answer], currency: str) -> Shown:
    """Sentences of segments, counted; with money where a currency is given."""
    rows = [(one.wording, one.customers, one.share, one.revenue, one.share_of_revenue) for one in answers]
    columns = ["customers who", "customers", "share", "revenue", "share of revenue"]
    shown = pd.DataFrame(rows, columns=columns)
    money = f" and net revenue in {currency}" if currency else ""
    return _shown(
        shown, columns if currency else columns[:3],
        f"Segments in plain words: customers{money}. –: too few to show, or not known", FORMATS | {"customers": "{:,.0f}"},
    )  # fmt: skip
