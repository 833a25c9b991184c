"""Every method that takes a table gives the same on DuckDB and Spark, for any order of rows and any split of files.

`METHODS` lists them; a test fails for a public function that takes an Ibis table and is not in it.
"""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from ibis.expr.types.core import Expr
from scipy.sparse import csr_matrix

from customerlab import analysis
from customerlab.analysis import (
    bandit,
    campaign,
    clustering,
    experiment,
    explore,
    increments,
    monitoring,
    orders,
    profile,
    recommend,
    rfm,
    sales,
    value,
)
from customerlab.analysis.clustering.features import FEATURES
from customerlab.analysis.clustering.scoring import Segmentation
from customerlab.analysis.experiment import stats as stats_of
from customerlab.analysis.experiment.compare import measured
from customerlab.analysis.experiment.customers import groups_on
from customerlab.analysis.experiment.measured import kept
from customerlab.analysis.experiment.soundness import exposed_early, missing_by_arm
from customerlab.analysis.explore import returning
from customerlab.analysis.explore.distributions import with_returned
from customerlab.analysis.explore.products import described
from customerlab.analysis.explore.trading import products_of
from customerlab.analysis.monitoring import activity, challenge, changes
from customerlab.analysis.value import churn
from customerlab.analysis.value.history import by_period, summary
from customerlab.analysis.value.model import fit_value
from customerlab.analysis.value.windows import edges_of, follow
from customerlab.data.catalog import find_data_set
from customerlab.data.engine import open_table
from customerlab.data.fetch import locate
from customerlab.data.prepare import prepare
from helpers import ROOT

ENDS = ("first_order", "last_order")


def later_than(day: str, days: int = 60) -> pd.Timestamp:
    """So many days after a day."""
    return pd.Timestamp(day) + pd.Timedelta(days=days)


def earlier_than(day: str, days: int = 60) -> pd.Timestamp:
    """So many days before a day."""
    return pd.Timestamp(day) - pd.Timedelta(days=days)


def by_id(table: pd.DataFrame) -> pd.DataFrame:
    """Rows in an order of their own, where an expression promises none."""
    return table.sort_values(list(table.columns), ignore_index=True)


def snapshot(shop: SimpleNamespace, day: Any) -> orders.Snapshot:
    """A shop as it was known on a day."""
    return orders.Snapshot(shop.transactions, pd.Timestamp(day), shop.returns, shop.products)


def since_middle(shop: SimpleNamespace) -> list[ir.Table]:
    """The rows of a shop from its middle day on: lines and returns."""
    return [orders.since(table, pd.Timestamp(shop.middle)) for table in (shop.transactions, shop.returns)]


def summed(shop: SimpleNamespace) -> ir.Table:
    """The customers of a shop as a summary has them."""
    t = orders.by_customer(shop.transactions)
    return t.select(
        "customer_id",
        last_order_at=t.last_order,
        first_order_at=t.first_order,
        orders=t.frequency.cast("float64"),
        revenue=t.monetary,
    )


def features_of(shop: SimpleNamespace) -> list[str]:
    """All features that a shop has the columns for."""
    categorised = "category" in shop.products.columns
    return [name for name in FEATURES if categorised or not name.startswith("categor")]


def two_clusters(shop: SimpleNamespace) -> Segmentation:
    """Customers of a shop's middle day, cut in two at the middle of their points."""
    customers = clustering.customer_features(
        snapshot(shop, shop.middle), names=["recency", "monetary", "breadth"], net=True
    )
    space = clustering.fit_space(customers, ["recency", "monetary", "breadth"])
    points = space.points(customers)
    model = clustering.models.Nearest(np.quantile(points, [0.25, 0.75], axis=0), np.array([0, 1]))
    return clustering.segmentation("halves", space, model, customers, model.predict(points) + 1, net=True)


def arm_of(s: SimpleNamespace) -> str:
    """The first arm that is not the control."""
    arms = s.experiment.filter(s.experiment.variant != s.control).select("variant").distinct().to_pandas()["variant"]
    return str(min(arms))


