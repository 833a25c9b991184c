"""What may be said of models: which leads, how sure that is, which baseline means something, what lists found."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import numpy as np
import pandas as pd

from customerlab.analysis.inference import enough, influence, largest_share, too_few
from customerlab.analysis.recommend.evaluate import against
from customerlab.analysis.recommend.metrics import compare, intervals, paired, per_customer
from customerlab.analysis.recommend.rankings import Rankings
from customerlab.analysis.recommend.split import Split

HABIT, POPULAR = "personal frequency", "popularity"


def baseline(split: Split, task: str = "all") -> tuple[str, str]:
    """The model that others have to beat, and a sentence that says why.

    Personal frequency, unless it knows nothing: where fewer than `inference.LEAST` customers had ordered anything twice
    by the cut, or where only products are listed that the customer does not own. Then popularity.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> baseline(split_of([("ann", 9, ["tea"]), ("bob", 8, ["tea"])]))[0]
    'popularity'
    >>> baseline(split_of([(f"c{n}", days, ["tea"]) for n in range(20) for days in (9, 5)]))[0]
    'personal frequency'
    """
    again = int((split.history.max(axis=1).toarray() > 1).sum()) if split.history.nnz else 0
    if task == "explore":
        return POPULAR, "The baseline is popularity: of products that a customer never bought, habit says nothing."
    if not enough(again):
        return POPULAR, (
            f"The baseline is popularity: {again:,} of {len(split.customers):,} customers had ordered a product twice, so "
            "that personal frequency means nothing here."
        )
    return (
        HABIT,
        f"The baseline is personal frequency: {again:,} of {len(split.customers):,} customers reordered a product.",
    )


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

    Models with the same lists are one. Fewer than `inference.LEAST` customers with a hit on the lists of the best, or
    of the next, are too few to tell. `values` is what `found` returns, of one task, and `lists` are of the same models.

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
    row, customers = table.loc[best], int(table["customers"].iloc[0])
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
    ends = f"95% CI {row['low']:.3f} to {row['high']:.3f}; {people}"
    against_next = f"{names[other['model']]}, {table.loc[other['model'], 'mean']:.3f}"
    if other["difference"] == 0:
        return f"{said} ({ends}), as for {against_next}"
    gain = -other["difference"]
    sure = "statistically significantly more than" if other["p_holm"] < 0.05 else "not significantly more than"
    return (
        f"{said} ({ends}), {sure} for {against_next} (difference {gain:.3f}, 95% CI {-other['high']:.3f} to "
        f"{-other['low']:.3f}, adjusted for {len(pairs)} comparisons)"
    )


def hits(rankings: Rankings, models: Sequence[str], task: str = "all") -> pd.DataFrame:
    """What lists hit, in customers and in money, beside all that was spent.

    The same products for everybody (popularity) and habit (personal frequency) belong beside a model: without them a
    share of customers with a hit says nothing. One row a model: `model`, `customers` (who bought), `hits` (with a hit
    on their list), `hit_rate`, `spent_on_hits` and `spent` (a customer who bought, kept lines), `share` of the two, and
    `largest`: the share of the money on hits that is one customer's.
    """
    spent = np.asarray(rankings.split.spent[rankings.split.warm].sum(axis=1)).ravel()
    rows = []
    for model in models:
        found = per_customer(rankings.lists(model, task), ["hit_rate", "revenue"])
        hit, money = found["hit_rate"] > 0, found["revenue"]
        share = money.mean() / spent.mean() if spent.mean() > 0 else np.nan
        rows.append((model, len(hit), hit.sum(), hit.mean(), money.mean(), spent.mean(), share, largest_share(money)))
    columns = ["model", "customers", "hits", "hit_rate", "spent_on_hits", "spent", "share", "largest"]
    return pd.DataFrame(rows, columns=columns)


def hits_sentence(table: pd.DataFrame) -> str:
    """The first model of `hits` beside the others, as a sentence.

    Examples
    --------
    >>> row = {"customers": 40, "hits": 30, "hit_rate": 0.75, "spent_on_hits": 9.0, "spent": 50.0, "largest": 0.3}
    >>> table = pd.DataFrame([{"model": "a"} | row, {"model": "b"} | row])
    >>> print(hits_sentence(table))  # doctest: +NORMALIZE_WHITESPACE
    Customers with a hit on their list, of the 40 who bought: 75% with a, 75% with b. Spent on hits, of 50 a customer in
    all: 9 with a (30% of it is one customer), 9 with b (30% of it is one customer).
    """
    rates = ", ".join(f"{row.hit_rate:.0%} with {row.model}" for row in table.itertuples())
    flags = [influence(share, "customer") for share in table["largest"]]
    money = ", ".join(
        f"{row.spent_on_hits:,.0f} with {row.model}{f' ({flag})' if flag else ''}"
        for row, flag in zip(table.itertuples(), flags, strict=True)
    )
    first = table.iloc[0]
    return (
        f"Customers with a hit on their list, of the {first['customers']:,} who bought: {rates}. Spent on hits, of "
        f"{first['spent']:,.0f} a customer in all: {money}."
    )


def places(over_folds: pd.DataFrame, model: str, task: str = "all") -> str:
    """In how many windows a model has the highest nDCG, by the table of `over_folds`, as a sentence.

    Examples
    --------
    >>> rows = [(1, "a", 0.3, 1), (1, "b", 0.2, 2), (2, "a", 0.3, 2), (2, "b", 0.4, 1)]
    >>> table = pd.DataFrame(rows, columns=["fold", "model", "ndcg", "place"]).assign(task="all", customers=30)
    >>> places(table, "a")
    'Of the 2 models that were compared in 2 windows, a had the highest nDCG in 1 (0.300, 0.300; 30, 30 customers).'
    """
    table = over_folds[over_folds["task"] == task]
    own = table[table["model"] == model].sort_values("fold")
    numbers = ", ".join(f"{value:.3f}" for value in own["ndcg"])
    counts = ", ".join(f"{value:,.0f}" for value in own["customers"])
    return (
        f"Of the {table['model'].nunique()} models that were compared in {len(own)} windows, {model} had the highest nDCG in "
        f"{(own['place'] == 1).sum()} ({numbers}; {counts} customers)."
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


def gain_sentence(beside: pd.DataFrame, best: str, baseline: str) -> str:
    """Whether the model of the lists beats the baseline of `against`, by how much and how sure, and how many do worse.

    Examples
    --------
    >>> row = {"model": "a", "difference": 0.03, "low": 0.01, "high": 0.05, "p_holm": 0.002}
    >>> print(gain_sentence(pd.DataFrame([row]), "a", "b"))  # doctest: +NORMALIZE_WHITESPACE
    a beats b by 0.030 nDCG (95% CI 0.010 to 0.050, paired, adjusted for 1 comparison): statistically significant
    (Holm-adjusted). 0 of the 1 models compared with b are significantly worse.
    """
    worse = int(((beside["p_holm"] < 0.05) & (beside["difference"] < 0)).sum())
    tail = f" {worse} of the {len(beside)} models compared with {baseline} are significantly worse."
    tries = f"adjusted for {len(beside)} comparison{'s' if len(beside) > 1 else ''}"
    if best == baseline:
        return f"No model is statistically significantly better than {baseline} (Holm, {tries}).{tail}"
    row = beside.set_index("model").loc[best]
    return (
        f"{best} beats {baseline} by {row['difference']:.3f} nDCG (95% CI {row['low']:.3f} to {row['high']:.3f}, paired, "
        f"{tries}): statistically significant (Holm-adjusted).{tail}"
    )


def test_sentence(needs: pd.DataFrame, lift: float) -> str:
    """What an online test would need, by the table of `online_test` for the lift, as a sentence.

    Examples
    --------
    >>> row = {"customers": 400, "needed": 6_284.0, "detectable": 0.2, "largest": 0.01}
    >>> outcomes = [{"outcome": "the share who order", "mean": 0.5}, {"outcome": "money a customer", "mean": 8.0}]
    >>> table = pd.DataFrame([row | outcome for outcome in outcomes])
    >>> print(test_sentence(table, 0.05))  # doctest: +NORMALIZE_WHITESPACE
    Whether lists sell more, only an online test shows, in orders or money and not in nDCG: to find +5% with 80% power
    it would need 6,284 customers for the share who order (50% now) and 6,284 customers for money a customer (8 now).
    There are 400, who would find +20% and +20%.
    """
    first = needs.iloc[0]
    buyers = round(first["mean"] * first["customers"]) if pd.notna(first["mean"]) else 0
    if not enough(buyers):
        return f"What an online test of the lists would need: {too_few(buyers, 'customers who ordered in the window')}."
    parts, found = [], []
    for row in needs.to_dict("records"):
        flag = influence(row["largest"], "customer")
        needed = f"{row['needed']:,.0f}" if pd.notna(row["needed"]) else "more than any number of"
        now = f"{row['mean']:,.0f}" if row["outcome"].startswith("money") else f"{row['mean']:.0%}"
        parts.append(f"{needed} customers for {row['outcome']} ({now} now{f'; {flag}' if flag else ''})")
        found.append(f"{row['detectable']:+.0%}" if pd.notna(row["detectable"]) else "nothing")
    return (
        "Whether lists sell more, only an online test shows, in orders or money and not in nDCG: to find "
        f"{lift:+.0%} with 80% power it would need {' and '.join(parts)}. There are {first['customers']:,}, who would find "
        f"{' and '.join(found)}."
    )


def season(windows: Sequence[Split]) -> str:
    """How the test window compares with those before, in the share of customers who bought, as a sentence.

    Examples
    --------
    >>> from customerlab.analysis.recommend.split import split_of
    >>> split = split_of([("ann", 40, ["tea"]), ("bob", 40, ["tea"]), ("ann", 9, ["tea"]), ("ann", -1, ["tea"])])
    >>> season(split.folds(2))
    'From 2024-01-01 on 50% of the customers with a history bought, in the window before 50%.'
    """
    shares = [f"{len(window.warm) / len(window.customers):.0%}" for window in windows]
    windows_before = "windows" if len(shares) > 2 else "window"
    before = f", in the {windows_before} before {', '.join(shares[:-1])}" if len(shares) > 1 else ""
    return f"From {windows[-1].cut:%Y-%m-%d} on {shares[-1]} of the customers with a history bought{before}."


def today_sentence(today: Split, lists: pd.DataFrame) -> str:
    """What the lists that `recommend` makes of the `whole_log` show, and who has none, as a sentence.

    Examples
    --------
    >>> from customerlab.analysis.recommend import recommend, split_of
    >>> from customerlab.analysis.recommend.models import PersonalFrequency
    >>> today = split_of([("ann", 9, ["tea"]), ("bob", 8, ["jam"])], [("bob", 7, ["jam"])])
    >>> lists = recommend(today, PersonalFrequency().fit(today))
    >>> print(today_sentence(today, lists))  # doctest: +NORMALIZE_WHITESPACE
    Of the 1 recommendations of today 100% are products that the customer had bought before; together they show 1 of 1
    product. 1 customer who sent everything back has no list.
    """
    row = today.customers.get_indexer(pd.Index(lists["customer_id"]))
    column = today.products.get_indexer(pd.Index(lists["product_id"]))
    owned = np.asarray(today.history[row, column]).ravel() > 0
    none = len(np.unique(today.log.customer[today.log.order])) - len(today.customers)
    who = (
        "1 customer who sent everything back has" if none == 1 else f"{none:,} customers who sent everything back have"
    )
    without = f" {who} no list." if none else ""
    return (
        f"Of the {len(lists):,} recommendations of today {owned.mean():.0%} are products that the customer had bought before; "
        f"together they show {lists['product_id'].nunique():,} of {len(today.products):,} "
        f"product{'s' if len(today.products) > 1 else ''}.{without}"
    )
