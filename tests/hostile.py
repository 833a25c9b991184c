"""A shop in whose every text there is something that Markdown, HTML, formulas, terminals or spreadsheets would read."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

RUN = 'document.documentElement.dataset.ran="1"'
# What a name begins with; `named` makes as many different ones of each as are needed.
NAMES = [
    f"<img src=x onerror='{RUN}'>",
    f"<script>{RUN}</script>",
    "[x](javascript:alert(1))",
    "**bold** _em_ ~~del~~",
    "$x^2$ \\(y\\) \\begin{a}z\\end{a}",
    "`code` ``` |cell| # 1. - >",
    "\x1b[31mred\x1b[0m",
    "\u202eright\u200b\u2066to left",
    "</td></table></section><h1>out</h1>",
    "http://a.example www.a.example a@b.example",
    "=HYPERLINK(1)",
    "北京 📦 سلام",
    "long " + "x" * 5000,
    "\"quoted\", 'single' & &lt;entity&gt;",
    "two\nlines\n\n# three",
]
PLAIN = ["plain"]
NEWS = "<b>news</b>"  # an attribute; its name has at most 60 signs


def named(number: int, kind: str, names: list[str] = NAMES) -> str:
    """A name of a kind, different for every number."""
    return f"{names[number % len(names)]} {kind}{number}"


def write(project: Path, name: str = "hostile", *, names: list[str] = NAMES, customers: int = 400) -> None:
    """Write the data, the catalogue's entry and the params file of such a shop into a project.

    Parameters
    ----------
    project : Path
    name : str
        The run's and the entry's.
    names : list of str
        What its texts are made of; `PLAIN` makes the same shop with harmless ones.
    customers : int
    """
    rng = np.random.default_rng(5)
    folder = project / "data" / "raw" / name
    folder.mkdir(parents=True)
    who = [named(n, "c", names) for n in range(customers)]
    what = [named(n, "p", names) for n in range(40)]
    _log(rng, who, what, names).to_parquet(folder / "lines.parquet")
    pd.DataFrame(
        {
            "product": what,
            "about": [named(n, "d", names) for n in range(len(what))],
            "kind": [named(n % 17, "k", names) for n in range(len(what))],
        }
    ).to_parquet(folder / "products.parquet")
    rated = pd.DataFrame({"customer": rng.choice(who[:150], 2500), "product": rng.choice(what, 2500)})
    rated["stars"] = rng.integers(1, 6, len(rated)).astype(float)
    rated["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300 * 24, len(rated)), unit="h")
    rated.drop_duplicates(["customer", "product"]).to_parquet(folder / "ratings.parquet")
    test = _test(rng, names)
    test.to_parquet(folder / "test.parquet")
    news = np.where(np.arange(len(who)) % 3 < 2, "yes", "no")
    pd.DataFrame({"customer": who, "news": news}).to_parquet(folder / "people.parquet")
    _messages(np.random.default_rng(6), who, names).to_parquet(folder / "messages.parquet")
    _decisions(np.random.default_rng(8), who, names).to_parquet(folder / "decisions.parquet")
    campaigns = {"id": [named(n, "m", names) for n in range(6)], "about": [named(n, "title", names) for n in range(6)]}
    pd.DataFrame(campaigns | {"offer": [named(n % 2, "offer", names) for n in range(6)]}).to_parquet(
        folder / "sent.parquet"
    )
    entry = _entry(name, names, [column for column in test if column not in ("unit", "arm", "at")])
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write("\n" + yaml.safe_dump({name: entry}, sort_keys=False))
    params = {
        "run": name,
        "control": named(0, "arm", names),
        "segments": [
            f"{_short(named(n, 's', names))}: {low}-{high}, 1-5" for n, (low, high) in enumerate([(1, 2), (3, 3), (4, 5)])
        ],
        "cluster_names": [_short(named(n, "g", names)) for n in range(2)],
        "segmentation": "K-Means 2",
        "primary": named(0, "outcome", names),
        "money_outcome": named(1, "outcome", names),
        "guardrails": [f"{named(2, 'outcome', names)}: 0.1"],
        "arm_costs": [f"{named(1, 'arm', names)}: 0.1"],
        "less_is_better": [named(2, "outcome", names)],
        "consent": [f"{_short(named(n, 'by', names))}: {NEWS}" for n in range(2)],
        "contact_costs": [f"{_short(named(n, 'by', names))}: 0.1" for n in range(2)],
        "campaign_name": named(0, "campaign", names), "quiet_days": 0,
        "simulations": 100, "resamples": 5, "trials": 1, "max_clusters": 3, "folds": 2, "holdout_days": 60,
    }  # fmt: skip
    (project / "params" / f"{name}.yml").write_text(yaml.safe_dump(params), encoding="utf-8")


def _short(name: str) -> str:
    return name.replace(":", ";")


def _log(rng: np.random.Generator, who: list[str], what: list[str], names: list[str]) -> pd.DataFrame:
    number = 3 * len(who)
    each = rng.integers(0, len(who), number)
    orders = pd.DataFrame({"customer": [who[n] for n in each], "order": [named(n, "o", names) for n in range(number)]})
    orders["at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365 * 1440, number), unit="min")
    orders["country"] = [named(n % 17, "land", names) for n in each]
    orders["channel"] = [named(n % 16, "way", names) for n in each]
    lines = orders.loc[orders.index.repeat(rng.integers(1, 4, number))].reset_index(drop=True)
    lines["product"] = [what[n] for n in rng.integers(0, len(what), len(lines)) ** 2 // len(what)]
    lines["pieces"] = rng.integers(1, 5, len(lines)).astype(float)
    lines["price"] = (rng.integers(100, 900, len(lines)) / 100).astype(float)
    back = lines.sample(60, random_state=3).assign(pieces=lambda t: -t["pieces"])
    back["at"] += pd.Timedelta(days=2)
    return pd.concat([lines, back], ignore_index=True)


def _test(rng: np.random.Generator, names: list[str]) -> pd.DataFrame:
    number = 1800
    arm = np.arange(number) % 3
    test = pd.DataFrame({"unit": [named(n, "u", names) for n in range(number)]})
    test["arm"] = [named(n, "arm", names) for n in arm]
    test["at"] = pd.Timestamp("2024-06-01") + pd.to_timedelta(rng.integers(0, 20 * 1440, number), unit="min")
    for n, chance in enumerate((0.2, 0.3, 0.4)):
        hit = (rng.random(number) < chance + 0.15 * (arm == 1)).astype(float)
        test[named(n, "outcome", names)] = hit * rng.gamma(2, 9, number) if n == 1 else hit
    groups = rng.integers(0, 6, number)
    test[named(0, "covariate", names)] = [named(n, "v", names) for n in groups]
    test[named(1, "covariate", names)] = rng.gamma(2, 9, number)
    return test


def _messages(rng: np.random.Generator, who: list[str], names: list[str]) -> pd.DataFrame:
    number = 6 * len(who)
    rows = pd.DataFrame(
        {"customer": np.tile(who, 6), "campaign": [named(n // len(who), "m", names) for n in range(number)]}
    )
    rows["by"] = [named(n, "by", names) for n in rng.integers(0, 2, number)]
    rows["at"] = pd.Timestamp("2024-03-05 09:00") + pd.to_timedelta(np.arange(number) // len(who) * 40, unit="D")
    rows["away"] = (rng.random(number) < 0.3).astype(float)
    hit = (rng.random(number) < 0.3) & (rows["away"] == 0)
    rows["seen"] = (rows["at"] + pd.to_timedelta(rng.integers(60, 40_000, number), unit="s")).where(hit)
    return rows


def _decisions(rng: np.random.Generator, who: list[str], names: list[str]) -> pd.DataFrame:
    number = 3000
    action = rng.integers(0, 3, number)
    rows = pd.DataFrame({"customer": rng.choice(who, number), "action": [named(n, "act", names) for n in action]})
    rows["at"] = pd.Timestamp("2024-06-01") + pd.to_timedelta(np.sort(rng.integers(0, 60 * 86400, number)), unit="s")
    rows["place"] = [named(n, "place", names) for n in rng.integers(0, 2, number)]
    rows["by"] = [named(n, "policy", names) for n in np.arange(number) // 1500]
    rows[named(0, "context", names)] = [named(n, "x", names) for n in rng.integers(0, 3, number)]
    rows[named(1, "context", names)] = rng.gamma(2, 9, number)
    better = (action == 1) & (rows[named(1, "context", names)] > 15)
    rows["click"] = (rng.random(number) < 0.1 + 0.2 * better).astype(float)
    return rows.assign(p=1 / 3)


def _entry(name: str, names: list[str], columns: list[str]) -> dict:
    def texts(*kinds: str) -> dict:
        return {kind: named(n, kind, names) for n, kind in enumerate(kinds)}

    files = {
        one: {"path": f"{name}/{one}.parquet"}
        for one in ("lines", "products", "ratings", "test", "people", "messages", "sent", "decisions")
    }
    log = {"customer_id": "customer", "order_id": "order", "ordered_at": "at", "product_id": "product"}
    log |= {"quantity": "pieces", "unit_price": "price", "country": "country", "channel": "channel"}
    return {
        **texts("title", "licence", "citation", "shop"),
        "files": files,
        "tables": {
            "transactions": {"file": "lines", "columns": log, "clean": ["quantity_not_positive"]},
            "products": {
                "file": "products", "columns": {"product_id": "product", "description": "about", "category": "kind"},
            },
            "ratings": {
                "file": "ratings",
                "columns": {"customer_id": "customer", "product_id": "product", "rating": "stars", "rated_at": "at"},
            },
            "customers": {
                "file": "people", "columns": {"customer_id": "customer"},
                "attributes": {NEWS: {"column": "news", "kind": "yes_no"}},
            },
            "messages": {
                "file": "messages",
                "columns": {
                    "customer_id": "customer", "campaign_id": "campaign", "channel": "by", "sent_at": "at", "held_out": "away",
                    "clicked_at": "seen",
                },
            },
            "decisions": {
                "file": "decisions",
                "columns": {
                    "decided_at": "at", "action": "action", "reward": "click", "propensity": "p", "policy": "by",
                    "customer_id": "customer", "position": "place",
                },
                "contexts": [named(n, "context", names) for n in range(2)],
            },
            "campaigns": {"file": "sent", "columns": {"campaign_id": "id", "name": "about", "offer": "offer"}},
            "experiment": {
                "file": "test", "columns": {"unit_id": "unit", "variant": "arm", "exposed_at": "at"},
                "outcomes": [one for one in columns if "outcome" in one.split()[-1]],
                "covariates": [one for one in columns if "covariate" in one.split()[-1]],
            },
        },
    }  # fmt: skip


class Shown(HTMLParser):
    """The elements of a text, and what a reader sees."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.seen = [], ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, attrs))

    def handle_data(self, data):
        self.seen += data
