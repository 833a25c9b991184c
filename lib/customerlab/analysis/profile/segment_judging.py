"""How good a segment model is on customers whom it was not trained on: scores, calibration, importance, groups."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.disclosure import suppressed
from customerlab.analysis.inference import percentile_interval, resampled, wilson
from customerlab.analysis.language.base import NUMBER, kind_of
from customerlab.analysis.profile.differences import MISSING
from customerlab.analysis.profile.gower import Values
from customerlab.analysis.profile.segment_candidates import Chances, log_losses
from customerlab.analysis.profile.segment_model import SegmentModel
from customerlab.formats import short

RESAMPLES, PERMUTED, GROUPS = 400, 5, 5
LARGE = 5_000  # customers, from which on there are fewer resamples
MAJORITY, PRIOR = "majority class", "prior"


def recall(weights: Values, truth: np.ndarray, right: Values) -> Values:
    """Balanced accuracy by sample of customers and column of `right`; absent segments are left out."""
    k = int(truth.max()) + 1
    hits = np.stack([weights[:, truth == one] @ right[truth == one] for one in range(k)])
    sizes = np.stack([weights[:, truth == one].sum(axis=1) for one in range(k)])[..., None]
    there = sizes > 0
    return (hits / np.where(there, sizes, 1)).sum(axis=0) / there.sum(axis=0)


def samples(number: int, seed: int, resamples: int) -> Values:
    """Weights of customers: all once, and bootstrap samples."""
    return np.concatenate([np.ones((1, number)), *resampled(number, seed, resamples)])


def scores(models: Mapping[str, Chances], x: Values, truth: np.ndarray, prior: Values, seed: int) -> pd.DataFrame:
    """The scores of candidates and baselines on the test part."""
    n, k, rows = len(truth), len(prior), []
    weights = samples(n, seed, RESAMPLES if n <= LARGE else RESAMPLES // 4)
    plain = log_losses(np.tile(prior, (n, 1)), truth)
    for name, chances in models.items():
        p = chances(x)
        rows.append((name, (p / prior).argmax(axis=1) == truth, p.argmax(axis=1) == truth, log_losses(p, truth)))
    rows.append((MAJORITY, truth == prior.argmax(), truth == prior.argmax(), np.full(n, np.nan)))
    rows.append((PRIOR, np.full(n, 1 / k), prior[truth], plain))
    found = []
    for name, balanced, right, loss in rows:
        means = weights @ np.column_stack([right, loss, plain - loss]) / n
        balance = prior[truth][:, None] if name == PRIOR else balanced[:, None].astype(float)
        drawn = np.column_stack([recall(weights, truth, balance), means])
        row: dict[str, Any] = {"model": name, "customers": n}
        measures = zip(("balanced_accuracy", "accuracy", "log_loss", "gain"), drawn[0], *percentile_interval(drawn[1:]),
                       strict=True)  # fmt: skip
        for measure, value, low, high in measures:
            row |= {measure: value, f"{measure}_low": low, f"{measure}_high": high}
        found.append(row)
    return pd.DataFrame(found)


def calibration(chances: Values, truth: np.ndarray, segments: tuple[str, ...]) -> pd.DataFrame:
    """Predicted and observed shares of each segment, in groups of customers by their probability of it."""
    parts = []
    for place, name in enumerate(segments):
        p = chances[:, place]
        edges = np.unique(np.quantile(p, np.arange(1, GROUPS) / GROUPS, method="inverted_cdf"))
        grouped = pd.DataFrame({"predicted": p, "observed": truth == place}).groupby(np.searchsorted(edges, p))
        table = grouped.mean().assign(segment=name, customers=grouped.size()).rename_axis("group").reset_index()
        table["low"], table["high"] = wilson(table["observed"], table["customers"])
        parts.append(table[["segment", "group", "customers", "predicted", "observed", "low", "high"]])
    return pd.concat(parts, ignore_index=True)


def importance(model: SegmentModel, x: Values, truth: np.ndarray, names: list[str], seed: int) -> pd.DataFrame:
    """What the model loses if an attribute is permuted: the mean over some permutations."""
    rng, rows = np.random.default_rng(seed), []
    weights = samples(len(truth), seed, RESAMPLES // 4)
    mixed = np.concatenate([rng.permutation(len(truth)) for _ in range(PERMUTED)])

    def right(at: Values) -> Values:
        return ((model.chances(at) / model.prior).argmax(axis=1) == np.resize(truth, len(at))).astype(float)

    whole = right(x)
    for place, name in enumerate(names):
        own, changed = model.design.attribute == place, np.tile(x, (PERMUTED, 1))
        changed[:, own] = x[mixed][:, own]
        loss = whole - right(changed).reshape(PERMUTED, -1).mean(axis=0)
        drawn = recall(weights, truth, loss[:, None])
        rows.append((name, *drawn[0], *percentile_interval(drawn[1:])[:, 0]))
    table = pd.DataFrame(rows, columns=["attribute", "loss", "low", "high"]).assign(
        by=lambda one: -one["loss"].round(9)
    )
    return table.sort_values(["by", "attribute"], kind="stable", ignore_index=True).drop(columns="by")


def by_group(column: pd.Series, truth: np.ndarray, assigned: np.ndarray, smallest: int, seed: int) -> pd.DataFrame:
    """Balanced accuracy in each group of a sensitive attribute."""
    labels, rows = _labels(column), []
    for name in labels.cat.remove_unused_categories().cat.categories:
        here = (labels == name).to_numpy()
        right = (truth[here] == assigned[here]).astype(float)[:, None]
        drawn = recall(samples(int(here.sum()), seed, RESAMPLES), truth[here], right)
        ends = percentile_interval(drawn[1:])[:, 0]
        rows.append((str(column.name), name, int(here.sum()), drawn[0, 0], *ends))
    table = pd.DataFrame(rows, columns=["attribute", "group", "customers", "balanced_accuracy", "low", "high"])
    return suppressed(table, smallest, keep=("attribute", "group"))


def _labels(column: pd.Series) -> pd.Series:
    """The group of each customer as a category: levels in their order, quarters of a number, or that it is missing."""
    if kind_of(column) != NUMBER:
        levels = (
            column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else sorted(column.dropna().unique())
        )
        held, names = column.astype(object).where(column.notna(), MISSING).map(str), [*map(str, levels)]
    else:
        values = column.to_numpy(dtype=float, na_value=np.nan)
        known = values[~np.isnan(values)]
        edges = np.unique(np.quantile(known, [0.25, 0.5, 0.75], method="inverted_cdf")) if len(known) else np.empty(0)
        ends = [short(edge) for edge in edges[edges < known.max(initial=-np.inf)]]
        names = (
            ["all"]
            if not ends
            else [f"up to {ends[0]}", *map("over {} to {}".format, ends, ends[1:]), f"over {ends[-1]}"]
        )
        place = np.searchsorted(edges[: len(ends)], values)
        held = pd.Series([*names, MISSING], dtype=object).iloc[np.where(np.isnan(values), len(names), place)]
    return pd.Series(pd.Categorical(held, [*dict.fromkeys([*names, MISSING])]), column.index)
