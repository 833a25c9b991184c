"""CDNOW, a shop with totals only: its published size, and the customers of its sample as their authors summarised them.

Skipped where `CDNOW_master.txt`, `CDNOW_sample.txt` and `cdnow_customers_summary.csv` are not in the folder `cdnow` of
CUSTOMERLAB_DATA: Fader and Hardie's files, as the package lifetimes has them.
"""

import os
from pathlib import Path

import ibis
import pandas as pd
import pytest

from customerlab.analysis import explore, orders

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
