"""Ready entries from sample to pages: pasted, checked, executed, and the sums on the pages.

Two of them, one with returns: `unit/test_templates.py` compares the sums of all.
"""

import html
import json
import re

import pytest

from helpers import call, paste_template
from templates_by_hand import BY_HAND

pytestmark = pytest.mark.thorough
SHOWN = ("shopify", "square")
SEGMENTED = ("shopify",)  # whose customers go on to segments


def said(page: str) -> str:
    """The words of a page, with one blank between them."""
    bare = re.sub(r"<(script|style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", bare)))


@pytest.mark.parametrize("name", SHOWN)
def test_a_ready_entry_goes_from_its_sample_to_pages_that_show_the_sums(name, project):
    paste_template(project, name)
    hand = BY_HAND[name]
    sold, back = sum(hand.orders.values()), sum(hand.returns.values())
    checked = call(project, "customerlab", "data", "check", name).stdout
    assert re.search(rf"transactions +left +{hand.lines} rows +{sold:,.3f}", checked), checked
    notebooks = ["01_eda", "02_rfm"] if name in SEGMENTED else ["01_eda"]
    call(project, "customerlab", "run", *notebooks, "--run", name)
    out = project / "outputs" / name
    first = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["01_eda"]
    counted = {key: first[key] for key in ("customers", "orders", "lines")}
    assert counted == {"customers": hand.customers, "orders": len(hand.orders), "lines": hand.lines}
    assert first["revenue"] == pytest.approx(float(sold), abs=0.005)
    assert first["net_revenue"] == pytest.approx(float(sold + back), abs=0.005)
    page = said((out / "site" / "01_eda.html").read_text(encoding="utf-8"))
    assert f"gross revenue {hand.lines} {sold:,.2f}" in page
    assert re.search(rf"net revenue \d+ {sold + back:,.2f}", page)
    assert f"{hand.customers} customers placed {len(hand.orders)} orders" in page
    for each in notebooks:
        assert "Traceback" not in said((out / "site" / f"{each}.html").read_text(encoding="utf-8"))
