"""What notebooks call says what it expects of a table, and leaves all other errors as they are."""

import ibis
import pandas as pd
import pytest

from customerlab import explore, orders, rfm
from helpers import log

TRANSACTIONS = log([("a", "1", "2024-01-01", "x", 1, 2.0), ("b", "2", "2024-01-02", "x", 1, 3.0)])
CUSTOMERS = orders.Snapshot(TRANSACTIONS, pd.Timestamp("2024-02-01")).customers()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rfm.score(TRANSACTIONS), r"rfm\.score was given an Ibis table as table; expected a DataFrame"),
        (lambda: rfm.segment(CUSTOMERS), r"rfm\.segment was given a DataFrame as \w+; expected \w+"),
        (lambda: explore.totals(CUSTOMERS), r"explore\.totals was given a DataFrame as transactions; expected an Ibis table"),
        (lambda: explore.totals(None), r"was given None as transactions; expected an Ibis table"),
        (lambda: rfm.score(CUSTOMERS.drop(columns="recency")), r"rfm\.score found no column 'recency' in table"),
    ],
)  # fmt: skip
def test_another_kind_of_table_is_named_with_the_one_that_is_expected(call, said):
    with pytest.raises(TypeError, match=said) as caught:
        call()
    assert len(str(caught.value)) < 400


def test_other_errors_and_results_are_as_they_were():
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        rfm.score()
    with pytest.raises(ValueError, match="no order was placed before"):
        orders.Snapshot(TRANSACTIONS, pd.Timestamp("2023-01-01")).customers()
    with pytest.raises(TypeError, match="cannot be interpreted as an integer") as caught:
        rfm.score(CUSTOMERS, bins="no_such")
    assert "was given" not in str(caught.value)
    assert explore.totals(TRANSACTIONS)["orders"] == 2 and explore.totals.__doc__ and rfm.score.__name__ == "score"
    assert ibis.memtable(CUSTOMERS).count().execute() == 2
