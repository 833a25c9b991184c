"""Figures of products, and of sales by part of the shop."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from customerlab.figures.marks import rows
from customerlab.figures.style import BLUE, GREY, ORANGE, PERCENT, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short, shortened


@styled
def long_tail(tail: pd.DataFrame, marks: pd.DataFrame) -> Picture:
    """Cumulative share of net revenue by number of products; of `explore.long_tail` and `products_for`."""
    figure, axis = canvas(height=3.0)
    axis.plot(tail["rank"], tail["share"], color=BLUE, linewidth=2)
    for number, share, part in zip(marks["products"], marks["share"], marks["of_all"], strict=True):
        axis.plot([number, number, 1], [0, share, share], color=GREY, linewidth=1, linestyle="--")
        axis.annotate(
            f"{number:,} products ({percent(part)}): {share:.0%}", (number, share), xytext=(-6, 4), textcoords="offset points",
            ha="right", va="bottom",
        )  # fmt: skip
    axis.set(xscale="log", ylim=(0, 1.06), xlim=(1, None))
    axis.set(xlabel="products, best sellers first (log scale)", ylabel="share of net revenue")
    axis.xaxis.set_major_formatter(SHORT)
    axis.yaxis.set_major_formatter(PERCENT)
    listed = "; ".join(f"{n:,} bring {s:.0%}" for n, s in zip(marks["products"], marks["share"], strict=True))
    return Picture(
        figure,
        f"Cumulative share of net revenue of {len(tail):,} products, best sellers first: {listed or 'no revenue'}.",
    )


@styled
def parts(tables: Mapping[str, pd.DataFrame]) -> Picture:
    """Bars of gross revenue by part of the shop, one chart per division such as ``country``; of `explore.by_part`."""
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
    axes[-1, 0].set_xlabel("gross revenue")
    return Picture(figure, f"Bars of gross revenue: {'; '.join(said)}.")
