"""CDNOW, a shop with totals only: its published size, and the customers of its sample as their authors summarised them.

Skipped where `CDNOW_master.txt`, `CDNOW_sample.txt` and `cdnow_customers_summary.csv` are not in the folder `cdnow` of
CUSTOMERLAB_DATA: Fader and Hardie's files, as the package lifetimes has them.
"""

import os
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import explore, orders
from customerlab.analysis.value import expected
from customerlab.analysis.value.fitting import MODELS, fit
from customerlab.analysis.value.history import summary
from customerlab.analysis.value.money import fit_money

pytestmark = pytest.mark.real_data
FOLDER = Path(os.environ.get("CUSTOMERLAB_DATA", "data/raw")) / "cdnow"


def read(name: str, **options: object) -> pd.DataFrame:
    """A file of the data set; the test is skipped where it is not on this machine."""
    if not (FOLDER / name).is_file():
        pytest.skip(f"cdnow/{name} is not on this machine (set CUSTOMERLAB_DATA)")
    return pd.read_csv(FOLDER / name, **options)


def as_log(customers: pd.Series, days: pd.Series, money: pd.Series) -> ibis.expr.types.Table:
    """One row an order, with the columns that totals have."""
    columns = {"customer_id": customers.astype(str), "order_id": customers.index.astype(str)}
    columns |= {"ordered_at": pd.to_datetime(days.astype(str), format="%Y%m%d"), "quantity": 1.0, "unit_price": money}
    table = ibis.memtable(pd.DataFrame(columns))
    return table.mutate(amount=table.unit_price.cast("decimal(18, 4)"))


def test_the_size_of_the_log():
    """23,570 customers and 69,659 orders (Fader and Hardie 2001); 2,500,315.63 dollars."""
    table = read("CDNOW_master.txt", sep=r"\s+")
    found = explore.totals(as_log(table["customer_id"], table["date"], table["dollar_value"]))
    assert found[["customers", "orders", "revenue"]].tolist() == [23_570, 69_659, 2_500_315.63]


def test_the_sample_s_customers_after_39_weeks():
    """Repeat orders, weeks from the first to the last, and weeks since the first, of 2,357 customers (BG/NBD, 2005)."""
    sample = read("CDNOW_sample.txt", sep=r"\s+", header=None, names=["master", "ID", "day", "cds", "money"])
    occasions = sample.groupby(["ID", "day"], as_index=False)["money"].sum()  # orders of one day count as one
    known = as_log(occasions["ID"], occasions["day"], occasions["money"])
    found = orders.Snapshot(known, pd.Timestamp("1997-10-01")).customers()
    wanted = read("cdnow_customers_summary.csv", index_col="ID").loc[found["customer_id"].astype(int)]
    assert len(wanted) == 2_357 and (found["frequency"] - 1).tolist() == wanted["frequency"].tolist()
    span = (found["last_order"] - found["first_order"]).dt.days / 7
    assert span.round(2).to_numpy() == pytest.approx(wanted["recency"].to_numpy(), abs=0.0051)
    assert ((found["tenure"] - 1) / 7).to_numpy() == pytest.approx(wanted["T"].to_numpy(), abs=0.0051)


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    """The sample's customers after 39 weeks, in weeks, and the money of their repeat orders."""
    sample = read("CDNOW_sample.txt", sep=r"\s+", header=None, names=["master", "ID", "day", "cds", "money"])
    known = as_log(sample["ID"], sample["day"], sample["money"])
    found = summary(known, pd.Timestamp("1997-10-01"), "day")
    return found.assign(t_x=found["t_x"] / 7, T=found["T"] / 7)


PUBLISHED = {  # Fader, Hardie and Lee (2005), Marketing Science 24(2), table 2
    "BG/NBD": ([0.243, 4.414, 0.793, 2.426], -9582.4), "Pareto/NBD": ([0.553, 10.578, 0.606, 11.669], -9595.0),
}  # fmt: skip


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_published_fits(history, model):
    wanted, log_likelihood = PUBLISHED[model]
    found = fit(MODELS[model], history)
    assert found.converged and found.customers == 2_357
    assert found.estimates["estimate"].round(3).tolist() == wanted
    assert round(found.log_likelihood, 1) == log_likelihood


def test_the_published_fit_of_money(history):
    """Fader and Hardie (2013), note 025: 946 customers, p = 6.25, q = 3.74, v = 15.44."""
    money = fit_money(history)
    assert money.fit.customers == 946
    assert money.fit.estimates["estimate"].round(2).tolist() == [6.25, 3.74, 15.44]


def test_the_published_expectation(history):
    """One of the customers of note 025: 2 repeat orders of 22.35 dollars, expected to spend 24.65 an order."""
    money = fit_money(history).fit.parameters
    assert expected.order_value(money, np.array([2.0]), np.array([22.35]))[0] == pytest.approx(24.65, abs=0.02)
