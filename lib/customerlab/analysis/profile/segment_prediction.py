"""The segment of new customers, predicted: trained on earlier customers, tested on later ones, and a verdict."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from customerlab.analysis.inference import LEAST, too_few
from customerlab.analysis.profile.differences import aligned
from customerlab.analysis.profile.segment_candidates import choose, fitted
from customerlab.analysis.profile.segment_judging import MAJORITY, PRIOR, by_group, calibration, importance, scores
from customerlab.analysis.profile.segment_model import SAVED, SegmentModel, fit_design
from customerlab.formats import interval, percent
from customerlab.wording import Led

UNKNOWN = 0.2  # of the tested customers, who are in segments that are left out: more, and the model is not usable
OFF = 0.5  # of the groups of a segment, whose probabilities lie outside the interval of what came
TEST, HELD = 0.3, 0.25  # the share of customers to test on; of the others, to choose settings by
MOST = 50_000  # customers, of more a random sample


@dataclass(frozen=True)
class Prediction:
    """A model of the segment, and how good it is on customers whom it was not trained on.

    Attributes
    ----------
    model : SegmentModel or None
        The candidate that can be saved with the lowest log loss inside the training part, trained on the whole training
        part; it is the one that was tested. None where there are too few customers, and all tables are empty.
    split : str
        How customers were split.
    counts : DataFrame
        `segment`, `training` and `test` (customers), `used`: segments with too few customers are left out.
    choice : DataFrame
        As `choose` returns it.
    scores : DataFrame
        One row per candidate, and two of baselines: `model`, `customers`, `balanced_accuracy` (mean share of each
        segment's customers who are assigned to it), `accuracy` (of the most probable segment) and `log_loss`, each with
        `…_low` and `…_high`, 95% percentile bootstrap over customers (Efron 1979); `gain`, what the log loss of the
        prior is higher. The majority class assigns everybody to the largest segment, the prior at random by shares.
    calibration : DataFrame
        Of the model: `segment`, `group` (fifths of customers by probability, the lowest 0), `customers`, `predicted`
        (mean probability), `observed` (share in the segment) with `low` and `high` (Wilson 1927).
    confusion : DataFrame
        Customers by segment (rows) and assigned segment (columns).
    importance : DataFrame
        `attribute`, `loss` of balanced accuracy if all columns of it are permuted together (Breiman 2001), with `low`
        and `high` (percentile bootstrap), the largest first.
    groups : DataFrame
        `attribute` (sensitive), `group`, `customers`, `balanced_accuracy` with `low` and `high`; missing for groups
        that are hidden.
    reason : str
        Why there is no model; else empty.
    """

    model: SegmentModel | None
    split: str
    counts: pd.DataFrame
    choice: pd.DataFrame
    scores: pd.DataFrame
    calibration: pd.DataFrame
    confusion: pd.DataFrame
    importance: pd.DataFrame
    groups: pd.DataFrame
    reason: str = ""


def predict_segments(
    attributes: pd.DataFrame,
    segments: pd.Series,
    *,
    first_order: pd.Series | None = None,
    sensitive: Sequence[str] = (),
    smallest_group: int = LEAST,
    seed: int,
) -> Prediction:
    """Learn the segment from attributes on the earlier 70% of customers, and test it on the later ones.

    Settings of each candidate are chosen, and then the candidate, by the log loss among the later quarter of the
    training part, with everything learned on the part before it. The test part is only used to judge.

    Parameters
    ----------
    attributes : DataFrame
        As for `differences`, with only what is known of a new customer, such as features of the first order.
    segments : Series
        The segment of each customer by `customer_id`.
    first_order : Series of Timestamp, optional
        By `customer_id`; customers without one are left out. Without it, or where all are equal, customers are split at
        random by id.
    sensitive : sequence of str
        Attributes that are not used to predict, and by whose groups the model is judged; numbers in four groups.
    smallest_group : int
        Groups of fewer customers are not shown, as `suppressed` has it; at least 20.
    seed : int
        Of splits, models, permutations and resamples.

    Raises
    ------
    ValueError
        As `differences`, for a sensitive attribute that is lacking, and where no attribute is left.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [20, 40, 30]}, index=["ann", "bob", "cem"])
    >>> predict_segments(table, pd.Series(["young", "old", "old"], table.index), seed=1).reason
    'too few to tell (0 customers of a second segment in a part of the data)'
    """
    lacking = [name for name in sensitive if name not in attributes]
    if lacking:
        raise ValueError(f"The table lacks the sensitive attribute {lacking[0]!r}.")
    used = attributes.drop(columns=list(sensitive))
    if not len(used.columns):
        raise ValueError("The table has no attributes that are not sensitive.")
    table, code, names = _customers(attributes, segments, first_order, seed)
    days = None if first_order is None else first_order.reindex(table.index)
    late, split = _later(days, len(table), TEST, seed)
    early_days = None if days is None else days[~late]
    held = np.zeros(len(table), dtype=bool)
    held[~late] = _later(early_days, int((~late).sum()), HELD, seed + 1)[0]
    parts = [np.bincount(code[part], minlength=len(names)) for part in (~late & ~held, ~late, late)]
    kept = (np.min(parts, axis=0) >= LEAST) if len(names) else np.zeros(0, dtype=bool)
    counts = pd.DataFrame({"segment": names, "training": parts[1], "test": parts[2], "used": kept})
    design = fit_design(table.loc[~late, used.columns]) if kept.sum() > 1 else None
    if design is None or not len(design.attribute):
        fewest = int(np.sort(np.min(parts, axis=0))[-2]) if len(names) > 1 else 0
        why = too_few(fewest, "customers of a second segment in a part of the data")
        if design or len(names) < 2:
            why = "no attribute has a common value" if design else "there are no two segments of these customers"
        none = pd.DataFrame()
        return Prediction(None, split, counts, none, none, none, none, none, none, why)
    some = kept[code]
    place = (np.cumsum(kept) - 1)[code[some]]
    listed = tuple(name for name, use in zip(names, kept, strict=True) if use)
    return _judged(table[some], used.columns, place, late[some], held[some], listed, split, counts, sensitive,
                   max(smallest_group, LEAST), seed)  # fmt: skip


def _customers(
    attributes: pd.DataFrame, segments: pd.Series, first_order: pd.Series | None, seed: int
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Customers with attributes, a segment and, if it counts, a first order; of many a sample."""
    if first_order is not None:
        segments = segments[segments.index.isin(first_order.dropna().index)]
    table, code, names = aligned(attributes, segments)
    if len(table) > MOST:
        some = np.sort(np.random.default_rng(seed).choice(len(table), MOST, replace=False))
        table, code = table.iloc[some], code[some]
    return table, code, names


