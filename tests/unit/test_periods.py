"""Units of time that fit a log, on both ends of the calendar, with pandas' own periods as the second source."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab import explore, explore_figures
from customerlab.analysis.explore.periods import calendar, first_of, fitting, number_of, ticks

FREQUENCY = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}


def log(first, last, number=400, seed=0):
    """Orders at random times between two days, one on each of them."""
    rng = np.random.default_rng(seed)
    span = int((pd.Timestamp(last) - pd.Timestamp(first)).total_seconds())
    at = pd.Timestamp(first) + pd.to_timedelta(np.append(rng.integers(0, span + 1, number - 2), [0, span]), "s")
    frame = pd.DataFrame({"ordered_at": at, "customer_id": [f"c{n % 30}" for n in range(number)]})
    frame["order_id"] = [f"o{n}" for n in range(number)]
    frame["product_id"], frame["quantity"], frame["unit_price"] = "p", 1.0, rng.integers(100, 900, number) / 100
    t = ibis.memtable(frame)
    return frame, t.mutate(amount=t.unit_price.cast("decimal(18, 4)"))


@pytest.mark.parametrize(
    ("first", "last", "unit"),
    [
        ("2024-05-01", "2024-05-01", "day"), ("2024-05-01", "2024-05-31", "day"), ("2024-05-01", "2024-06-01", "week"),
        ("2024-01-01", "2024-03-31", "week"), ("2024-01-01", "2024-04-01", "month"), ("2020-01-31", "2024-12-01", "month"),
        ("2019-12-31", "2024-12-01", "quarter"), ("2009-01-01", "2023-12-31", "quarter"), ("2008-12-31", "2023-12-31", "year"),
        ("1970-01-01", "2024-01-01", "year"),
    ],
)  # fmt: skip
def test_the_unit_that_fits(first, last, unit):
    assert fitting(pd.Timestamp(first), pd.Timestamp(f"{last} 23:59")) == unit


@pytest.mark.slow
@pytest.mark.parametrize("unit", FREQUENCY)
@pytest.mark.parametrize(("first", "last"), [("1968-12-30 23:59:59", "1970-03-01"), ("2023-11-15", "2024-03-10 07:00")])
def test_trading_by_any_unit_agrees_with_the_periods_of_pandas(unit, first, last):
    frame, table = log(first, last)
    period = frame["ordered_at"].dt.to_period(FREQUENCY[unit])
    wanted = frame.groupby(period).agg(
        revenue=("unit_price", "sum"), orders=("order_id", "size"), customers=("customer_id", "nunique")
    )
    every = pd.period_range(period.min(), period.max(), freq=FREQUENCY[unit])
    wanted = wanted.reindex(every, fill_value=0)
    found = explore.by_month(table, every=unit)
    assert (found["month"].to_numpy() == every.start_time.to_numpy()).all()
    for name in wanted:
        assert found[name].to_numpy() == pytest.approx(wanted[name].to_numpy())
    days = pd.date_range(frame["ordered_at"].min().normalize(), frame["ordered_at"].max().normalize()).to_period(
        FREQUENCY[unit]
    )
    assert found["days"].tolist() == days.value_counts().reindex(every).tolist()
    whole = (every.end_time.normalize() - every.start_time).days + 1
    assert found["partial"].tolist() == (found["days"].to_numpy() < whole).tolist()
    both = explore.new_and_returning(table, unit)
    assert both["new"].sum() == 30 and (both["new"] + both["returning"]).tolist() == found["customers"].tolist()
    cohorts = explore.cohorts(table, unit)
    assert cohorts.sizes["customers"].sum() == 30 and cohorts.money == pytest.approx(frame["unit_price"].sum())


def test_numbers_and_first_days_are_inverse_across_1970():
    days = pd.date_range("1969-11-25", "1970-02-10")
    table = ibis.memtable({"at": days + pd.Timedelta(hours=13)})
    for unit, frequency in FREQUENCY.items():
        numbers = table.select(at="at", number=number_of(table["at"], unit)).to_pandas().sort_values("at")["number"]
        assert (first_of(numbers, unit) == days.to_period(frequency).start_time).all(), unit
        assert numbers.diff().dropna().isin([0, 1]).all(), unit


@pytest.mark.parametrize(
    ("number", "unit"),
    [
        (21, "day"),
        (31, "day"),
        (13, "week"),
        (60, "month"),
        (47, "quarter"),
        (60, "quarter"),
        (54, "year"),
        (200, "year"),
    ],
)
def test_labels_have_room_and_say_the_year(number, unit):
    frequency = {"day": "D", "week": "7D", "month": "MS", "quarter": "QS", "year": "YS"}[unit]
    labels = ticks(pd.Series(pd.date_range("1900-01-01", periods=number, freq=frequency)), unit)
    assert 1 <= len(labels) <= 25 and any("19" in label for label in labels.values())
    assert labels[min(labels)].count("\n") == (unit != "year")


def test_a_figure_of_54_years_shows_its_bars():
    years = calendar(pd.Timestamp("1970-01-01"), pd.Timestamp("2023-12-31"), "year").reset_index()
    years = years.assign(revenue=5.0, net=5.0, orders=2, customers=2)
    picture = explore_figures.by_month(years, every="year")
    bars = picture.figure.axes[0].patches
    width = bars[0].get_window_extent().width  # pixels, less the white edge on both sides
    assert len(bars) == 54 and width - 2 * bars[0].get_linewidth() * 120 / 72 > 3
    assert (
        "in 54 years, 0 of them incomplete" in picture.alt and "Highest revenue of a complete year: 1970" in picture.alt
    )


@pytest.mark.slow
def test_the_cohort_figure_keeps_the_latest_where_there_are_too_many():
    _, table = log("1960-01-01", "2023-12-31", 3_000)
    every = explore.fitting(pd.Timestamp("1960-01-01"), pd.Timestamp("2023-12-31"), most=30, days=0)
    found = explore.cohorts(table.mutate(customer_id=table.order_id), every)
    less = found.latest()
    assert every == "year" and len(found.sizes) == 64 and len(less.sizes) == 30
    assert less.customers.shape == less.partial.shape == (30, 30)
    picture = explore_figures.cohorts(less.customers, less.partial, less.sizes["customers"], "customers", every)
    assert picture.figure.get_size_inches()[1] < 9 and "30 yearly cohorts" in picture.alt


@pytest.mark.slow
def test_a_log_with_days_only_has_no_evening():
    from customerlab import clustering, orders

    _, table = log("2024-01-01", "2024-12-31")
    days = table.mutate(ordered_at=table.ordered_at.truncate("D"))
    with pytest.raises(ValueError, match="'evening_share' needs times of day, but all orders are at 0:00"):
        clustering.customer_features(orders.Snapshot(days, pd.Timestamp("2025-01-01")), names=["evening_share"])
    shop = orders.Snapshot(table, pd.Timestamp("2025-01-01"))
    assert clustering.customer_features(shop, names=["evening_share"])["evening_share"].max() > 0
    grids = explore.by_weekday_hour(days)
    assert not explore.conclusions.has_times(grids) and explore.conclusions.has_times(explore.by_weekday_hour(table))
    picture = explore_figures.by_weekday(explore.by_weekday(days))
    assert len(picture.figure.axes[0].patches) == 7 and picture.alt.startswith(
        "Bars of average daily revenue by weekday."
    )
