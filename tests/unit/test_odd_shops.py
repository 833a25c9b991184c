"""Shops that are odd but real: the notebooks on customers come to their end, and say nothing that is not so."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from customerlab.errors import DataError
from helpers import add_shop, as_written


def lines(customers, orders_each, when, *, price=None, products=7, seed=1):
    """Order lines: so many orders of each customer, each of two lines, on days drawn from `when`."""
    rng = np.random.default_rng(seed)
    n = customers * orders_each
    order = np.repeat(np.arange(n), 2)
    table = pd.DataFrame({"Kunde": order // orders_each, "Beleg": [f"A{i:04d}" for i in order]})
    day = pd.to_datetime(rng.choice(when, n)) + pd.to_timedelta(rng.integers(8 * 60, 20 * 60, n), "min")
    table["Datum"] = day[order]
    table["Artikel"] = [f"P{i}" for i in rng.integers(0, products, 2 * n)]
    table["Menge"] = 1 if price else rng.integers(1, 6, 2 * n)
    table["Preis"] = price or rng.uniform(1, 30, 2 * n).round(2)
    return table.astype({"Kunde": "int64"})


YEAR = pd.date_range("2024-01-03", "2024-12-20")
ODD = {
    "one order each": lines(60, 1, YEAR),
    "all amounts equal": lines(40, 3, YEAR, price=5.0, products=1),
    "gaps of months": lines(40, 3, [*pd.date_range("2024-01-05", periods=9), *pd.date_range("2024-09-01", periods=9)]),
    "one day": lines(30, 2, ["2024-05-06"]),
    "two customers": lines(2, 4, YEAR),
    "one product": lines(30, 3, YEAR, products=1),
}


@pytest.fixture
def said(monkeypatch):
    """All that a notebook shows, as text."""
    from customerlab.workbench import display

    shown: list[str] = []

    def keep(item, **_):
        shown.append(item["text/plain"] if isinstance(item, dict) else item.data)

    monkeypatch.setattr(display, "display", keep)
    return shown


def run_cells(project, notebook, monkeypatch, **parameters):
    """Execute a notebook's code in this process, with other parameters."""
    monkeypatch.chdir(project / "notebooks")
    space: dict = {}
    for cell in json.loads((project / "notebooks" / f"{notebook}.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), space)
            if "parameters" in cell["metadata"].get("tags", []):
                space.update(parameters)


@pytest.mark.parametrize("notebook", ["01_eda", "02_rfm", "03_clustering"])
@pytest.mark.parametrize("shop", ODD)
def test_an_odd_shop_gets_results_and_true_sentences(project, said, monkeypatch, notebook, shop):
    add_shop(project, as_written(ODD[shop]))
    if notebook == "03_clustering":
        run_cells(project, "02_rfm", monkeypatch, run="my_shop")
        said.clear()
    run_cells(project, notebook, monkeypatch, run="my_shop")
    assert any(text.startswith("- ") for text in said), "findings"
    for text in said:
        assert not re.search(r"\b(nan|NaN|inf|None|NaT)\b", text), text


def test_equal_customers_are_not_told_apart(project, said, monkeypatch):
    alike = ODD["all amounts equal"]
    # the same three days for all
    alike = alike.assign(Datum=np.tile(pd.to_datetime(["2024-02-01", "2024-05-01", "2024-11-01"]).repeat(2), 40))
    add_shop(project, as_written(alike))
    run_cells(project, "02_rfm", monkeypatch, run="my_shop")
    table = pd.read_parquet(project / "outputs" / "my_shop" / "artifacts" / "rfm_segments.parquet")
    assert table["segment"].nunique() == 1 and (table[["r_score", "f_score", "m_score"]].nunique() == 1).all()
    assert "Gini 0.00" in " ".join(said)


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (lines(1, 5, YEAR), "the log has one customer only"),
        (lines(5, 2, YEAR).assign(Menge=-1), "no row of the transactions table is left"),
    ],
)
def test_one_customer_and_only_returns_are_answered(project, monkeypatch, odd, message):
    add_shop(project, as_written(odd))
    with pytest.raises(DataError, match=message):
        run_cells(project, "02_rfm", monkeypatch, run="my_shop")


def test_a_campaign_can_import_what_the_notebook_made(project, said, monkeypatch):
    add_shop(project, as_written(ODD["gaps of months"]))
    run_cells(project, "02_rfm", monkeypatch, run="my_shop", money="net", recency_cuts=[30.0, 300.0], rfm_bins=3,
              segments=["Here: 3-5, 1-5", "Gone: 1-2, 1-5"])  # fmt: skip
    folder = project / "outputs" / "my_shop" / "artifacts"
    made, read = (
        pd.read_parquet(folder / "rfm_segments.parquet"),
        pd.read_csv(folder / "rfm_segments.csv", dtype={"customer_id": str}),
    )
    assert read["customer_id"].tolist() == made["customer_id"].tolist() and set(read["segment"]) <= {"Here", "Gone"}
    assert (pd.to_datetime(read["last_order"]) == made["last_order"]).all()
    assert np.allclose(read["monetary"], made["monetary"])
    # the day of the analysis is the one after the last order
    assert (read["r_score"] == 3 - (read["recency"] >= 30) - (read["recency"] >= 300)).all()


def test_where_few_came_back_nothing_is_said_to_predict(project, said, monkeypatch):
    early, late = (
        lines(3, 3, pd.date_range("2024-01-03", "2024-03-01")),
        lines(40, 2, pd.date_range("2024-11-01", "2024-12-20")),
    )
    late = late.assign(Kunde=late["Kunde"] + 2, Beleg="B" + late["Beleg"])  # one of the early ones comes back
    add_shop(project, as_written(pd.concat([early, late], ignore_index=True)))
    run_cells(project, "02_rfm", monkeypatch, run="my_shop")
    said.clear()
    run_cells(
        project, "03_clustering", monkeypatch, run="my_shop", segmentation="K-Means 5", max_clusters=5, resamples=5
    )
    words = " ".join(said)
    assert "Too few to tell what the groups predict: in no period of 90 days" in words
    assert "K-Means 5 was chosen by a parameter, and is what is shown and saved." in words
    assert "predicts" not in words.replace("Whether it predicts", "") and "significantly more" not in words