def in_days(shop: SimpleNamespace) -> ir.Table:
    """The test of a shop with units of two visits each, and a time for each where the test has none."""
    table = shop.experiment.mutate(assigned_id=shop.experiment.unit_id.substr(0, 8))
    return table if "exposed_at" in table.columns else table.mutate(exposed_at=ibis.timestamp("2024-01-01"))


def crossed(shop: SimpleNamespace) -> ir.Table:
    """The test of a shop with a few units in two arms."""
    table = shop.experiment
    first = table.filter(table.unit_id.isin(table.order_by("unit_id").limit(9).to_pandas()["unit_id"].tolist()))
    return table.union(first.mutate(variant=ibis.literal(shop.control))).distinct()


def log_of_messages(s: SimpleNamespace) -> pd.DataFrame:
    """Each customer is sent a message with the first order and one with the last, in campaigns of the month."""
    t = orders.by_customer(s.transactions)
    sent = [t.select("customer_id", sent_at=t[name], held_out=(t.frequency == 1).cast("float64")) for name in ENDS]
    sent = sent[0].union(sent[1])
    named = sent.mutate(campaign_id=sent.sent_at.strftime("%Y-%m"), channel=sent.customer_id.right(1))
    last = orders.day_after(s.transactions)
    return campaign.message_log(named, None, s.transactions, day=last, window_days=30, returns=s.returns)


# Each: tables of one engine in, what the method makes of them out.
def known_before(s):
    """The covariates of the test."""
    return experiment.Measured(s.experiment).columns("covariate_")


def log_of_decisions(s: SimpleNamespace) -> pd.DataFrame:
    """Each line of an order is a decision, with a label and a number as contexts."""
    t = s.transactions
    shown = t.select(
        "customer_id", decided_at=t.ordered_at, action=t.customer_id.right(1), reward=t.quantity,
        context_pieces=t.quantity, context_label=t.order_id.right(1), position=t.order_id.right(1),
    )  # fmt: skip
    log = bandit.decision_log(shown)
    return log.rows.join(log.contexts.add_prefix("context: "))


