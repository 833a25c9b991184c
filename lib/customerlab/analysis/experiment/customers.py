"""RFM segments and clusters of the units on the day on which the test began, as covariates."""

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.clustering.scoring import Segmentation, clusters_on
from customerlab.analysis.orders import Shop, Snapshot
from customerlab.analysis.rfm.scheme import Scheme
from customerlab.data.tables import COVARIATE, OF_UNITS

RFM, CLUSTER = "RFM segment", "cluster"
NO_ORDER = "no order before"
LEFT_OUT = "RFM segments and clusters are left out:"
LEAST_KNOWN = 0.5  # share of the units that have to be customers, so that equal ids are no accident


def with_customer_groups(
    experiment: ir.Table,
    began: pd.Timestamp | None,
    orders: ir.Table | None,
    *,
    scheme: Scheme | None = None,
    segmentation: Segmentation | None = None,
    products: ir.Table | None = None,
    returns: ir.Table | None = None,
) -> tuple[ir.Table, str]:
    """The units with the RFM segment and the cluster that each was in when the test began.

    Groups of a later day could be a consequence of the treatment, which would bias effects by group.

    Parameters
    ----------
    experiment : ibis Table
        Canonical. Its `unit_id`, or else its `assigned_id`, may be a `customer_id`.
    began : Timestamp or None
        Orders before that day count.
    scheme, segmentation : Scheme or None, Segmentation or None
        How the shop segments: the artefacts `rfm_scheme` and `segmentation`.

    Returns
    -------
    (ibis Table, str)
        The table with the covariates `RFM segment` and `cluster`, in which units without an earlier order have a value
        of their own; or the table as it was. And a sentence: the day and the share of units, or why there are none.
    """
    if OF_UNITS in experiment.columns:
        return experiment, f"{LEFT_OUT} rows are totals."
    if orders is None or (scheme is None and segmentation is None):
        return experiment, f"{LEFT_OUT} this run has no orders."
    if began is None:
        return experiment, f"{LEFT_OUT} the test has no start date (parameter test_began)."
    shop = Snapshot(orders, began, returns, products)
    day = shop.day
    if not shop.known.limit(1).count().execute():
        return experiment, f"{LEFT_OUT} no customer had ordered before the test began, {day:%Y-%m-%d}."
    groups = groups_on(shop, scheme, segmentation)
    if not groups:
        return experiment, f"{LEFT_OUT} the saved segmentation has a single group."
    known = 0.0
    for name in [one for one in ("unit_id", "assigned_id") if one in experiment.columns]:
        table, share = _joined(experiment, name, pd.DataFrame(groups))
        if share >= LEAST_KNOWN:
            said = f"RFM segments and clusters are those of {day:%Y-%m-%d}; {share:.0%} of units had ordered by then."
            return table, said
        known = max(known, share)
    return experiment, (
        f"{LEFT_OUT} {known:.0%} of units are customers with an order before the test; at least {LEAST_KNOWN:.0%} are needed, since "
        "fewer matching ids can be a coincidence."
    )


def groups_on(shop: Shop, scheme: Scheme | None, segmentation: Segmentation | None) -> dict[str, pd.Series]:
    """The RFM segment and the cluster of each customer on a day, by `customer_id`; a single cluster divides nothing."""
    groups = {}
    if scheme is not None:
        groups[RFM] = scheme.on(shop).set_index("customer_id")["segment"]
    if segmentation is not None:
        found = clusters_on(segmentation, shop)
        if found["name"].nunique() > 1:
            groups[CLUSTER] = found.set_index("customer_id")["name"]
    return groups


def _joined(experiment: ir.Table, name: str, groups: pd.DataFrame) -> tuple[ir.Table, float]:
    """The units with each column of the groups as a covariate, and the share of units that have one."""
    columns = {f"group{place}": groups[one].astype("str") for place, one in enumerate(groups)}
    customers = ibis.memtable(pd.DataFrame({"customer_of_groups": groups.index.astype("str"), **columns}))
    both = experiment.left_join(customers, experiment[name] == customers.customer_of_groups)
    known = (~both.customer_of_groups.isnull()).cast("float64").mean()
    added = {f"{COVARIATE}{one}": ibis.coalesce(both[f"group{place}"], NO_ORDER) for place, one in enumerate(groups)}
    table = both.mutate(**added).drop("customer_of_groups", *columns)
    return table, float(both.aggregate(known=known).to_pandas().iloc[0, 0])
