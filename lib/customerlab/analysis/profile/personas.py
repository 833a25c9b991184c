"""Personas: each segment in plain words, from what tells it apart; every sentence is computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.inference import LEAST, LEVEL, enough, holm, too_few
from customerlab.analysis.language.base import DATE
from customerlab.analysis.profile.differences import MISSING, aligned, differences
from customerlab.formats import interval, p_value, percent, points, short, shortened

ALPHA = 0.05
STATEMENTS = 3
OFFERED = 5  # categories of a persona, at most
BOUGHT = ["segment", "category", "customers", "buyers", "share", "others_share", "lift", "low", "high", "pvalue",
          "pvalue_holm"]  # fmt: skip


@dataclass(frozen=True)
class Persona:
    """A segment in plain words.

    Attributes
    ----------
    name : str
    customers : int
    share : float
        Of the customers who have a segment.
    statements : tuple of str
        At most three: what tells the segment apart.
    offers : tuple of str
        From which categories more of its customers have bought: who orders more often has bought from more of them.
    certainty : str
        Of how many customers, and how many comparisons are statistically significant.
    who, when, worth : DataFrame
        The segment's rows of `differences`.
    offer : DataFrame
        The segment's rows of `lifts`, the highest lift first.
    """

    name: str
    customers: int
    share: float
    statements: tuple[str, ...]
    offers: tuple[str, ...]
    certainty: str
    who: pd.DataFrame
    when: pd.DataFrame
    worth: pd.DataFrame
    offer: pd.DataFrame


def personas(
    attributes: pd.DataFrame,
    segments: pd.Series,
    *,
    when: pd.DataFrame | None = None,
    worth: pd.DataFrame | None = None,
    bought: pd.DataFrame | None = None,
    formed: bool = False,
) -> tuple[Persona, ...]:
    """Describe each segment: who its customers are, when they order, what they are worth, and what to offer.

    Parameters
    ----------
    attributes : DataFrame
        Who customers are; as for `differences`, such as age and home.
    segments : Series
        The segment of each customer by `customer_id`.
    when, worth : DataFrame, optional
        Further tables of the same form, such as recency and weekday (a category), and revenue and average order value.
        Columns that segments were formed of tell them apart by construction: leave them out.
    bought : DataFrame, optional
        As for `lifts`.
    formed : bool
        Whether the segments were formed of the attributes: then these differ by construction, and no test is quoted.

    Returns
    -------
    tuple of Persona
        In the order of the segments. Intervals are simultaneous and p-values Holm-adjusted over all columns of the
        three tables and all segments, and over all lifts. Statements are statistically significant differences, at most
        one per column and none of what is missing, by the end of the interval that is nearer to zero: a large
        difference of few customers does not go before one that is certain. Cohen's d and h are on one scale for this.

    Raises
    ------
    ValueError
        As `differences`, and for a column that is in two of the tables.

    Examples
    --------
    >>> table = pd.DataFrame({"age": [20, 40, 30] * 30, "garden": [True, False, False] * 30}).rename(str)
    >>> found = personas(table[["garden"]], pd.Series(["young", "old", "old"] * 30).rename(str))
    >>> found[1].name, found[1].statements[0][:54]
    ('young', 'garden = yes: 100% against 0% of the other customers (')
    """
    parts = [pd.DataFrame(index=attributes.index) if part is None else part for part in (attributes, when, worth)]
    names = [str(name) for part in parts for name in part.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"The column {twice[0]!r} is in two of the tables.")
    if any(part.index.has_duplicates for part in parts):
        raise ValueError("A customer has more than one row in a table.")
    _, code, listed = aligned(pd.DataFrame(index=segments.index), segments)
    parts = [part.astype(dict.fromkeys(part.select_dtypes("bool"), "boolean")) for part in parts]  # may be missing now
    whole = differences(pd.concat(parts, axis=1).reindex(segments.index), segments)
    lifted = lifts(bought, segments) if bought is not None else pd.DataFrame(columns=BOUGHT)
    sizes = np.bincount(code, minlength=len(listed))
    return tuple(
        _persona(name, int(n), n / sizes.sum(), whole, lifted, parts, formed)
        for name, n in zip(listed, sizes, strict=True)
    )


def _persona(
    name: str,
    customers: int,
    share: float,
    whole: pd.DataFrame,
    lifted: pd.DataFrame,
    parts: list[pd.DataFrame],
    formed: bool,
) -> Persona:
    """One segment's part of what was compared, and what there is to say of it."""
    own = whole[whole["segment"] == name]
    who, when, worth = (own[own["attribute"].isin(map(str, part.columns))].reset_index(drop=True) for part in parts)
    offer = lifted[lifted["segment"] == name].assign(by=lambda one: -one["lift"].round(9))
    offer = offer.sort_values(["by", "category"], kind="stable", ignore_index=True).drop(columns="by")
    offers = offer[(offer["pvalue_holm"] < ALPHA) & (offer["lift"] > 1)].head(OFFERED)
    return Persona(
        name, customers, float(share), statements(own, formed=formed), tuple(map(_offer, offers.to_dict("records"))),
        _certainty(customers, share, own, len(whole), formed), who, when, worth, offer,
    )  # fmt: skip


