"""Figures of products and of parts of the shop."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from customerlab.figures.marks import intervals, rows
from customerlab.figures.style import BLUE, GREY, ORANGE, PERCENT, RED, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short, shortened


@styled
def top_products(table: pd.DataFrame) -> Picture:
    """Bars of the products with the most net revenue, gross revenue as a mark; of `explore.top_products`."""
    figure, axis = canvas(height=0.9 + 0.26 * len(table))
    # by place, since two products may share a description
    places = np.arange(len(table))
    axis.barh(places, table["revenue"], color=ORANGE)
    rows(axis, map(shortened, table["description"]))
    axis.xaxis.set_major_formatter(SHORT)
    axis.set_xlabel("net revenue")
    if (table["gross"] != table["revenue"]).any():
        axis.vlines(table["gross"], places - 0.4, places + 0.4, color=RED, linewidth=2, label="before returns")
        axis.legend(loc="lower right")
    ends = table[["revenue", "gross"]].max(axis=1)
    for place, (share, end) in enumerate(zip(table["share"], ends, strict=True)):
        axis.annotate(f" {share:.1%}" if np.isfinite(share) else "", (end, place), va="center", fontsize=8.5)
    axis.margins(x=0.08)
    first = zip(table["description"][:3], table["revenue"][:3], strict=True)
    listed = "; ".join(f"{description} {short(revenue)}" for description, revenue in first)
    alt = f"Bar chart of the {len(table)} products with the most net revenue, {percent(table['share'].sum(min_count=1))} of all: {listed}."
    return Picture(figure, alt)


@styled
def long_tail(tail: pd.DataFrame, marks: pd.DataFrame) -> Picture:
    """Share of net revenue by number of products, as `explore.long_tail` and `products_for` return them."""
    figure, axis = canvas(height=3.0)
    axis.plot(tail["rank"], tail["share"], color=BLUE, linewidth=2)
    for number, share, part in zip(marks["products"], marks["share"], marks["of_all"], strict=True):
        axis.plot([number, number, 1], [0, share, share], color=GREY, linewidth=1, linestyle="--")
        axis.annotate(
            f"{number:,} products ({percent(part)}): {share:.0%}", (number, share), xytext=(-6, 4), textcoords="offset points",
            ha="right", va="bottom",
        )  # fmt: skip
    axis.set(xscale="log", ylim=(0, 1.06), xlim=(1, None))
    axis.set(xlabel="products, the best first (log scale)", ylabel="share of net revenue")
    axis.xaxis.set_major_formatter(SHORT)
    axis.yaxis.set_major_formatter(PERCENT)
    listed = "; ".join(f"{n:,} bring {s:.0%}" for n, s in zip(marks["products"], marks["share"], strict=True))
    return Picture(
        figure, f"Cumulative share of net revenue of {len(tail):,} products, the best first: {listed or 'no revenue'}."
    )


@styled
def together(pairs: pd.DataFrame, names: Mapping[str, str]) -> Picture:
    """Lift of pairs of products with its interval: rows of `explore.Together.pairs`, and descriptions by id."""
    figure, axis = canvas(height=0.9 + 0.34 * len(pairs))
    axis.axvline(1, color="#555555", linewidth=1)
    intervals(axis, pairs["lift"], pairs["low"], pairs["high"], BLUE, ecolor=GREY)
    labels = [
        f"{shortened(names[a], 30)} + {shortened(names[b], 30)}"
        for a, b in zip(pairs["product_id"], pairs["other_id"], strict=True)
    ]
    rows(axis, labels, fontsize=8)
    axis.set(xscale="log", xlabel="lift (log scale; 1 is chance)")
    axis.xaxis.set_major_formatter(SHORT)
    axis.xaxis.set_minor_formatter("")
    listed = "; ".join(f"{label} {lift:.1f}" for label, lift in zip(labels[:3], pairs["lift"][:3], strict=True))
    return Picture(figure, f"Lift of {len(pairs)} pairs of products with 95% CI. First: {listed}.")


@styled
def parts(tables: Mapping[str, pd.DataFrame]) -> Picture:
    """Bars of revenue by part of the shop, one chart a division such as ``country``, as `explore.by_part` has it."""
    sizes = [max(2, len(table)) for table in tables.values()]
    height, ratios = 0.7 * len(tables) + 0.27 * sum(sizes), {"height_ratios": sizes}
    figure, axes = canvas(height=height, rows=len(tables), squeeze=False, gridspec_kw=ratios)
    said = []
    for axis, (name, table) in zip(axes.ravel(), tables.items(), strict=True):
        places = np.arange(len(table))
        other = table["part"].str.startswith("(")
        axis.barh(places, table["revenue"], color=[GREY if is_other else ORANGE for is_other in other])
        rows(axis, (shortened(str(part), 28) for part in table["part"]))
        axis.xaxis.set_major_formatter(SHORT)
        axis.set_title(name)
        for place, (revenue, share) in enumerate(zip(table["revenue"], table["share"], strict=True)):
            axis.annotate(f" {percent(share)}", (max(revenue, 0), place), va="center", fontsize=8.5)
        axis.margins(x=0.1)
        first = table.iloc[0]
        said.append(f"by {name}, {first['part']} first with {short(first['revenue'])} ({percent(first['share'])})")
    axes[-1, 0].set_xlabel("revenue before returns")
    return Picture(figure, f"Bars of revenue before returns: {'; '.join(said)}.")
