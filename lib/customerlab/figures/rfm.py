"""Figures of recency, frequency and monetary value."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from customerlab.analysis.disclosure import hidden, hidden_cells
from customerlab.analysis.inference import happened_by, influence
from customerlab.analysis.rfm.repurchase import ANY
from customerlab.analysis.rfm.segments import RULES, levels
from customerlab.figures.marks import cells, intervals, rows, scale, share_of_row, slanted
from customerlab.figures.style import BLUE, GREY, ORANGE, PERCENT, RED, SEGMENTS, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short, shortened


@styled
def grid(segmented: pd.DataFrame, bins: int, smallest: int = 1, rules: pd.DataFrame = RULES) -> Picture:
    """A heat map of customers by recency and frequency score, with the outlines and names of the segments.

    Cells of fewer than `smallest` customers are not shown, nor others that would reveal them together with the sizes of
    segments.
    """
    scores = range(1, bins + 1)
    counts = pd.crosstab(segmented["f_score"], segmented["r_score"])
    counts = counts.reindex(index=scores, columns=scores, fill_value=0)
    names = segmented.pivot_table(index="f_score", columns="r_score", values="segment", aggfunc="first")
    names = names.reindex(index=scores, columns=scores).astype(object).fillna("")
    few = hidden_cells(counts, smallest, within=names)
    figure, axis = canvas(width=7.0, height=4.4)
    texts = np.where(few, "–", counts.map("{:,}".format))
    image = cells(axis, np.where(few, np.nan, counts), texts, origin="lower")
    axis.set_xticks(range(bins), scores)
    axis.set_yticks(range(bins), scores)
    _outlines(axis, bins, rules)
    axis.set(xlabel="recency score (highest: ordered most recently)", ylabel="frequency score (highest: most orders)")
    scale(figure, image, axis, "customers", pad=0.02)
    f, r = np.unravel_index(counts.to_numpy().argmax(), counts.shape)
    return Picture(
        figure,
        f"Heat map of {len(segmented):,} customers by {bins} recency and {bins} frequency scores, outlined by segment. The "
        f"largest cell is recency {r + 1}, frequency {f + 1} with {counts.to_numpy().max():,} customers; "
        f"{int((counts == 0).to_numpy().sum())} cells are empty{f', {few.sum()} have too few to be shown' if few.any() else ''}.",
    )


def _outlines(axis: Axes, bins: int, rules: pd.DataFrame) -> None:
    """The area of each segment on a grid of scores, with its name in the upper left corner."""
    mapped = levels(pd.Series(range(bins)) + 1, bins)
    for name, *spans in rules[["segment", "r_low", "r_high", "f_low", "f_high"]].itertuples(index=False, name=None):
        r, f = (mapped.index[mapped.between(*span)] for span in (spans[:2], spans[2:]))
        if len(r) and len(f):
            corner, size = (r[0] - 0.5, f[0] - 0.5), (len(r), len(f))
            axis.add_patch(Rectangle(corner, *size, fill=False, edgecolor="white", linewidth=2.5))
            look: Any = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1}
            label = shortened(str(name), round(80 / bins) * len(r))
            axis.text(r[0] - 0.45, f[-1] + 0.45, label, va="top", fontsize=7, bbox=look)


@styled
def shares(profile: pd.DataFrame) -> Picture:
    """Share of customers and share of revenue by segment; `profile` as `rfm.profile` returns it."""
    figure, axis = canvas(height=0.9 + 0.33 * len(profile))
    places = np.arange(len(profile))
    for offset, column, colour, label in (
        (-0.2, "share_of_customers", BLUE, "share of customers"),
        (0.2, "share_of_revenue", ORANGE, "share of revenue"),
    ):
        axis.barh(places + offset, profile[column].fillna(0), height=0.38, color=colour, label=label)
        for place, value in zip(places, profile[column], strict=True):
            axis.annotate(f" {percent(value)}", (value, place + offset), va="center", fontsize=8)
    rows(axis, (shortened(name, 28) for name in profile["segment"]))
    axis.xaxis.set_major_formatter(PERCENT)
    axis.margins(x=0.08)
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    columns = zip(profile["segment"], profile["share_of_customers"], profile["share_of_revenue"], strict=True)
    listed = "; ".join(f"{name} {percent(one)} of customers, {percent(two)} of revenue" for name, one, two in columns)
    return Picture(figure, f"Paired bars by segment. {listed}.")


@styled
def lorenz(curves: Mapping[str, tuple[pd.DataFrame, float]], of: str = "") -> Picture:
    """Lorenz curves against the diagonal of equality.

    `curves` has by holder, such as ``customers``, its curve as `rfm.concentration` returns it and its Gini
    coefficient; or by amount, and `of` says who holds all of them.
    """
    figure, axis = canvas(width=5.4, height=4.2)
    axis.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="equality")
    said = []
    for (holders, (curve, gini)), colour, line in zip(curves.items(), (BLUE, RED), ("-", "-."), strict=False):
        x, y = curve["share_of_holders"], curve["share_of_revenue"]
        axis.plot(x, y, color=colour, linestyle=line, linewidth=2, label=f"{holders} (Gini {gini:.2f})")
        low = float(np.interp(0.8, x, y))
        said.append(
            f"{holders} with Gini {gini:.2f}, the top 20% bring {percent(1 - low)} of revenue, the other 80% {percent(low)}"
        )
    axis.xaxis.set_major_formatter(PERCENT)
    axis.yaxis.set_major_formatter(PERCENT)
    axis.set(xlabel=f"share of {of or ' or '.join(curves)}, smallest revenue first", ylabel="share of revenue")
    axis.legend(loc="upper left")
    return Picture(figure, f"Lorenz curves of revenue: {'; '.join(said)}.")


@styled
def outcomes(table: pd.DataFrame, by_window: pd.DataFrame, days: int) -> Picture:
    """Repurchase rate and revenue per customer by segment, with intervals, and in each window.

    `table` (all windows of so many `days`) and `by_window` are the `segments` and `by_window` of `rfm.hold_out`.
    """
    figure, (left, right) = canvas(height=1.0 + 0.3 * len(table), columns=2, sharey=True)
    places = np.arange(len(table))
    labels = (f"ordered again within {days} days", f"revenue per customer in {days} days")
    order = by_window["segment"].map(dict(zip(table["segment"], places, strict=True)))
    for axis, name, colour, label in ((left, "repurchase_rate", BLUE, labels[0]), (right, "money", RED, labels[1])):
        middle = table[name].to_numpy()
        axis.scatter(by_window[name], order, s=14, color=GREY, alpha=0.7, zorder=1)
        intervals(axis, middle, table[f"{name}_low"], table[f"{name}_high"], colour, markersize=5)
        axis.set_xlabel(label)
        axis.grid(axis="y", visible=False)
        axis.set_xlim(left=min(0, axis.get_xlim()[0] if name == "money" and (middle < 0).any() else 0))
    right.set_xlim(right=1.35 * right.get_xlim()[1])
    flags = [influence(share, "customer") for share in table["largest"]]
    for place, flag in zip(places, flags, strict=True):
        text = flag.replace(" of it is", ",")
        right.annotate(text, (1, place), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=8)
    left.xaxis.set_major_formatter(PERCENT)
    right.xaxis.set_major_formatter(SHORT)
    right.xaxis.set_major_locator(MaxNLocator(4))
    left.set_yticks(places, [f"{shortened(str(row.segment), 28)} ({row.customers:,})" for row in table.itertuples()])
    left.set_ylim(len(table) - 0.5, -0.5)
    columns = zip(table["segment"], table["repurchase_rate"], table["money"], flags, strict=True)
    listed = "; ".join(
        f"{name} {percent(rate)} and {short(money)}{f' ({flag})' if flag else ''}"
        for name, rate, money, flag in columns
    )
    return Picture(figure, f"Points with intervals by segment: repurchase rate and revenue per customer. {listed}.")


@styled
def repurchase(curves: Mapping[str, pd.DataFrame], days: int) -> Picture:
    """Kaplan-Meier curves of the time to the next order with intervals, as `rfm.curves` returns them.

    The alt text gives the shares after so many `days`.
    """
    figure, axis = canvas(height=3.6)
    said = []
    looks = zip((BLUE, ORANGE, RED, GREY), ("-", "--", "-.", ":"), strict=True)
    for (after, table), (colour, line) in zip(curves.items(), looks, strict=False):
        x, y = np.append(0, table["days"]), np.append(0, table["share"])
        axis.step(x, y, where="post", color=colour, linestyle=line, linewidth=2, label=f"{after} order")
        if after != ANY:  # its waits are not independent, so that these intervals would be too short
            axis.fill_between(
                table["days"], table["low"], table["high"], step="post", color=colour, alpha=0.15, linewidth=0
            )
        if x[-1] >= days:
            said.append(f"{after} order {percent(happened_by(table, (days,))[days])}")
    axis.yaxis.set_major_formatter(PERCENT)
    axis.set(ylim=(0, 1), xlim=(0, None), xlabel="days since the order", ylabel="share that ordered again")
    axis.legend(title="after the")
    listed = f"; after {days} days: {', '.join(said)}" if said else ""
    return Picture(figure, f"Curves of the share of customers who ordered again by days since an order{listed}.")


@styled
def gains(curves: Mapping[str, pd.DataFrame], outcome: str) -> Picture:
    """Cumulative gains of an outcome, such as ``revenue``, by the rule that ranks customers."""
    figure, axis = canvas(width=5.4, height=4.0)
    axis.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="random order")
    said = []
    looks = zip((BLUE, ORANGE, RED), ("-", "--", "-."), strict=True)
    for (name, curve), (colour, line) in zip(curves.items(), looks, strict=True):
        x, y = curve["share_of_customers"], curve["share_of_outcome"]
        axis.plot(x, y, color=colour, linestyle=line, linewidth=2, label=name)
        said.append(f"the top 20% by {name} bring {percent(float(np.interp(0.2, x, y)))}")
    axis.xaxis.set_major_formatter(PERCENT)
    axis.yaxis.set_major_formatter(PERCENT)
    axis.set(xlabel="share of customers, best ranked first", ylabel=f"share of {outcome}")
    axis.legend(loc="lower right")
    return Picture(figure, f"Cumulative gains curves of {outcome}: {'; '.join(said)}.")


@styled
def migration(matrix: pd.DataFrame, smallest: int = 1) -> Picture:
    """A heat map of migration between segments in shares of each row; `matrix` is that of `rfm.migration`.

    Moves of fewer than `smallest` customers are not shown, nor others that would reveal them.
    """
    totals = matrix.sum(axis=1)
    few, small = hidden_cells(matrix, smallest), hidden(totals, smallest)
    parts = matrix.div(totals.where(totals > 0), axis=0).mask(few | small[:, None])
    sizes = ["–" if away else f"{size:,}" for away, size in zip(small, totals, strict=True)]
    heads = [f"{shortened(name, 28)} ({size})" for name, size in zip(matrix.index, sizes, strict=True)]
    figure, axis = canvas(height=1.5 + 0.34 * len(matrix))
    image = cells(axis, parts.fillna(0).to_numpy(), parts.map(share_of_row), vmin=0, vmax=1)
    slanted(axis, (shortened(name, 22) for name in matrix.columns))
    axis.set_yticks(range(len(matrix)), heads)
    axis.set(xlabel="segment at the next snapshot", ylabel="segment at a snapshot")
    scale(figure, image, axis, "share of row", format=PERCENT)
    stays = "; ".join(f"{n} {percent(parts.loc[n, n])}" for n in matrix.index if n in matrix.columns and totals[n])
    return Picture(figure, f"Heat map of migration between {matrix.shape[1]} segments. Share that stays: {stays}.")


@styled
def flows(moves: pd.DataFrame, order: Sequence[str], days: Sequence[pd.Timestamp], smallest: int = 1) -> Picture:
    """An alluvial diagram: customers by segment at each snapshot, and their moves to the next.

    Parameters
    ----------
    moves : DataFrame
        As `rfm.flows` returns it.
    order : sequence of str
        The segments, top to bottom; the last one holds those who are not yet customers.
    days : sequence of Timestamp
        The snapshots.
    smallest : int
        Moves of fewer customers are not drawn, and smaller sizes are not written.
    """
    names = list(order)
    colours = [*(SEGMENTS * (1 + len(names) // len(SEGMENTS)))[: len(names) - 1], "#FFFFFF"]
    counts = np.zeros((len(days) - 1, len(names), len(names)))
    steps, before, after = moves["step"], moves["before"].map(names.index), moves["after"].map(names.index)
    counts[steps, before, after] = moves["customers"]
    # one row per snapshot: customers before the move, and for the last one after it
    heights = np.vstack([counts.sum(axis=2), counts[-1].sum(axis=0)])
    padded = heights + 0.012 * heights.sum(axis=1).max()
    tops = padded - padded.cumsum(axis=1)
    figure, axis = canvas(width=7.6, height=4.8)
    for step, matrix in enumerate(counts):
        begin = tops[step, :, None] - np.hstack([np.zeros((len(names), 1)), matrix.cumsum(axis=1)[:, :-1]])
        end = tops[step + 1, None, :] - np.vstack([np.zeros((1, len(names))), matrix.cumsum(axis=0)[:-1]])
        for (one, two), size in np.ndenumerate(matrix):
            if size >= smallest:
                _ribbon(axis, step, begin[one, two], end[one, two], size, colours[one])
    for (step, name), size in np.ndenumerate(heights):
        if size >= smallest:
            axis.bar(step, size, bottom=tops[step, name] - size, width=0.12, color=colours[name], edgecolor="#555555")
    _label_blocks(axis, len(days) - 1, heights[-1], tops[-1], names, hidden(heights[-1], smallest))
    axis.set_xticks(range(len(days)), [f"{day:%Y-%m-%d}" for day in days])
    axis.set_yticks([])
    axis.set_xlim(-0.1, len(days) - 0.1)
    axis.grid(visible=False)
    axis.spines["left"].set_visible(False)
    last = moves[
        (moves["customers"] >= smallest) & (steps == len(days) - 2) & (before != after) & (before != len(names) - 1)
    ]
    largest = last.sort_values(["customers", "before", "after"], ascending=[False, True, True]).head(3)
    listed = "; ".join(f"{row.before} to {row.after} {row.customers:,}" for row in largest.itertuples())
    told = f"Alluvial diagram of segments at {len(days)} snapshots. Largest moves of the last step: {listed or 'none'}."
    return Picture(figure, told)


def _ribbon(axis: Axes, step: int, begin: float, end: float, size: float, colour: str) -> None:
    """A band of some width from one block to the next."""
    along = np.linspace(0, 1, 40)
    upper = begin + (end - begin) * along**2 * (3 - 2 * along)
    shade = "#BBBBBB" if colour == "#FFFFFF" else colour
    axis.fill_between(step + 0.06 + 0.88 * along, upper - size, upper, color=shade, alpha=0.55, linewidth=0)


def _label_blocks(
    axis: Axes, step: int, heights: np.ndarray, tops: np.ndarray, names: list[str], few: np.ndarray
) -> None:
    """Names beside the last blocks, pushed apart where blocks are thin."""
    low = np.inf
    for place in np.flatnonzero(heights):
        size = "–" if few[place] else f"{heights[place]:,.0f}"
        low = min(tops[place] - heights[place] / 2, low - 0.05 * heights.sum())
        axis.text(step + 0.09, low, f"{shortened(names[place], 22)} {size}", va="center", fontsize=8.5)
