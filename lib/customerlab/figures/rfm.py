"""Figures of recency, frequency and monetary value."""

from typing import Any

import numpy as np
import pandas as pd

from customerlab.figures.style import BLUE, GREY, ORANGE, PERCENT, SEQUENTIAL, Picture, canvas, styled


@styled
def grid(scored: pd.DataFrame, bins: int) -> Picture:
    """A heat map of customers by recency and frequency score.

    Parameters
    ----------
    scored : DataFrame
        With `r_score` and `f_score`.
    bins : int
    """
    scores = range(1, bins + 1)
    counts = pd.crosstab(scored["f_score"], scored["r_score"]).reindex(index=scores, columns=scores, fill_value=0)
    figure, axis = canvas(width=5.2, height=3.6)
    image = axis.imshow(counts.to_numpy(), origin="lower", aspect="auto", cmap=SEQUENTIAL)
    middle = counts.to_numpy().max() / 2
    for (row, column), value in np.ndenumerate(counts.to_numpy()):
        axis.text(
            column,
            row,
            f"{value:,}",
            ha="center",
            va="center",
            fontsize=8.5,
            color="black" if value > middle else "white",
        )
    axis.set_xticks(range(bins), scores)
    axis.set_yticks(range(bins), scores)
    axis.set_xlabel("recency score (highest: ordered most recently)")
    axis.set_ylabel("frequency score")
    axis.grid(visible=False)
    bar = figure.colorbar(image, ax=axis, pad=0.02)
    bar.set_label("customers")
    bar.outline.set_visible(False)
    f, r = np.unravel_index(counts.to_numpy().argmax(), counts.shape)
    alt = (
        f"Heat map of {len(scored):,} customers on a grid of {bins} recency by {bins} frequency scores. The fullest cell is "
        f"recency {r + 1}, frequency {f + 1} with {counts.to_numpy().max():,} customers; "
        f"{int((counts == 0).to_numpy().sum())} cells are empty."
    )
    return Picture(figure, alt)


def _percent(value: Any) -> str:
    return f"{value:.0%}" if value >= 0.01 else f"{value:.1%}"


@styled
def shares(profile: pd.DataFrame) -> Picture:
    """Each segment's share of customers beside its share of revenue.

    Parameters
    ----------
    profile : DataFrame
        As `analysis.rfm.profile` returns it.
    """
    figure, axis = canvas(height=0.9 + 0.33 * len(profile))
    places = np.arange(len(profile))
    for offset, column, colour, label in (
        (-0.2, "share_of_customers", BLUE, "share of customers"),
        (0.2, "share_of_revenue", ORANGE, "share of revenue"),
    ):
        axis.barh(places + offset, profile[column], height=0.38, color=colour, label=label)
        for place, value in zip(places, profile[column], strict=True):
            axis.annotate(f" {_percent(value)}", (value, place + offset), va="center", fontsize=8)
    axis.set_yticks(places, profile["segment"])
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.xaxis.set_major_formatter(PERCENT)
    axis.margins(x=0.08)
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    listed = "; ".join(
        f"{row.segment} {_percent(row.share_of_customers)} of customers, {_percent(row.share_of_revenue)} of revenue"
        for row in profile.itertuples()
    )
    return Picture(figure, f"Paired bars by segment. {listed}.")


@styled
def lorenz(curve: pd.DataFrame, gini: float) -> Picture:
    """The Lorenz curve against the diagonal of equality.

    Parameters
    ----------
    curve : DataFrame
        `share_of_customers`, `share_of_revenue`, poorest first.
    gini : float
    """
    figure, axis = canvas(width=4.6, height=3.8)
    axis.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="all customers equal")
    axis.plot(curve["share_of_customers"], curve["share_of_revenue"], color=BLUE, linewidth=2, label="this shop")
    axis.fill_between(
        curve["share_of_customers"], curve["share_of_revenue"], curve["share_of_customers"], color=BLUE, alpha=0.12
    )
    axis.xaxis.set_major_formatter(PERCENT)
    axis.yaxis.set_major_formatter(PERCENT)
    axis.set_xlabel("customers, smallest spenders first")
    axis.set_ylabel("share of revenue")
    axis.set_title(f"Gini {gini:.2f}")
    axis.legend(loc="upper left")
    low = float(np.interp(0.8, curve["share_of_customers"], curve["share_of_revenue"]))
    alt = (
        f"Lorenz curve of revenue over customers, Gini {gini:.2f}. The 80 % of customers who spend least bring {low:.0%} of revenue, "
        f"the other 20 % bring {1 - low:.0%}."
    )
    return Picture(figure, alt)