METHODS: dict[str, Callable[[SimpleNamespace], Any]] = {
    "sales.annulled": lambda s: by_id(orders.fetched(sales.annulled(s.transactions, s.returns))),
    "sales.marked": lambda s: by_id(orders.fetched(sales.marked(s.transactions, s.returns))),
    "sales.kept": lambda s: explore.totals(sales.kept(s.transactions, s.returns)),
    "sales.net": lambda s: explore.by_month(sales.net(s.transactions, s.returns)),
    "sales.accounting": lambda s: [
        sales.accounting(s.transactions, s.returns),
        sales.accounting(s.transactions.drop("product_id"), s.returns.drop("product_id")),
    ],
    "explore.span_of": lambda s: explore.trading.span_of(s.transactions),
    "explore.totals": lambda s: explore.totals(s.transactions),
    "orders.matching": lambda s: explore.totals(orders.matching(s.transactions, r"^P?\d+[02468]")),
    "explore.repeats": lambda s: explore.repeats(s.transactions.select("product_id", "quantity", "amount")),
    "explore.largest_share": lambda s: [
        explore.largest_share(sales.net(s.transactions, s.returns), "customer_id", by) for by in (None, "product_id")
    ],
    "explore.by_month": lambda s: explore.by_month(s.transactions, s.returns),
    "explore.by_weekday": lambda s: explore.by_weekday(s.transactions),
    "explore.by_weekday_hour": lambda s: explore.by_weekday_hour(s.transactions),
    "explore.active_months": lambda s: returning.active_months(s.transactions),
    "explore.new_and_returning": lambda s: explore.new_and_returning(s.transactions),
    "explore.cohorts": lambda s: explore.cohorts(s.transactions),
    "explore.baskets": lambda s: explore.baskets(s.transactions),
    "explore.customers": lambda s: explore.customers(s.transactions, s.returns),
    "explore.with_returned": lambda s: with_returned(s.transactions.select("customer_id").distinct(), s.returns),
    "explore.spread": lambda s: explore.spread(explore.baskets(s.transactions), ["value", "products", "pieces"]),
    "explore.log_histogram": lambda s: explore.distributions.log_histogram(explore.baskets(s.transactions), "value"),
    "explore.whole_histogram": lambda s: explore.whole_histogram(explore.baskets(s.transactions), "products"),
    "explore.distribution": lambda s: explore.distribution(
        explore.customers(s.transactions), "orders", "o", whole=True
    ),
    "explore.top_decile": lambda s: explore.top_decile(s.transactions, s.returns),
    "explore.top_products": lambda s: explore.top_products(s.transactions, s.products, 50, returns=s.returns),
    "explore.described": lambda s: described(explore.long_tail(s.transactions)["product_id"].head(9), s.products),
    "explore.by_product": lambda s: explore.products.by_product(s.transactions, s.returns),
    "explore.long_tail": lambda s: explore.long_tail(s.transactions, s.returns),
    "explore.together": lambda s: explore.together(s.transactions),
    "explore.by_part": lambda s: explore.by_part(s.transactions, "country", returns=s.returns),
    "explore.by_category": lambda s: explore.by_category(s.transactions, s.products, returns=s.returns),
    "explore.returns_by_month": lambda s: explore.returns_by_month(s.transactions, s.returns),
    "explore.most_returned": lambda s: explore.most_returned(s.transactions, s.returns, s.products),
    "explore.returns_summary": lambda s: explore.returns_summary(s.transactions, s.returns),
    "orders.day_after": lambda s: orders.day_after(s.transactions),
    "orders.first_order": lambda s: orders.first_order(s.transactions),
    "orders.known": lambda s: [
        orders.known(s.middle, s.transactions, returns=s.returns).customers(net=True),
        orders.known("", None, summed(s)).customers(),
    ],
    "orders.before": lambda s: explore.totals(orders.before(s.transactions, pd.Timestamp(s.middle))),
    "orders.since": lambda s: explore.totals(orders.since(s.transactions, pd.Timestamp(s.middle))),
    "orders.by_customer_and_day": lambda s: by_id(
        orders.fetched(orders.by_customer_and_day(s.transactions, [pd.Timestamp(s.middle), later_than(s.middle)]))
    ),
    "increments.begin": lambda s: increments.features(increments.begin(snapshot(s, s.middle)), s.middle),
    "increments.added": lambda s: by_id(
        orders.fetched(increments.added(increments.begin(snapshot(s, s.middle)), *since_middle(s)).customers)
    ),
    "increments.advanced": lambda s: increments.features(
        increments.advanced(increments.begin(snapshot(s, s.middle)), *since_middle(s)),
        orders.day_after(s.transactions) + pd.Timedelta(days=999),
    ),
    "monitoring.by_month": lambda s: monitoring.by_month(snapshot(s, s.middle)),
    "monitoring.period": lambda s: activity.period(
        snapshot(s, s.middle), earlier_than(s.middle), pd.Timestamp(s.middle)
    ),
    "monitoring.turnover": lambda s: monitoring.turnover(
        snapshot(s, s.middle), earlier_than(s.middle, 120), earlier_than(s.middle)
    ),
    "monitoring.match": lambda s: monitoring.match(snapshot(s, s.middle), earlier_than(s.middle, 120), 60).after,
    "monitoring.season_of": lambda s: (
        monitoring.season_of(snapshot(s, later_than(s.middle, 270)), later_than(s.middle, 225), 30).after
    ),
    "monitoring.a_year_before": lambda s: changes.a_year_before(snapshot(s, later_than(s.middle, 270)), 30).customers(),
    "monitoring.clustered": lambda s: challenge.clustered(snapshot(s, s.middle), 3, 7, features=challenge.FEATURES),
    "monitoring.evolve": lambda s: (
        monitoring.evolve(
            snapshot(s, s.middle), [earlier_than(s.middle), pd.Timestamp(s.middle)], clusters=3, seed=7
        ).events
    ),
    "monitoring.thresholds": lambda s: monitoring.thresholds(snapshot(s, s.middle), rfm.Scheme()),
    "orders.by_customer": lambda s: orders.by_customer(s.transactions),
    "orders.fetched": lambda s: by_id(orders.fetched(s.transactions.filter(s.transactions.ordered_at < s.middle))),
    "rfm.features": lambda s: [
        rfm.features(s.transactions, returns=s.returns, net=True),
        rfm.features(s.transactions, s.middle, returns=s.returns),
    ],
    "rfm.revenue_of": lambda s: rfm.revenue_of(s.transactions, "product_id"),
    "orders.later": lambda s: orders.later(
        s.transactions,
        rfm.features(s.transactions, s.middle)["customer_id"],
        pd.Timestamp(s.middle),
        later_than(s.middle),
        returns=s.returns,
    ),
    "rfm.hold_out": lambda s: rfm.hold_out(snapshot(s, later_than(s.middle)), rfm.Scheme(net=True), days=60, seed=1),
    "rfm.followed": lambda s: rfm.holdout.followed(snapshot(s, later_than(s.middle)), rfm.Scheme(), days=90),
    "rfm.waits": lambda s: rfm.waits(s.transactions, pd.Timestamp(s.middle)),
    "rfm.snapshots": lambda s: rfm.snapshots(
        snapshot(s, s.middle), rfm.Scheme(net=True), [pd.Timestamp(s.middle), later_than(s.middle)]
    ),
    "rfm.sensitivity": lambda s: rfm.sensitivity(
        snapshot(s, later_than(s.middle)), rfm.Scheme(net=True), earlier=[7], bins=[3]
    ),
    "clustering.customer_features": lambda s: [
        clustering.customer_features(snapshot(s, day), names=features_of(s), net=net)
        for day, net in ((orders.day_after(s.transactions), False), (s.middle, True))
    ],
    "clustering.clusters_on": lambda s: clustering.clusters_on(two_clusters(s), snapshot(s, later_than(s.middle))),
    "clustering.purchases": lambda s: [
        clustering.purchases(dataclasses.replace(one, products=products), clustering.clusters_on(two_clusters(s), one))
        for one in [snapshot(s, later_than(s.middle))]
        for products in (s.products, None)
    ],
    "clustering.look_back": lambda s: clustering.look_back(
        snapshot(s, orders.day_after(s.transactions)), 60, two_clusters(s).space, rfm.Scheme(), net=True
    ),
    "recommend.split_by_time": lambda s: recommend.split_by_time(s.transactions, 28, pattern=r"^P?\d+[02468]"),
    "recommend.whole_log": lambda s: recommend.whole_log(s.transactions, returns=s.returns),
    "recommend.log_of": lambda s: recommend.log.log_of(s.transactions, s.returns, later_than(s.middle)),
    "recommend.returned_in_full": lambda s: recommend.returned_in_full(
        s.transactions.select("customer_id", "product_id").distinct().to_pandas(), s.transactions, s.returns
    ),
    "value.by_period": lambda s: by_id(orders.fetched(by_period(s.transactions, pd.Timestamp(s.middle), "week"))),
    "value.summary": lambda s: [
        summary(s.transactions, pd.Timestamp(s.middle), unit, s.returns) for unit in ("day", "week", "month")
    ],
    "value.fit_value": lambda s: fit_value(snapshot(s, s.middle), horizon=8, draws=20),
    "value.edges_of": lambda s: edges_of(snapshot(s, later_than(s.middle)), 8, "week"),
    "bandit.decision_log": log_of_decisions,
    "campaign.message_log": log_of_messages,
    "campaign.placed": lambda s: campaign.placed(snapshot(s, later_than(s.middle))),
    "campaign.frequent_lines": lambda s: campaign.frequent_lines(snapshot(s, later_than(s.middle))),
    "campaign.category_lines": lambda s: campaign.category_lines(snapshot(s, later_than(s.middle))),
    "campaign.prices": lambda s: campaign.prices(snapshot(s, later_than(s.middle)), 0.3),
    "campaign.product_names": lambda s: campaign.product_names(snapshot(s, later_than(s.middle))),
    "profile.before_and_after": lambda s: profile.before_and_after(snapshot(s, later_than(s.middle)), 60),
    "profile.first_orders": lambda s: profile.first_orders(snapshot(s, later_than(s.middle))),
    "profile.last_orders": lambda s: profile.last_orders(snapshot(s, later_than(s.middle))),
    "profile.bought": lambda s: profile.bought(snapshot(s, later_than(s.middle))),
    "value.follow": lambda s: follow(snapshot(s, later_than(s.middle)), 8, "week"),
    "value.validate": lambda s: value.validate(snapshot(s, later_than(s.middle)), "BG/NBD", horizon=8, seed=1),
    "value.windows": lambda s: churn.windows(snapshot(s, later_than(s.middle)), 60),
    "value.predict_churn": lambda s: value.predict_churn(snapshot(s, later_than(s.middle)), 60, seed=1),
    "value.contract_ends": lambda s: value.contract_ends(
        s.transactions.group_by("customer_id").aggregate(contract_ended_at=lambda t: t.ordered_at.max())
    ),
    "value.cohort_waits": lambda s: value.cohort_waits(snapshot(s, s.middle)),
    "value.segment_waits": lambda s: value.segment_waits(snapshot(s, s.middle), rfm.Scheme()),
    "value.groups_of": lambda s: value.groups_of(snapshot(s, s.middle), rfm.Scheme()),
    "value.recent_revenue": lambda s: value.recent_revenue(snapshot(s, s.middle), 8, "week"),
    "experiment.groups_on": lambda s: groups_on(snapshot(s, s.middle), rfm.Scheme(), None),
    "explore.products_of": lambda s: s.transactions.aggregate(**products_of(s.transactions)).to_pandas(),
    "experiment.kept": lambda s: (
        kept(s.experiment)
        .group_by("variant")
        .aggregate(units=lambda t: t.count(), visits=lambda t: t.outcome_visit.sum())
    ),
    "experiment.sample_ratio": lambda s: experiment.sample_ratio(s.experiment, s.control),
    "experiment.sample_ratio_by": lambda s: [
        experiment.split.sample_ratio_by(s.experiment, covariate, s.control) for covariate in known_before(s)[:1]
    ],
    "experiment.sample_ratio_over_time": lambda s: experiment.split.sample_ratio_over_time(in_days(s), s.control),
    "experiment.balance": lambda s: experiment.balance.balance(s.experiment, s.control),
    "experiment.missing_by_arm": lambda s: missing_by_arm(s.experiment),
    "experiment.exposed_early": lambda s: exposed_early(
        # the mails of the published test have no time; a column of the engine's own stands in
        s.experiment
        if "exposed_at" in s.experiment.columns
        else s.experiment.mutate(exposed_at=ibis.timestamp("2024-01-01")),
        pd.Timestamp("2024-10-08"),
    ),
    "experiment.soundness": lambda s: experiment.soundness(s.experiment, s.control, segments=known_before(s)[:1]),
    "experiment.number_of": lambda s: s.experiment.aggregate(
        total=stats_of.number_of(s.experiment, "outcome_visit").sum()
    ),
    "experiment.moments": lambda s: experiment.moments(s.experiment, ["outcome_visit", "outcome_spend"]),
    "experiment.moments_by": lambda s: experiment.Measured(s.experiment).moments_by(
        known_before(s)[:2], ["outcome_visit", "outcome_spend"]
    ),
    "experiment.measured": lambda s: measured(s.experiment, experiment.metrics_of(s.experiment)),
    "experiment.totals": lambda s: experiment.compare.totals(s.experiment, experiment.metrics_of(s.experiment)),
    "experiment.united": lambda s: stats_of.united([s.experiment.select("unit_id"), s.experiment.select("unit_id")]),
    "experiment.first_day": lambda s: experiment.first_day(in_days(s)),
    "experiment.by_assigned": lambda s: experiment.units.by_assigned(in_days(s)),
    "experiment.in_one_arm": lambda s: experiment.units.in_one_arm(crossed(s)),
    "experiment.kind_of_rows": lambda s: [
        experiment.kind_of_rows(one) for one in (s.experiment, in_days(s), s.experiment.union(crossed(s)))
    ],
    "experiment.took_part": lambda s: [experiment.took_part(one, s.control) for one in (crossed(s), in_days(s))],
    "experiment.rows_by_arm": lambda s: experiment.participants.rows_by_arm(
        experiment.units.by_assigned(in_days(s)), s.control
    ),
    "experiment.per_assigned_and_row": lambda s: experiment.participants.per_assigned_and_row(
        experiment.units.by_assigned(in_days(s)), s.control
    ),
    "experiment.by_day": lambda s: experiment.sequential.by_day(in_days(s), ["outcome_spend"]),
    "experiment.with_customer_groups": lambda s: [
        table.to_pandas().sort_values("unit_id", ignore_index=True) if isinstance(table, ir.Table) else table
        for table in experiment.with_customer_groups(
            s.experiment,
            later_than(s.middle),
            s.transactions,
            scheme=rfm.Scheme(),
            segmentation=two_clusters(s),
            returns=s.returns,
        )
    ],
    "experiment.gatekept": lambda s: experiment.gatekept(
        s.experiment,
        experiment.compare_arms(s.experiment, experiment.metrics_of(s.experiment), s.control),
        experiment.metrics_of(s.experiment),
        experiment.metrics_of(s.experiment)[-1],
        7,
    ),
    "experiment.carried": lambda s: experiment.carriers.carried(s.experiment, experiment.metrics_of(s.experiment)),
    "experiment.distinct": lambda s: experiment.segments.distinct(s.experiment, known_before(s)),
    "experiment.randomised": lambda s: experiment.randomised(
        s.experiment, experiment.metrics_of(s.experiment)[-1], arm_of(s), s.control, 7, level=0.05
    ),
    "experiment.stratified": lambda s: experiment.sensitivity.stratified(
        s.experiment,
        experiment.metrics_of(s.experiment)[-1],
        s.control,
        known_before(s)[:2],
    ),
    "experiment.sensitivity": lambda s: experiment.sensitivity.sensitivity(
        s.experiment,
        experiment.metrics_of(s.experiment)[-1],
        s.control,
        covariates=experiment.questions.numeric_covariates(s.experiment),
        segments=[],
        winsor_quantile=0.9,
    ),
    "experiment.quantile_effects": lambda s: experiment.quantiles.quantile_effects(
        s.experiment, experiment.metrics_of(s.experiment)[-1], s.control, [0.5, 0.99], 7
    ),
    "experiment.ratios_left_out": lambda s: experiment.questions.ratios_left_out(
        s.experiment, ["spend / conversion", "a / b"]
    ),
    "experiment.winsorised": lambda s: by_id(
        experiment.winsorised(s.experiment, "outcome_spend", 0.9)[0].select("unit_id", "outcome_spend").to_pandas()
    ),
    "experiment.compare_arms": lambda s: experiment.compare_arms(
        s.experiment,
        [
            experiment.Metric("visit", "outcome_visit", proportion=True),
            experiment.Metric("spend", "outcome_spend", "outcome_visit"),
        ],
        s.control,
    ),
    "experiment.by_segment": lambda s: experiment.by_segment(
        s.experiment,
        experiment.Metric("spend", "outcome_spend"),
        s.control,
        known_before(s)[:1],
    ),
    "experiment.metrics_of": lambda s: experiment.metrics_of(s.experiment, ["spend / conversion"]),
    "experiment.numeric_covariates": lambda s: experiment.questions.numeric_covariates(s.experiment),
    "experiment.segments_of": lambda s: [(one.table, names) for one, names in [experiment.segments_of(s.experiment)]],
    "experiment.arrivals": lambda s: experiment.arrivals(s.experiment),
    "experiment.reach": lambda s: experiment.planning.reach(
        s.experiment,
        experiment.metrics_of(s.experiment, ["spend / conversion"]),
        s.control,
        experiment.metrics_of(s.experiment)[-1],
        wanted_lift=0.5,
    ),
    "experiment.simulations": lambda s: experiment.planning.simulations(
        s.experiment,
        experiment.metrics_of(s.experiment),
        s.control,
        7,
        runs=100,
        level={metric.name: 0.05 for metric in experiment.metrics_of(s.experiment)},
        lift={},
    ),
    "experiment.adjusted": lambda s: experiment.sensitivity.adjusted(
        s.experiment,
        experiment.metrics_of(s.experiment),
        s.control,
        experiment.questions.numeric_covariates(s.experiment),
    ),
    "experiment.differences": lambda s: experiment.segments.differences(
        s.experiment, experiment.metrics_of(s.experiment), s.control, known_before(s)[:1]
    ),
}
# Variances, which have no exact decimals: equal to nine digits. Everything else is equal to the last bit.
INEXACT = {
    f"experiment.{name}"
    for name in (
        "moments",
        "moments_by",
        "measured",
        "totals",
        "compare_arms",
        "balance",
        "soundness",
        "winsorised",
        "by_segment",
        "reach",
        "adjusted",
        "differences",
        "by_assigned",
        "took_part",
        "rows_by_arm",
        "per_assigned_and_row",
        "by_day",
        "gatekept",
        "carried",
        "stratified",
        "sensitivity",
    )
}
# What Ibis cannot say in BigQuery's words, and why. docs/engines.md tells.
NOT_IN_BIGQUERY = dict.fromkeys(
    [
        "explore.spread",
        "explore.distribution",
        "explore.whole_histogram",
        "explore.top_decile",
        "experiment.winsorised",
        "experiment.sensitivity",
        "experiment.segments_of",
    ],
    "Quantile",
)

