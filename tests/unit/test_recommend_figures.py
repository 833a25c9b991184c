"""The figures of the recommender evaluation: what they say, and that no label hides another."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from customerlab.analysis import recommend
from customerlab.analysis.recommend.models import (
    TIFUKNN,
    UPCF,
    DecayedPopularity,
    ItemNeighbours,
    PersonalFrequency,
    Popularity,
    Random,
    RP3beta,
    UserNeighbours,
)
from customerlab.figures import recommend as figures

MODELS = [
    *[DecayedPopularity(days) for days in (7, 14, 28)], Random(), Popularity(),
    *[recommend.DecayedFrequency(days) for days in (30, 90, 180)], PersonalFrequency(), RP3beta(),
    *[ItemNeighbours(20, how) for how in ("cosine", "TF-IDF", "BM25")], TIFUKNN(20),
    *[UserNeighbours(20, how) for how in ("cosine", "TF-IDF", "BM25")], UPCF(), recommend.PureSVD(5),
    *[recommend.EASE(penalty) for penalty in (5, 10, 20, 40, 80, 160)],
]  # fmt: skip
for number, model in enumerate(MODELS):
    model.name = f"{model.name} no. {number}"
FEW = [MODELS[8], MODELS[4], MODELS[-1]]


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(5)
    orders = [
        (f"c{rng.integers(60):02d}", float(days), [f"p{p:02d}" for p in rng.choice(40, 4, replace=False)])
        for days in np.r_[rng.uniform(0.1, 110, 300), rng.uniform(-27.9, 0, 90)]
    ]
    split = recommend.split_of(orders)
    ranked = recommend.rank(split, MODELS, 5)
    values = recommend.metrics_by_customer(ranked)
    whole = recommend.split_of([(c, d + 28, p) for c, d, p in orders])
    some = [model.name for model in FEW]
    groups = recommend.by_group(values[values["model"].isin(some)], recommend.history_length(split), 1)
    return {
        "summary": recommend.summary(values, 1),
        "beyond": recommend.beyond(ranked, 1),
        "against": recommend.against(recommend.comparison(values), FEW[0].name),
        "folds": recommend.over_folds(split.folds(3), MODELS[:10], 1, 5),
        "leaky_splits": recommend.leaky_splits(whole, FEW, 28, 1, 5),
        "groups": groups,
        "bands": recommend.by_popularity(ranked, 1).query("model in @some"),
    }


DRAWN = {
    "ndcg": lambda parts: figures.ndcg(parts["summary"], 5),
    "differences": lambda parts: figures.differences(parts["against"], 5),
    "popularity": lambda parts: figures.popularity_and_accuracy(
        parts["summary"], parts["beyond"], 5, models=[model.name for model in FEW]
    ),
    "cold start": lambda parts: figures.cold_start(parts["groups"], 5),
    "by group": lambda parts: figures.by_group(parts["groups"], 5),
    "folds": lambda parts: figures.folds(parts["folds"], 5),
    "leaky_splits": lambda parts: figures.leaky_splits(parts["leaky_splits"], 5),
    "bands": lambda parts: figures.popularity_bands(parts["bands"], 5),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_no_text_hides_another_or_leaves_the_figure(parts, name):
    picture = DRAWN[name](parts)
    FigureCanvasAgg(picture.figure).draw()
    texts = {}
    for axis in picture.figure.axes:
        ticks = [
            label
            for side in (axis.xaxis, axis.yaxis)
            for place, label in zip(side.get_ticklocs(), side.get_ticklabels(), strict=False)
            if min(side.get_view_interval()) <= place <= max(side.get_view_interval())
        ]
        for text in [*axis.texts, *ticks, axis.title, axis._left_title, axis.xaxis.label, axis.yaxis.label]:
            if text.get_visible() and text.get_text():
                texts[text] = Text.get_window_extent(text)  # without the line to its mark
    assert len(texts) > 5
    width, height = picture.figure.bbox.width, picture.figure.bbox.height
    for text, box in texts.items():
        inside = box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1
        assert inside, f"{text.get_text()!r} leaves the figure"
    for (one, box), (other, second) in combinations(texts.items(), 2):
        across = min(box.x1, second.x1) - max(box.x0, second.x0)
        along = min(box.y1, second.y1) - max(box.y0, second.y0)
        assert across <= 1 or along <= 2, f"{one.get_text()!r} and {other.get_text()!r} overlap"


@pytest.mark.slow
def test_what_the_alternative_texts_say(parts):
    summary = parts["summary"].query("task == 'explore'").set_index("model")["ndcg"]
    alt = DRAWN["ndcg"](parts).alt.split("explore: ")[1]
    assert all(f"{model} {value:.3f}" in alt for model, value in summary.items())
    first = parts["against"].iloc[0]
    assert f"{first['model']} {first['difference']:+.3f} ({first['low']:+.3f} to" in DRAWN["differences"](parts).alt
    alt = DRAWN["leaky_splits"](parts).alt
    assert "explore, random pairs: " in alt and "all, random pairs" not in alt, "which has nothing to find again"
    assert "in grey 2 more models" in DRAWN["folds"](parts).alt
    row = parts["bands"].iloc[0]
    assert f"{row['model']} {row['band']} {row['recall']:.3f}" in DRAWN["bands"](parts).alt


def test_models_that_share_the_highest_value_share_its_colour():
    table = pd.DataFrame({"task": "all", "model": ["a", "b", "c"], "customers": 5, "ndcg": [0.5, 0.5, 0.2]})
    table = table.assign(ndcg_low=table["ndcg"], ndcg_high=table["ndcg"])
    axis = figures.ndcg(table, 5).figure.axes[0]
    colors = [text.get_color() for text in axis.texts]
    assert colors[0] == colors[1] != colors[2]


def test_more_models_than_colours_have_to_be_chosen(parts):
    many = pd.concat([parts["groups"].query("model == 'EASE no. 24'").assign(model=f"m{n}") for n in range(9)])
    with pytest.raises(ValueError, match="9 models; at most 8"):
        figures.cold_start(many, 5)
    assert figures.cold_start(many, 5, models=["m1", "m8"]).alt.count("m") >= 2


def test_of_fewer_than_twenty_customers_no_mark_is_drawn(parts):
    table = parts["groups"].assign(low=lambda own: own["mean"] - 0.01, high=lambda own: own["mean"] + 0.01)
    group = table["group"].iloc[-1]
    table.loc[table["group"] == group, ["low", "high"]] = np.nan
    for draw in (figures.by_group, figures.cold_start):
        picture = draw(table, 5)
        assert picture.alt.count(f"{group} too few to tell") == len(FEW)
        axis = picture.figure.axes[0]
        labels = [label.get_text() for label in [*axis.get_xticklabels(), *axis.get_yticklabels()]]
        told = table[table["task"] == "all"].groupby("group", observed=True)["low"].count() > 0
        assert not told[group] and told.any()
        for name, some in told.items():
            assert any(label.startswith(name) and ("too few to tell" in label) != some for label in labels)