def _later(days: pd.Series | None, number: int, share: float, seed: int) -> tuple[np.ndarray, str]:
    """Which customers are the later ones, and in words."""
    if days is None or days.nunique() < 2:
        late = np.random.default_rng(seed).permutation(number) >= round(number * (1 - share))
        why = "no first order is known" if days is None else "all first orders are of one time"
        return late, f"Customers are split at random, for {why}: {percent(share)} are the test part."
    cut = days.sort_values(kind="stable").iloc[min(round(number * (1 - share)), number - 1)]
    if not (days < cut).any():
        cut = days[days > cut].min()
    return (
        days >= cut
    ).to_numpy(), f"Trained on customers with a first order before {cut:%Y-%m-%d}, tested on the others."


def _judged(
    table: pd.DataFrame, used: pd.Index, y: np.ndarray, late: np.ndarray, held: np.ndarray, segments: tuple[str, ...],
    split: str, counts: pd.DataFrame, sensitive: Sequence[str], smallest: int, seed: int,
) -> Prediction:  # fmt: skip
    """Train all candidates on the training part, and judge them on the test part."""
    training, test, truth = table.loc[~late, used], table[late], y[late]
    choice, settings = choose(training, y[~late], held[~late], segments, seed)
    design = fit_design(training)
    x, asked = design.matrix(training), design.matrix(test[used])
    models = {kind: fitted(kind, own, design, x, y[~late], segments, seed) for kind, own in settings.items()}
    own = choice[choice["model"].isin(SAVED)]
    model = models[str(own["model"].to_numpy()[own["log_loss"].argmin()])][1]
    assert model is not None  # of SAVED
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        scored = scores({kind: found[0] for kind, found in models.items()}, asked, truth, model.prior, seed)
        chances = model.chances(asked)
        assigned = (chances / model.prior).argmax(axis=1)
        important = importance(model, asked, truth, list(map(str, used)), seed)
        parts = [by_group(test[name], truth, assigned, smallest, seed) for name in sensitive]
    k = len(segments)
    confusion = np.bincount(truth * k + assigned, minlength=k * k).reshape(k, k)
    confused = pd.DataFrame(confusion, pd.Index(segments, name="segment"), pd.Index(segments, name="assigned"))
    groups = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    calibrated = calibration(chances, truth, segments)
    return Prediction(model, split, counts, choice, scored, calibrated, confused, important, groups)