SHOPS = {
    "demo": {"experiment": "demo", "control": "control", "middle": "2024-04-01"},
    "online_retail": {"experiment": "hillstrom_email", "control": "No E-Mail", "middle": "2011-06-01"},
}


@dataclasses.dataclass(frozen=True)
class Shop:
    """A prepared shop: its parquet files by table, and the same with the rows of the log in another order."""

    name: str
    paths: dict[str, Path]
    shuffled: Path
    open: Callable[[Any, Path], ir.Table]

    def tables(self, con: Any, **instead: Path) -> SimpleNamespace:
        """The tables opened in an engine, and what the methods need besides."""
        opened = {name: self.open(con, path) for name, path in (self.paths | instead).items()}
        return SimpleNamespace(**opened, **{k: v for k, v in SHOPS[self.name].items() if k != "experiment"})


@pytest.fixture(scope="session", params=["demo", pytest.param("online_retail", marks=pytest.mark.real_data)])
def shop(request, real_table, tmp_path_factory):
    """The demo shop, and Online Retail where it is on this machine."""
    name = request.param
    source = {"transactions": name, "returns": name, "products": name, "experiment": SHOPS[name]["experiment"]}
    paths = {table: real_table(data_set, table).path for table, data_set in source.items()}
    log = pq.read_table(paths["transactions"])
    shuffled = tmp_path_factory.mktemp(name) / "transactions.parquet"
    pq.write_table(log.take(pa.array(np.random.default_rng(5).permutation(len(log)))), shuffled, row_group_size=9_999)
    return Shop(name, paths, shuffled, cache(open_table))  # Spark looks into a file each time that it opens it


