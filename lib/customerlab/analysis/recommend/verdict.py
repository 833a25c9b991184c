"""Which model is recommended, and what may be said of its lists: sentences for findings, each of one fact."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import numpy as np
import pandas as pd

from customerlab.analysis.inference import enough, influence, largest_share, too_few
from customerlab.analysis.recommend.evaluate import against
from customerlab.analysis.recommend.metrics import compare, intervals, paired, per_customer
from customerlab.analysis.recommend.planning import REVENUE
from customerlab.analysis.recommend.rankings import Rankings
from customerlab.analysis.recommend.split import COLD, FUTURE, Split
from customerlab.formats import decimals, interval, p_value, percent
from customerlab.wording import Led

HABIT, POPULAR = "personal frequency", "popularity"
LISTED = {HABIT: "each customer's most-bought products", POPULAR: "the products with the most buyers"}


def baseline(split: Split, task: str = "all") -> tuple[str, str]:
    """The model that others have to beat, and a sentence that says why.

    Personal frequency by default. Popularity where past purchases carry no signal: where fewer than `inference.LEAST`
    customers had ordered anything twice by the split date, or where only new products are listed.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> baseline(split_of([("ann", 9, ["tea"]), ("bob", 8, ["tea"])]))[0]
    'popularity'
    >>> baseline(split_of([(f"c{n}", days, ["tea"]) for n in range(20) for days in (9, 5)]))[0]
    'personal frequency'
    """
    again = int((split.history.max(axis=1).toarray() > 1).sum()) if split.history.nnz else 0
    of = f"{again:,} of {len(split.customers):,} customers had ordered a product twice"
    if task == "explore":
        return POPULAR, "The baseline is popularity: only new products are listed, so past purchases carry no signal."
    if not enough(again):
        return POPULAR, f"The baseline is popularity: {of}, too few for personal frequency."
    return HABIT, f"The baseline is personal frequency: {of}."


def chosen(beside: pd.DataFrame, baseline: str) -> str:
    """The recommended model, by the table of `against`.

    It is the model with the highest nDCG among those that are significantly better than the baseline (Holm-adjusted),
    or else the baseline.
    """
    ahead = beside.loc[(beside["p_holm"] < 0.05) & (beside["difference"] > 0), "model"]
    return baseline if ahead.empty else str(ahead.iloc[0])


def decision(beside: pd.DataFrame, overall: pd.DataFrame, captured: pd.DataFrame, baseline: str, k: int) -> Led:
    """The decision for the `chosen` model as a sentence.

    `beside` is what `against` returns, `overall` the `summary` of the task by model, and `captured` the table of
    `revenue_captured` with both models.

    Examples
    --------
    >>> row = {"model": "a", "difference": 0.03, "low": 0.01, "high": 0.05, "p_holm": 0.002}
    >>> overall = pd.DataFrame({"ndcg": [0.53, 0.5]}, ["a", "popularity"])
    >>> captured = pd.DataFrame({"model": ["a", "popularity"], "share": [0.38, 0.35], "hits": 40})
    >>> print(decision(pd.DataFrame([row]), overall, captured, "popularity", 10))  # doctest: +NORMALIZE_WHITESPACE
    Use a: its lists capture 38% of what returning buyers spent, the products with the most buyers 35% (popularity,
    the baseline; nDCG@10 0.530 against 0.500, difference +0.030, 95% CI 0.010 to 0.050, Holm-adjusted p = 0.002).
    """
    best, money = chosen(beside, baseline), captured.set_index("model")
    shares, listed = money["share"].map(percent), LISTED.get(baseline, baseline)
    told = enough(*money.loc[[best, baseline], "hits"])
    if best == baseline:
        said = f"no model has a significantly higher nDCG@{k} ({len(beside)} comparisons, Holm-adjusted)."
        share = f"{listed} capture {shares[best]} of what returning buyers spent, and " if told else ""
        return Led(f"Use the baseline, {baseline}", f": {share}{said}")
    row, ndcg = beside[beside["model"] == best].to_dict("records")[0], overall["ndcg"].to_dict()
    digits = decimals(ndcg[best], ndcg[baseline], row["low"], row["high"])
    said = f"its lists are ranked better than {listed}"
    if told:
        said = f"its lists capture {shares[best]} of what returning buyers spent, {listed} {shares[baseline]}"
    return Led(
        f"Use {best}",
        f": {said} ({baseline}, the baseline; nDCG@{k} {ndcg[best]:.{digits}f} against {ndcg[baseline]:.{digits}f}, "
        f"difference {row['difference']:+.{digits}f}, {interval(row['low'], row['high'], f'{{:.{digits}f}}')}, Holm-adjusted "
        f"{p_value(row['p_holm'])}).",
    )


def worse_sentence(beside: pd.DataFrame, baseline: str) -> str:
    """How many models are significantly worse than the baseline, by the table of `against`, as a sentence."""
    worse = int(((beside["p_holm"] < 0.05) & (beside["difference"] < 0)).sum())
    return f"{worse} of the {len(beside)} models compared with {baseline} are significantly worse (Holm-adjusted)."


def same_lists(lists: Mapping[str, np.ndarray]) -> list[list[str]]:
    """Models, as `Rankings.of` gives them, in groups that make the same list for every customer.

    Examples
    --------
    >>> same_lists({"a": np.array([[1, 2]]), "b": np.array([[2, 1]]), "c": np.array([[1, 2]])})
    [['a', 'c'], ['b']]
    """
    groups: dict[bytes, list[str]] = {}
    for model, ranked in lists.items():
        groups.setdefault(np.ascontiguousarray(ranked).tobytes(), []).append(model)
    return list(groups.values())


def leader(values: pd.DataFrame, lists: Mapping[str, np.ndarray], seed: int, k: int) -> str:
    """Which model ranks best, of how many customers, and whether the next is worse: a clause for a sentence.

    Models with the same lists are one. The next is significantly worse where the adjusted interval says so. Fewer than
    `inference.LEAST` customers with a hit on the lists of the best, or of the next, are too few to tell. `values` is
    what `metrics_by_customer` returns, of one task, and `lists` are of the same models.

    Examples
    --------
    >>> values = pd.DataFrame({"model": ["a", "b"], "customer_id": "1", "ndcg": [1.0, 0.0], "hit_rate": [1.0, 0.0]})
    >>> leader(values, {"a": np.array([[1]]), "b": np.array([[2]])}, 1, 1)
    'nDCG@1 is highest for a, 1.000, but of 1 customer 0 had a hit on the lists compared: too few to tell (1 customer)'
    """
    groups = same_lists(lists)
    names = {
        group[0]: f"{', '.join(group[:-1])} and {group[-1]} (the same lists)" if len(group) > 1 else group[0]
        for group in groups
    }
    values = values[values["model"].isin(names)]
    table = intervals(paired(values, "ndcg"), seed)
    best = str(table["mean"].round(12).idxmax())
    row, customers = table.loc[best].to_dict(), int(table["customers"].iloc[0])
    people = f"{customers:,} customer{'s' if customers != 1 else ''}"
    said = f"nDCG@{k} is highest for {names[best]}, {row['mean']:.3f}"
    if len(table) == 1:
        return f"{said} ({people})"
    pairs = against(compare(paired(values, "ndcg")), best)
    other = pairs.iloc[0]
    hits = int(values[values["model"].isin([best, other["model"]])].groupby("model")["hit_rate"].sum().min())
    if not enough(hits):
        return (
            f"{said}, but of {people} {hits:,} had a hit on the lists compared: {too_few(customers, people.split()[1])}"
        )
    first, second, *_ = table["mean"].loc[[best, other["model"]]].tolist()
    gain, low, high = (-float(other[name]) for name in ("difference", "high", "low"))
    digits = decimals(first, second, low, high)
    form = f"{{:.{digits}f}}"
    said = f"nDCG@{k} is highest for {names[best]}, {first:.{digits}f}"
    ends = f"{interval(row['low'], row['high'], form)}; {people}"
    if gain == 0:
        return f"{said} ({ends}), as for {names[other['model']]}, {second:.{digits}f}"
    sure = "significantly more" if low > 0 else "not significantly more"
    return (
        f"{said} ({ends}), {sure} than for the next best, {names[other['model']]}, {second:.{digits}f} (difference "
        f"{gain:.{digits}f}, {interval(low, high, form)}, adjusted for {len(pairs)} comparisons)"
    )


def revenue_captured(rankings: Rankings, models: Sequence[str], seed: int, task: str = "all") -> pd.DataFrame:
    """Customers with a hit, and what customers spent on products of their list, whether they saw a list or not.

    The recommended model comes first, others serve for comparison; `seed` is of the bootstrap. One row per model:
    `model`, `customers` (returning buyers), `hits` (of these with a hit), `hit_rate`, `captured` and `spent` per buyer
    (kept lines), `share` of the two, `largest` (share of the captured revenue that is one customer's), and `more`: what
    the first model captures more per buyer, with `low` and `high` (95%, paired).
    """
    spent = np.asarray(rankings.split.spent[rankings.split.warm].sum(axis=1)).ravel()
    found = {model: per_customer(rankings.lists(model, task), ["hit_rate", "revenue"]) for model in models}
    money = pd.DataFrame({model: table["revenue"].to_numpy() for model, table in found.items()}, rankings.customers)
    rows = []
    for model, table in found.items():
        hit, mean = table["hit_rate"] > 0, money[model].mean()
        share = mean / spent.mean() if spent.mean() > 0 else np.nan
        rows.append(
            (model, len(hit), int(hit.sum()), hit.mean(), mean, spent.mean(), share, largest_share(money[model]))
        )
    columns = ["model", "customers", "hits", "hit_rate", "captured", "spent", "share", "largest"]
    more = intervals(-money.sub(money[models[0]], axis=0), seed)[["mean", "low", "high"]].reset_index(drop=True)
    more.loc[0] = np.nan  # itself
    return pd.DataFrame(rows, columns=columns).join(more.rename(columns={"mean": "more"}))


def revenue_sentences(table: pd.DataFrame, k: int, currency: str) -> list[str]:
    """Revenue captured by the first two models of `revenue_captured`, and all hit rates, as two sentences.

    Examples
    --------
    >>> row = {"customers": 40, "hits": 30, "hit_rate": 0.75, "captured": 9.0, "spent": 50.0, "share": 0.18}
    >>> table = pd.DataFrame([{"model": "a"} | row, {"model": "b"} | row])
    >>> print("\\n".join(revenue_sentences(table.assign(largest=0.3, more=1, low=-1, high=2), 10, "EUR")))
    A returning buyer spent 50 EUR on average, of which the lists of a capture 9 EUR (18%; 30% of it is one customer) \
and those of b 9 EUR (18%). The difference is +1 EUR per buyer (95% CI -1 to +2).
    Customers who bought a product of their list of 10, of 40 returning buyers: 75% with a, 75% with b.
    """
    first, second, *_ = table.to_dict("records")
    hits, flag = min(first["hits"], second["hits"]), influence(first["largest"], "customer")
    if enough(hits):
        revenue = (
            f"A returning buyer spent {first['spent']:,.0f} {currency} on average, of which the lists of {first['model']} "
            f"capture {first['captured']:,.0f} {currency} ({percent(first['share'])}{f'; {flag}' if flag else ''}) and those of "
            f"{second['model']} {second['captured']:,.0f} {currency} ({percent(second['share'])}). The difference is "
            f"{second['more']:+,.0f} {currency} per buyer ({interval(second['low'], second['high'], '{:+,.0f}')})."
        )
    else:
        few = too_few(hits, "customers with a hit")
        revenue = f"Revenue captured by the lists of {first['model']} and {second['model']}: {few}."
    rates = [f"{percent(rate)} with {model}" for rate, model in zip(table["hit_rate"], table["model"], strict=True)]
    of = f"{first['customers']:,} returning buyers"
    return [revenue, f"Customers who bought a product of their list of {k}, of {of}: {', '.join(rates)}."]


def cold_start(split: Split) -> tuple[float, str]:
    """The share of customers who bought in the window without a history, and the same as a sentence.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> print(cold_start(split_of([("ann", 9, ["tea"]), ("ann", -1, ["tea"]), ("bob", -1, ["tea"])]))[1])
    Cold start: 50% of customers who bought in the test window had no history (1 of 2) and get no personal list.
    """
    counts = split.accounting.set_index("what")["customers"]
    share = float(counts[COLD] / counts[FUTURE])
    return share, (
        f"Cold start: {percent(share)} of customers who bought in the test window had no history ({counts[COLD]:,} of "
        f"{counts[FUTURE]:,}) and get no personal list."
    )


def windows_sentence(over_folds: pd.DataFrame, model: str, task: str = "all") -> str:
    """In how many windows a model has the highest nDCG, by the table of `over_folds`, as a sentence.

    Examples
    --------
    >>> rows = [(1, "a", 0.3, 1), (1, "b", 0.2, 2), (2, "a", 0.3, 2), (2, "b", 0.4, 1)]
    >>> table = pd.DataFrame(rows, columns=["fold", "model", "ndcg", "rank"]).assign(task="all", customers=30)
    >>> windows_sentence(table, "a")
    'a had the highest nDCG of 2 models in 1 of 2 windows (0.300, 0.300; 30, 30 customers).'
    """
    table = over_folds[over_folds["task"] == task]
    own = table[table["model"] == model].sort_values("fold")
    numbers = ", ".join(f"{value:.3f}" for value in own["ndcg"])
    counts = ", ".join(f"{value:,.0f}" for value in own["customers"])
    return (
        f"{model} had the highest nDCG of {table['model'].nunique()} models in {(own['rank'] == 1).sum()} of {len(own)} windows "
        f"({numbers}; {counts} customers)."
    )


def metric_key(name: str) -> str:
    """A name as part of a key of `metrics.json`, another one for every other name.

    Letters, digits and hyphens stay, a blank becomes ``_``, and other signs are written as in addresses on the web.

    Examples
    --------
    >>> metric_key("personal frequency"), metric_key("SVD"), metric_key("SVD++")
    ('personal_frequency', 'SVD', 'SVD%2B%2B')
    """

    written = quote(name, safe="", errors="surrogatepass").replace("%20", " ")
    return written.translate({ord(sign): f"%{ord(sign):02X}" for sign in "._~"} | {ord(" "): "_"})


def test_sentences(needs: pd.DataFrame, lift: float, model: str, days: int, currency: str) -> list[str]:
    """What an online test of a model can detect in some days, and the customers that it needs, as two sentences.

    By the table of `online_test` for the lift.

    Examples
    --------
    >>> row = {"customers": 400, "needed": 6_284.0, "detectable": 0.2, "largest": 0.01}
    >>> outcomes = [{"outcome": "order rate", "mean": 0.5}, {"outcome": "revenue per customer", "mean": 8.0}]
    >>> said = test_sentences(pd.DataFrame([row | outcome for outcome in outcomes]), 0.05, "a", 28, "EUR")
    >>> print(" ".join(said))  # doctest: +NORMALIZE_WHITESPACE
    Whether lists of a raise sales is unknown: nobody saw them. A test of all 400 customers over 28 days has 80% power
    only from +20% in order rate or +20% in revenue per customer. An online test needs 6,284 customers to detect +5% in
    order rate and 6,284 in revenue per customer (80% power; now 50% and 8 EUR).
    """
    first = needs.iloc[0]
    buyers = round(first["mean"] * first["customers"]) if pd.notna(first["mean"]) else 0
    unknown = f"Whether lists of {model} raise sales is unknown: nobody saw them."
    if not enough(buyers):
        few = too_few(buyers, "customers who ordered in the window")
        return [f"{unknown} What an online test would need: {few}."]
    detected, needed, now = [], [], []
    for row in needs.to_dict("records"):
        flag = influence(row["largest"], "customer")
        if pd.notna(row["detectable"]):
            detected.append(f"{row['detectable']:+.0%} in {row['outcome']}")
        needed.append(f"{row['needed']:,.0f}" if pd.notna(row["needed"]) else "more than any number of")
        mean = f"{row['mean']:,.0f} {currency}" if row["outcome"] == REVENUE else percent(row["mean"])
        now.append(f"{mean}{f', {flag}' if flag else ''}")
    return [
        f"{unknown} A test of all {first['customers']:,} customers over {days} days has 80% power "
        f"{f'only from {found}' if (found := ' or '.join(detected)) else 'for no effect'}.",
        f"An online test needs {needed[0]} customers to detect {lift:+.0%} in order rate and {needed[1]} in revenue per customer "
        f"(80% power; now {' and '.join(now)}).",
    ]


def buyers_sentence(windows: Sequence[Split]) -> str:
    """The share of customers with a history who bought, in the test window and in those before, as a sentence.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 40, ["tea"]), ("bob", 40, ["tea"]), ("ann", 9, ["tea"]), ("ann", -1, ["tea"])])
    >>> buyers_sentence(split.folds(2))  # doctest: +NORMALIZE_WHITESPACE
    'Scores are conditional on a purchase: 1 of the 2 customers with a history bought from 2024-01-01 on (50%; in the
    windows before: 50%).'
    """
    shares = [f"{len(window.warm) / len(window.customers):.0%}" for window in windows]
    before = f"; in the windows before: {', '.join(shares[:-1])}" if len(shares) > 1 else ""
    test = windows[-1]
    return (
        f"Scores are conditional on a purchase: {len(test.warm):,} of the {len(test.customers):,} customers with a history "
        f"bought from {test.date:%Y-%m-%d} on ({shares[-1]}{before})."
    )


def today_sentence(today: Split, lists: pd.DataFrame) -> str:
    """What the lists that `recommend` makes of the `whole_log` contain, and which customers have none, as a sentence.

    Examples
    --------
    >>> from customerlab.analysis.recommend import recommend, split_of
    >>> from customerlab.analysis.recommend.models import PersonalFrequency
    >>> today = split_of([("ann", 9, ["tea"]), ("bob", 8, ["jam"])], [("bob", 7, ["jam"])])
    >>> print(today_sentence(today, recommend(today, PersonalFrequency().fit(today))))
    100% of the 1 recommendations of today are repeat purchases; they show 1 of 1 product. 1 customer returned \
everything and has no list.
    """
    row = today.customers.get_indexer(pd.Index(lists["customer_id"]))
    column = today.products.get_indexer(pd.Index(lists["product_id"]))
    owned = np.asarray(today.history[row, column]).ravel() > 0
    none = len(np.unique(today.log.customer[today.log.order])) - len(today.customers)
    customers = (
        "1 customer returned everything and has" if none == 1 else f"{none:,} customers returned everything and have"
    )
    return (
        f"{percent(owned.mean())} of the {len(lists):,} recommendations of today are repeat purchases; they show "
        f"{lists['product_id'].nunique():,} of {len(today.products):,} product{'s' if len(today.products) > 1 else ''}."
        f"{f' {customers} no list.' if none else ''}"
    )