def statements(table: pd.DataFrame, *, formed: bool = False) -> tuple[str, ...]:
    """The sentences of one segment's rows of `differences`: at most three, of different attributes, as for `personas`.

    Empty where no difference is statistically significant.
    """
    some = table[(table["pvalue_holm"] < ALPHA) & (table["level"] != MISSING)]
    sign = np.sign(some["effect"])
    least = np.where(sign > 0, some["effect_low"], -some["effect_high"]).round(6)
    some = some.assign(least=-least, fewer=sign < 0)  # of two levels the one that is more common
    some = some.sort_values(["least", "fewer", "attribute", "level"], kind="stable").drop_duplicates("attribute")
    return tuple(_statement(row, formed) for row in some.head(STATEMENTS).to_dict("records"))


def _statement(row: dict[Any, Any], formed: bool) -> str:
    """A difference in plain words, with its numbers."""
    what, p = shortened(row["attribute"].replace("_", " ")), f"Holm-adjusted {p_value(row['pvalue_holm'])}"
    if row["level"]:
        ends = interval(100 * row["low"], 100 * row["high"], "{:+.1f}")
        shares = f"{percent(row['mean'])} against {percent(row['others_mean'])} of the other customers"
        tested = "" if formed else f", {ends}, {p}"
        return f"{what} = {shortened(row['level'])}: {shares} ({points(row['difference'])}{tested})"
    write = (lambda days: f"{pd.Timestamp(days, unit='D'):%Y-%m-%d}") if row["kind"] == DATE else short
    ends = interval(row["effect_low"], row["effect_high"], "{:+.2f}")
    means = f"mean {write(row['mean'])} against {write(row['others_mean'])} of the other customers"
    tested = "" if formed else f", {ends}, {p}"
    return f"{what}: {means} ({row['effect']:+.2f} standard deviations{tested})"


def _offer(row: dict[Any, Any]) -> str:
    """A category that more customers have bought from, in plain words."""
    ends = "no interval, for no other customer bought it"
    if np.isfinite(row["high"]):
        ends = f"lift {row['lift']:.2f}, {interval(row['low'], row['high'], '{:.2f}')}"
    return (
        f"{shortened(row['category'])}: {percent(row['share'])} have bought from it, against {percent(row['others_share'])} of the other "
        f"customers ({ends}, Holm-adjusted {p_value(row['pvalue_holm'])})"
    )


def _certainty(customers: int, share: float, own: pd.DataFrame, number: int, formed: bool) -> str:
    """Of how many customers, and how many of their comparisons are significant."""
    if not enough(customers):
        return f"{too_few(customers, 'customers')[0].upper()}{too_few(customers, 'customers')[1:]}."
    if formed:
        why = "The segment was formed of these attributes, so its differences are by construction."
        return f"{customers:,} customers ({percent(share)}). {why}"
    told, found = int(own["pvalue"].notna().sum()), int((own["pvalue_holm"] < ALPHA).sum())
    return (
        f"{customers:,} customers ({percent(share)}). {found} of {told} comparisons are statistically significant (Holm-adjusted "
        f"over the {number:,} comparisons of all segments); intervals hold simultaneously."
    )