@pytest.fixture(scope="session")
def asked(shop):
    """The expressions that DuckDB was asked for, by the method that asked."""
    return {}


@pytest.fixture(scope="session")
def on_duckdb(shop, duckdb, asked):
    """What a method makes of a shop on DuckDB, computed once: Spark and another order of rows are compared with it."""

    def made(method):
        seen = asked[method] = []

        def noted(real):
            def ask(self, *args, **options):
                seen.append(self)
                return real(self, *args, **options)

            return ask

        with pytest.MonkeyPatch.context() as patch:
            for name in ("execute", "to_pyarrow"):
                patch.setattr(Expr, name, noted(getattr(Expr, name)))
            return METHODS[method](shop.tables(duckdb))

    return cache(made)


def same(one: Any, other: Any, *, exact: bool = True) -> None:
    """Assert that two results are the same: types, order of rows, every value."""
    assert type(one) is type(other)
    tolerance = {"check_exact": True} if exact else {"rtol": 1e-9, "atol": 1e-12}
    if isinstance(one, ir.Table):  # an expression promises no order
        one, other = (t.to_pandas().sort_values(list(t.columns), ignore_index=True) for t in (one, other))
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, **tolerance)
    elif isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, **tolerance)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            same(getattr(one, field.name), getattr(other, field.name), exact=exact)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        same(list(one.values()), list(other.values()), exact=exact)
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            same(*pair, exact=exact)
    elif isinstance(one, csr_matrix):
        assert one.shape == other.shape and (one != other).nnz == 0
    elif isinstance(one, np.ndarray | pd.Index):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=0 if exact else 1e-9, atol=0 if exact else 1e-12) if (
            one.dtype.kind == "f"
        ) else np.testing.assert_array_equal(one, other)
    else:
        assert one == other


