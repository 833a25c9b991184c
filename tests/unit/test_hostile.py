"""All notebooks on a shop in which every text is hostile: no element is made of it, and all of it is shown."""

import json
import re

import pytest
import yaml
from nbconvert.filters import markdown2html

import hostile
from customerlab.workbench import display
from helpers import run_cells

NOTEBOOKS = [
    "01_eda",
    "02_rfm",
    "03_clustering",
    "04_recommenders",
    "05_ab_analysis",
    "06_ratings",
    "07_customer_value",
    "08_segments_over_time",
    "09_profiles",
    "10_campaigns",
    "11_bandits",
]
OURS = {"a", "ul", "li", "strong", "em", "p", "table", "caption", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.thorough
def test_every_text_of_a_hostile_shop_is_shown_as_text(project, monkeypatch):
    shown: list = []
    monkeypatch.setattr(display, "display", lambda item, **how: shown.append((getattr(item, "data", item), how)))
    hostile.write(project)
    params = yaml.safe_load((project / "params" / "hostile.yml").read_text(encoding="utf-8"))
    seen = ""
    for notebook in NOTEBOOKS:
        asked = (project / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8")
        run_cells(project, notebook, monkeypatch, **{k: v for k, v in params.items() if f'"{k}: ' in asked})
        assert shown, notebook
        for item, how in shown:
            seen += _checked(item, how)
        shown.clear()
    kinds = (
        r"arm1",
        r"outcome2",
        r"covariate0",
        r"v3",
        r"k\d",
        r"land\d",
        r"way\d",
        r"p\d",
        r"d\d",
        r"offer1",
        r"by\d",
        r"act\d",
        r"policy1",
        r"place\d",
        r"s1",
        r"title0",
        r"citation2",
    )
    assert [kind for kind in kinds if not re.search(rf" {kind}\b", seen)] == []
    assert not re.search(r" [cou]\d+\b", seen), "an id of a customer, an order or a unit"


def _checked(item, how):
    """Every form of an output, as JupyterLab and nbconvert show it; what a reader sees comes back."""
    data = item if isinstance(item, dict) else {"text/markdown": item}
    pages = [str(markdown2html(data.get("text/markdown", ""))), data.get("text/html", "")]
    for page in map(hostile.Shown, pages):
        assert {tag for tag, _ in page.tags} <= OURS | {"span"}
        assert all(
            (name in ("class", "scope") and value in ("n", "col"))
            or (name == "href" and re.fullmatch(r"#\d-[A-Za-z,-]+", value))  # a finding's section
            for _, given in page.tags
            for name, value in given
        )
    alt = json.dumps(how, ensure_ascii=False) + data.get("text/plain", "")
    assert not [sign for sign in alt if sign in "\x1b\u202e\u200b\u2066"]
    return " ".join(hostile.Shown(page).seen for page in pages) + alt