def lifts(bought: pd.DataFrame, segments: pd.Series) -> pd.DataFrame:
    """How many times as many of a segment's customers have ever bought from a category, as of all others.

    Who orders more often has bought from more categories: a lift does not say what a segment prefers.

    Parameters
    ----------
    bought : DataFrame
        `customer_id` and `category`: who bought from what; a pair may be there several times.
    segments : Series
        The segment of each customer by `customer_id`. All of them count, whether they bought or not.

    Returns
    -------
    DataFrame
        One row per category and segment, both sorted: `segment`, `category`, `customers`, `buyers`, `share` and
        `others_share` (who bought), `lift` (their ratio) with `low` and `high` (simultaneous 95%, Bonferroni, on the
        logarithm; Katz et al. 1978), `pvalue` (Fisher's exact test, the smaller tail doubled) and `pvalue_holm` over
        all rows. Lift, interval and p are missing where a category has fewer than 20 buyers, or there are fewer than 20
        customers within or beside a segment; an interval also where one of the two groups has no buyer.

    Raises
    ------
    ValueError
        Where a column is lacking, or a customer has two segments.

    Examples
    --------
    >>> pairs = pd.DataFrame({"customer_id": [str(n) for n in range(60)], "category": ["tea"] * 40 + ["soap"] * 20})
    >>> segments = pd.Series(["a"] * 30 + ["b"] * 50, index=[str(n) for n in range(80)])
    >>> lifts(pairs, segments).loc[lambda table: table["category"] == "tea", ["segment", "lift"]].values.tolist()
    [['a', 5.0], ['b', 0.2]]
    """
    if not {"customer_id", "category"} <= set(bought.columns):
        raise ValueError("What was bought needs the columns 'customer_id' and 'category'.")
    everyone, code, names = aligned(pd.DataFrame(index=segments.index), segments)
    pairs = bought[["customer_id", "category"]].dropna().drop_duplicates()
    place = everyone.index.get_indexer(pd.Index(pairs["customer_id"]))
    pairs, code_of = pairs[place >= 0], code[place[place >= 0]]
    item, categories = pd.factorize(pairs["category"].astype(str), sort=True)
    k = len(names)
    own = np.bincount(item * k + code_of, minlength=len(categories) * k).reshape(-1, k)
    n, total = np.bincount(code, minlength=k), own.sum(axis=1, keepdims=True)
    told = (np.minimum(n, n.sum() - n) >= LEAST) & (total >= LEAST)
    p = 2 * np.minimum(stats.hypergeom.cdf(own, n.sum(), total, n), stats.hypergeom.sf(own - 1, n.sum(), total, n))
    with np.errstate(divide="ignore", invalid="ignore"):
        share, other = own / n, (total - own) / (n.sum() - n)
        lift = share / other
        error = np.sqrt(1 / own - 1 / n + 1 / (total - own) - 1 / (n.sum() - n))
        reach = np.exp(stats.norm.ppf(1 - (1 - LEVEL) / 2 / max(int(told.sum()), 1)) * error)
        ends = [np.where(np.isfinite(reach), end, np.nan) for end in (lift / reach, lift * reach)]
    numbers = [np.where(told, part, np.nan).ravel() for part in (lift, *ends, np.minimum(p, 1))]
    table = pd.DataFrame({
        "segment": np.tile(names, len(categories)), "category": np.repeat(np.asarray(categories, dtype=object), k),
        "customers": np.tile(n, len(categories)), "buyers": own.ravel(), "share": share.ravel(),
        "others_share": other.ravel(), **dict(zip(BOUGHT[6:10], numbers, strict=True)),
    })  # fmt: skip
    return table.assign(pvalue_holm=holm(table["pvalue"]))[BOUGHT]


def persona_sizes(found: Sequence[Persona], worth: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per persona: `segment`, `customers`, `share`, and the mean of each column of `worth`, if given.

    `worth` has numbers by `customer_id`, and a column `segment`.
    """
    rows = [(one.name, one.customers, one.share) for one in found]
    table = pd.DataFrame(rows, columns=["segment", "customers", "share"])
    table["segment"] = table["segment"].astype("str")
    return table if worth is None else table.join(_means(worth), on="segment")


def _means(worth: pd.DataFrame) -> pd.DataFrame:
    """The mean of each number by segment, whose name is a text; customers sorted, as sums depend on their order."""
    return worth.sort_index().drop(columns="segment").groupby(worth["segment"].sort_index().astype("str")).mean()


def persona_table(found: Sequence[Persona]) -> pd.DataFrame:
    """What is said of each persona, a row for each statement: `segment`, `about` and `statement`, the largest first."""
    rows = [
        (one.name, about, said)
        for one in sorted(found, key=lambda one: (-one.customers, one.name))
        for about, all_said in (
            ("tells apart", one.statements), ("more have bought", one.offers), ("how sure", (one.certainty,)),
        )
        for said in all_said
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["segment", "about", "statement"])