def takes_a_table(function: Any) -> bool:
    """Whether a function has a parameter that is an Ibis table, or a snapshot of some."""
    kinds = [parameter.annotation for parameter in inspect.signature(function).parameters.values()]
    return any({ir.Table, orders.Snapshot} & {kind, *getattr(kind, "__args__", ())} for kind in kinds)


def test_every_method_that_takes_a_table_is_compared():
    found = set()
    for module in pkgutil.walk_packages(analysis.__path__, f"{analysis.__name__}."):
        names = vars(importlib.import_module(module.name)).items()
        short = module.name.removeprefix(f"{analysis.__name__}.").split(".")[0]
        for name, thing in names:
            if inspect.isfunction(thing) and thing.__module__ == module.name and not name.startswith("_"):
                found |= {f"{short}.{name}"} if takes_a_table(thing) else set()
    assert found == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shop", ["demo"], indirect=True)  # Spark takes seconds for a query, of the demo, too
def test_both_engines_give_the_same(method, shop, on_duckdb, spark):
    same(on_duckdb(method), METHODS[method](shop.tables(spark)), exact=method not in INEXACT)


@pytest.mark.parametrize("method", [name for name in METHODS if not name.startswith("experiment.")])
def test_the_order_of_rows_changes_nothing(method, shop, on_duckdb, duckdb):
    same(on_duckdb(method), METHODS[method](shop.tables(duckdb, transactions=shop.shuffled)))