def verdict(found: Prediction) -> list[str]:
    """Whether the model is of use, how good its probabilities are, and which attribute matters most."""
    left_out = ", ".join(found.counts.loc[~found.counts["used"], "segment"])
    some = [f"Left out, with fewer than {LEAST} customers in a part of the data: {left_out}."] if left_out else []
    if found.model is None:
        return [Led("The segment of new customers is not predicted", f": {found.reason}."), found.split, *some]
    row = found.scores[found.scores["model"] == found.model.kind].to_dict("records")[0]
    ends = interval(row["balanced_accuracy_low"], row["balanced_accuracy_high"], percent)
    chance = percent(1 / len(found.model.segments))
    level = f"balanced accuracy {percent(row['balanced_accuracy'])} ({ends}), majority class {chance}"
    size = f"{int(row['customers']):,} customers"
    table = found.scores.set_index("model")
    largest, prior = table["accuracy"][MAJORITY], table["log_loss"][PRIOR]
    against = _against(found, row, largest)
    if not against:
        first = Led(f"Use {found.model.kind} to predict the segment of new customers", f": {level}, of {size}.")
    else:
        first = Led("The segment of new customers is not predictable here", f": {'; '.join(against)}. Best candidate that can be saved: "
                    f"{found.model.kind}, {level}, of {size}.")  # fmt: skip
    gain = interval(row["gain_low"], row["gain_high"], "{:+.3f}")
    word = "better than" if row["gain_low"] > 0 else "worse than" if row["gain_high"] < 0 else "no better than"
    second = (
        f"Its probabilities are {word} the shares of segments: log loss {row['log_loss']:.3f} against {prior:.3f} (difference "
        f"{gain}). The most probable segment is right for {percent(row['accuracy'])} of these customers, the largest segment for "
        f"{percent(largest)}."
    )
    top = found.importance.to_dict("records")[0]
    third = [
        f"{top['attribute']} matters most: permuted, it costs {100 * top['loss']:.1f} percentage points of balanced accuracy "
        f"({interval(100 * top['low'], 100 * top['high'], '{:.1f}')})."
    ] if top["low"] > 0 else []  # fmt: skip
    return [first, second, *_calibrated(found), *third, *_by_sensitive(found), found.split, *some]


def _against(found: Prediction, row: Mapping[Hashable, Any], largest: float) -> list[str]:
    """What speaks against the use of the model."""
    assert found.model is not None
    said = []
    if row["balanced_accuracy_low"] <= 1 / len(found.model.segments):
        said.append("balanced accuracy is not significantly above chance")
    if row["gain_low"] <= 0:
        said.append("its probabilities are no better than the shares of segments")
    if row["accuracy"] <= largest:
        said.append("the largest segment alone is right as often as the most probable one")
    unknown = 1 - found.counts.loc[found.counts["used"], "test"].sum() / found.counts["test"].sum()
    if unknown > UNKNOWN:
        said.append(f"{percent(unknown)} of the tested customers are in segments that too few of the others are in")
    return said


def _calibrated(found: Prediction) -> list[str]:
    """Segments whose probabilities lie outside the interval of what came in most groups of customers."""
    table = found.calibration
    off = (table["predicted"] < table["low"]) | (table["predicted"] > table["high"])
    share = off.groupby(table["segment"]).mean()
    wrong = [str(name) for name in share.index[share > OFF]]
    if not wrong:
        return []
    return [
        f"The probabilities of {', '.join(wrong)} are not calibrated: in most groups they lie outside the 95% interval of the observed "
        "share."
    ]


def _by_sensitive(found: Prediction) -> list[str]:
    """Groups of sensitive attributes for whom the model is not shown to beat chance, while it is for others."""
    if found.groups.empty or found.model is None:
        return []
    known = found.groups.dropna(subset=["low"])
    above = known["low"] > 1 / len(found.model.segments)
    if above.all() or not above.any():
        return []
    names = ", ".join(f"{row['attribute']} {row['group']}" for row in known[~above].to_dict("records"))
    return [f"It is not shown to be better than chance for {names}, as it is for other groups."]
