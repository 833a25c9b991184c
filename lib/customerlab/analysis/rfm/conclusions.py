"""Findings about segments as sentences: computed, with sizes, intervals and the influence of single customers."""

from collections.abc import Iterable, Mapping

import pandas as pd

from customerlab.analysis.disclosure import hidden
from customerlab.analysis.inference import INFLUENTIAL, too_few
from customerlab.analysis.rfm.choosing import DEPTH
from customerlab.analysis.rfm.concentration import Concentration
from customerlab.analysis.rfm.holdout import Holdout
from customerlab.analysis.rfm.repurchase import ANY
from customerlab.formats import interval, p_value, percent, points
from customerlab.wording import Led

LEVEL = 0.05
COUNTED = "Customers count once per window."
STABLE = 0.9  # share of customers with the same segment 28 days earlier, from which segments need no renewal


def _listed(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def by_choice(held: Holdout, days: int) -> list[str]:
    """For each outcome, the rule to rank customers by, with the share of the outcome from the top customers.

    A rule is recommended where its difference is statistically significant (Holm-adjusted over all comparisons). The
    last sentence says what such a ranking is no evidence of.
    """
    at = held.choices[held.choices["formed_on"].isna() & (held.choices["chosen"] == DEPTH)]
    if at.empty:
        few = too_few(held.windows["came_back"].max(), f"ordered again in any window of {days} days")
        return [f"Segments against plain rules: {few}."]
    said = [_choice(str(outcome), rows, days) for outcome, rows in at.groupby("outcome", sort=False)]
    return [
        *said,
        "These rankings predict who will order, not whom a contact changes: top customers may buy anyway. Only an experiment measures "
        "that. Ranking by monetary value within segments was not compared.",
    ]


def unvalidated(day: str, days: int, *, summarised: bool = False) -> str:
    """Why segments are not validated, where `hold_out` finds nothing to judge them by."""
    why = f"the log has fewer than two windows of {days} days before {day}."
    if summarised:
        why = "customers come already summarised, so what they did after an earlier day is not known."
    return Led("Segments are not validated", f": {why}")


def recorded(held: Holdout | None, change: pd.DataFrame) -> dict[str, float | list[float]]:
    """What to choose a scheme by: how far segments are from plain rules, with intervals, and how stable they are.

    `<outcome>_against_<rule>` is the share of the outcome that the top customers by segment bring less that by the
    rule, mean of the windows, with its 95% interval; `same_segment_<change>` the share that keeps its segment.
    """
    found: dict[str, float | list[float]] = {}
    choices = change.head(0) if held is None else held.choices.query("formed_on.isna() and chosen == @DEPTH")
    for row in choices.dropna(subset=["difference", "low", "high"]).to_dict("records") if len(choices) else ():
        name = f"{row['outcome']}_against_{row['against']}".replace(" ", "_")
        found[name] = [float(row[part]) for part in ("difference", "low", "high")]
    earlier = change[change["change"].str.endswith("earlier")]
    named = "same_segment_" + earlier["change"].str.replace(" ", "_")
    return found | {name: float(share) for name, share in zip(named, earlier["same_segment"], strict=True)}


def _choice(outcome: str, rows: pd.DataFrame, days: int) -> str:
    what, name = ("who will spend", "net revenue") if outcome == "revenue" else ("who will order again", outcome)
    told = rows["pvalue_holm"] < LEVEL
    better, worse = rows[told & (rows["difference"] < 0)], rows[told & (rows["difference"] > 0)]
    best = (better if len(better) else rows if len(worse) == len(rows) else rows.drop(worse.index)).sort_values(
        "by_rule"
    )
    row, sign = best.iloc[-1], -1 if len(better) else 1
    shares = {"segment": row["by_segment"], row["against"]: row["by_rule"]}
    one, two = list(shares)[::sign]
    if len(better) or len(worse) == len(rows):
        lead = f"Rank customers by {one} rather than by {two} to predict {what}"
    else:
        lead = f"Segment and {two} are not significantly different at predicting {what}"
    low, high = sorted(100 * sign * row[end] for end in ("low", "high"))
    return Led(
        lead,
        f". The top {DEPTH:.0%} account for {shares[one]:.0%} of {name} within {days} days, against {shares[two]:.0%} by {two} "
        f"({points(sign * row['difference'])}, unadjusted {interval(low, high, '{:+.1f}')}, Holm-adjusted {p_value(row['pvalue_holm'])}).",
    )


def choice_table(choices: pd.DataFrame) -> pd.DataFrame:
    """The rules of `compare_rules` side by side, for a page: means over windows first, then single windows at `DEPTH`.

    Differences, of the rule less the segment, are in percentage points.
    """
    rows = choices[choices["formed_on"].isna() | (choices["chosen"] == DEPTH)]
    rows = rows.assign(other=rows["chosen"] != DEPTH, customers=rows["outcome"] != "revenue")
    rows = rows.sort_values(["formed_on", "other", "customers", "against", "chosen"], na_position="first")
    ends = zip(-100 * rows["high"], -100 * rows["low"], strict=True)
    return pd.DataFrame(
        {
            "outcome": rows["outcome"],
            "plain rule": rows["against"],
            "top customers": rows["chosen"],
            "window": rows["formed_on"].dt.strftime("from %Y-%m-%d").fillna("all"),
            "by segment": rows["by_segment"],
            "by rule": rows["by_rule"],
            "rule less segment": -100 * rows["difference"],
            "95% CI": [f"{low:+.1f} to {high:+.1f}" for low, high in ends],
            "p (Holm)": [
                p_value(p).removeprefix("p ").removeprefix("= ") if p == p else None for p in rows["pvalue_holm"]
            ],
            "windows that agree": rows["agree"],
        }
    )


def by_windows(held: Holdout, days: int) -> list[str]:
    """The windows in which one customer makes a tenth of the revenue or more."""
    return [
        f"One customer accounts for {row['largest']:.0%} of net revenue in the {days} days from {row['formed_on']:%Y-%m-%d}."
        for row in held.windows[held.windows["largest"] >= INFLUENTIAL].to_dict("records")
    ]


def by_rate(held: Holdout, days: int) -> str:
    """The segments with the lowest and the highest repurchase rate, among those with enough customers."""
    table = held.segments.dropna(subset="repurchase_rate_low")
    rates = table.loc[[table["repurchase_rate"].idxmin(), table["repurchase_rate"].idxmax()]] if len(table) else table
    if rates["repurchase_rate"].nunique() < 2:
        few = too_few(held.segments["came_back"].max(), "ordered again in any segment")
        return f"Repurchase rates of segments within {days} days: {few if table.empty else 'no difference'}."
    low, high = (_rate(row, f"in {row['segment']}") for row in rates.to_dict("records"))
    return f"The repurchase rate within {days} days ranges from {low} to {high}. {COUNTED}"


def by_scores(scores: pd.DataFrame, days: int) -> list[str]:
    """The score with the widest range of repurchase rates; nothing where fewer than two scores have intervals."""
    known = scores.dropna(subset="repurchase_rate_low")
    ends = known.groupby("measure", sort=False)["repurchase_rate"].agg(["idxmin", "idxmax", "min", "max"])
    if ends.empty or not (gaps := ends["max"] - ends["min"]).max() > 0:
        return []
    measure = str(gaps.idxmax())
    most = known.loc[[ends["idxmin"][measure], ends["idxmax"][measure]]].to_dict("records")
    low, high = (_rate(row, f"at score {row['score']}") for row in most)
    return [
        f"The {measure} score has the widest range of repurchase rates within {days} days: from {low} to {high}. {COUNTED}"
    ]


def _rate(row: dict, where: str) -> str:
    ci = interval(row["repurchase_rate_low"], row["repurchase_rate_high"], "{:.0%}")
    return f"{row['repurchase_rate']:.0%} {where} ({ci}, n = {row['customers']:,})"


def rates_by_score(scores: pd.DataFrame) -> pd.DataFrame:
    """The repurchase rate of each score with its 95% CI, as text; `scores` as `by_score` returns them."""
    rates = scores[["repurchase_rate", "repurchase_rate_low", "repurchase_rate_high"]].itertuples(
        index=False, name=None
    )
    said = [f"{rate:.0%} ({low:.0%} to {high:.0%})" if low == low else "too few to tell" for rate, low, high in rates]
    wide = scores.assign(said=said).pivot(index="score", columns="measure", values="said")
    return wide[list(dict.fromkeys(scores["measure"]))].iloc[::-1].rename_axis(columns=None).reset_index()


def by_influence(table: pd.DataFrame, what: str) -> list[str]:
    """The segments in which one customer makes a tenth of the revenue or more, of `profile` or `by_segment`."""
    flagged = table[table["largest"] >= INFLUENTIAL]
    if flagged.empty:
        return []
    parts = [f"{row['segment']} ({row['largest']:.0%})" for row in flagged.to_dict("records")]
    return [f"One customer accounts for {INFLUENTIAL:.0%} or more of {what} in {_listed(parts)}."]


def by_size(table: pd.DataFrame, kind: str) -> list[str]:
    """The segment with the most revenue, gross or net, of `profile`; nothing for ties."""
    richest = table[(table["revenue"] == table["revenue"].max()) & table["share_of_revenue"].notna()]
    return [
        f"The segment with the most revenue is {one['segment']}: {one['share_of_customers']:.0%} of customers, "
        f"{one['share_of_revenue']:.0%} of {kind} revenue so far."
        for one in richest.to_dict("records")
        if len(richest) == 1
    ]


def by_concentration(held: Mapping[str, Concentration], once: float, kind: str) -> list[str]:
    """Revenue shares of the top 20% of customers and of products, and the share of customers who ordered `once`.

    `held` has the concentration over ``customers`` and, where these are known, ``products``.
    """
    said = [
        f"The top 20% of {of} bring {percent(one.top_share(0.2))} of {kind} revenue (Gini {one.gini:.2f})."
        for of, one in held.items()
    ]
    return [*said, f"{percent(once)} of customers ordered once."]


def by_repurchase(table: pd.DataFrame, days: int = 90) -> list[str]:
    """The repurchase rates within so many `days` after a first order and after any, as `repurchase` returns them."""
    said = []
    for after in (table["after"].iloc[0], ANY):
        rows = table[table["after"] == after]
        known = rows[rows["days"] == days].dropna(subset="low")
        if known.empty:
            few = too_few(rows["ordered_again"].max(), "ordered again")
            said.append(
                f"Repurchase rate within {days} days of {after if after == ANY else f'the {after}'} order: {few}."
            )
            continue
        row = known.iloc[0]
        what = "orders are followed by another" if after == ANY else "customers order again"
        more = f" Frequent buyers weigh more here; for new customers, use the rate after the {table['after'].iloc[0]} order."
        said.append(
            f"{row['share']:.0%} of {what} within {days} days{'' if after == ANY else f' of the {after} order'} "
            f"({interval(row['low'], row['high'], '{:.0%}')}, Kaplan-Meier, n = {row['orders']:,}).{more if after == ANY else ''}"
        )
    return said


def by_money(table: pd.DataFrame, everybody: int, currency: str, smallest: int = 1) -> str:
    """Customers with the highest monetary score in segments of low spending, as `high_spenders` returns them.

    Numbers of segments that are `disclosure.hidden` are omitted.
    """
    low, few = table[table["low"]], hidden(table["customers"], smallest)[table["low"]]
    where = "in segments whose median spend is below that of all customers"
    if table.empty or low.empty:
        return f"No customer with the highest monetary score is {where}."
    if low["customers"].sum() < smallest:
        return f"Fewer than {smallest} customers with the highest monetary score are {where}."
    parts = [
        f"{'some' if away else format(row['customers'], ',')} in {row['segment']}"
        for row, away in zip(low.to_dict("records"), few, strict=True)
    ]
    return (
        f"{low['customers'].sum():,} of {table['customers'].sum():,} customers with the highest monetary score are {where} "
        f"({percent(low['customers'].sum() / everybody)} of all customers, revenue so far {low['revenue'].sum():,.0f} {currency}). By "
        f"segment: {_listed(parts)}."
    )


def by_stability(change: pd.DataFrame) -> list[str]:
    """How many customers had the same segment on earlier days, as `sensitivity` has them, and what to do about it."""
    rows = change[change["change"].str.endswith("earlier")]
    if rows.empty:
        return []
    shares = [f"{percent(share)} {change}" for share, change in zip(rows["same_segment"], rows["change"], strict=True)]
    shares[0] = shares[0].replace(" ", " of customers had the same segment ", 1)
    lead = "Recompute segments before each campaign" if rows["same_segment"].min() < STABLE else "Segments are stable"
    return [Led(lead, f": {_listed(shares)}.")]