def test_split_files_in_another_order_give_the_same_bytes(shop, project):
    entry = yaml.safe_load((ROOT / "data" / "catalog.yml").read_text(encoding="utf-8"))[shop.name]
    table_map = entry["tables"]["transactions"]
    data_set = find_data_set(ROOT, shop.name)
    _, (path,) = locate(ROOT, data_set.sources[data_set.tables["transactions"].source])
    log = pq.read_table(path)
    log = log.take(pa.array(np.random.default_rng(6).permutation(len(log))))
    folder = project / "data" / "raw" / "pieces"
    folder.mkdir(parents=True)
    cuts = [0, 1, len(log) // 7, len(log) // 2, len(log)]
    for number, (begin, end) in enumerate(pairwise(cuts)):
        pq.write_table(log.slice(begin, end - begin), folder / f"{9 - number}.parquet")
    pieces = {"title": "pieces", "files": {"lines": "pieces/*.parquet"}, "tables": {"transactions": table_map}}
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write(yaml.safe_dump({"pieces": pieces}))
    made = prepare(project, project / "outputs" / "pieces", "transactions", "pieces")
    assert made.path.read_bytes() == shop.paths["transactions"].read_bytes()
    before = prepare(ROOT, shop.paths["transactions"].parents[1], "transactions", shop.name)
    assert made.report["row_accounting"] == before.report["row_accounting"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shop", ["demo"], indirect=True)
def test_every_expression_can_be_said_to_bigquery(method, shop, on_duckdb, asked):
    result = on_duckdb(method)
    expressions = [*asked[method], *([result] if isinstance(result, ir.Table) else [])]
    assert expressions
    try:
        for expression in expressions:
            assert ibis.to_sql(expression, dialect="bigquery").startswith(("SELECT", "WITH"))
    except ibis.common.exceptions.OperationNotDefinedError as error:
        assert NOT_IN_BIGQUERY.get(method, "nothing") in str(error)
    else:
        assert method not in NOT_IN_BIGQUERY, "it works now: take it off the list"
