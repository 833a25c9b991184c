"""Figures of segments over time: lifecycle, growth, forecasts, drift, estimated performance."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.analysis.monitoring.lifecycle import GROWTH
from customerlab.figures.marks import rows
from customerlab.figures.rfm import migration
from customerlab.figures.style import BLUE, GREY, ORANGE, PALETTE, PERCENT, RED, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short, shortened

__all__ = ["drift", "estimated", "forecasts", "growth", "migration", "states"]

ACROSS = 5  # panels beside one another
STATES = ("#4393C3", "#009E73", "#053061", "#E89A5B", "#BDBDBD")  # new, reactivated, active, at risk, dormant


@styled
def states(sizes: pd.DataFrame) -> Picture:
    """Customers by lifecycle state at each month's end; `sizes` is that of `lifecycle.sizes`."""
    figure, axis = canvas(height=3.4)
    places, bottom = np.arange(len(sizes)), np.zeros(len(sizes))
    for name, colour in zip(sizes.columns, STATES, strict=True):
        axis.bar(places, sizes[name], bottom=bottom, color=colour, width=0.85, label=name)
        bottom = bottom + sizes[name].to_numpy()
    _months(axis, sizes.index)
    axis.yaxis.set_major_formatter(SHORT)
    axis.set_ylabel("customers")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(sizes.columns), borderaxespad=0.2)
    listed = "; ".join(
        f"{day:%Y-%m-%d}: " + ", ".join(f"{name} {sizes.loc[day, name]:,}" for name in sizes.columns)
        for day in sizes.index[[0, -1]]
    )
    return Picture(figure, f"Stacked bars of customers by state at {len(sizes)} month ends. {listed}.")


@styled
def growth(table: pd.DataFrame, currency: str) -> Picture:
    """What changed revenue from month to month, and the difference; `table` is that of `lifecycle.growth`."""
    figure, axis = canvas(height=3.6)
    places = np.arange(len(table))
    for sign in (1, -1):
        bottom = np.zeros(len(table))
        for name, colour in zip(GROWTH, PALETTE, strict=False):
            part = table[name].to_numpy() * (np.sign(table[name].to_numpy()) == sign)
            axis.bar(places, part, bottom=bottom, color=colour, width=0.8, label=name if sign > 0 else None)
            bottom = bottom + part
    axis.plot(
        places,
        table["revenue"] - table["before"],
        color="black",
        marker="o",
        markersize=3.5,
        linewidth=1.2,
        label="net change",
    )
    _months(axis, table["month"])
    axis.yaxis.set_major_formatter(SHORT)
    axis.set_ylabel(f"change of revenue, {shortened(currency, 24)}")
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    last = table.iloc[-1]
    parts = ", ".join(f"{name} {short(last[name])}" for name in GROWTH)
    return Picture(
        figure,
        f"Stacked bars of the change of monthly revenue by what customers did, {len(table)} months. {last['month']:%Y-%m}: {parts}; "
        f"net change {short(last['revenue'] - last['before'])}.",
    )


@styled
def forecasts(table: pd.DataFrame) -> Picture:
    """Forecasts of segment sizes a month ahead with intervals, and what came: `forecasts.backtest`."""
    names = list(dict.fromkeys(table["segment"]))
    lines = -(-len(names) // ACROSS)
    figure, axes = canvas(height=0.4 + 2.2 * lines, rows=lines, columns=min(len(names), ACROSS), squeeze=False)
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    said = []
    for axis, name in zip(axes.flat, names, strict=False):
        part = table[table["segment"] == name]
        axis.fill_between(
            part["day"], part["low"], part["high"], color=BLUE, alpha=0.2, linewidth=0, label="95% interval"
        )
        axis.plot(part["day"], part["expected"], color=BLUE, linestyle="--", linewidth=1.2, label="forecast")
        axis.plot(part["day"], part["actual"], color=ORANGE, marker="o", markersize=3, linewidth=1.2, label="actual")
        axis.set_title(shortened(name, 16))
        axis.set_ylim(bottom=0)
        axis.yaxis.set_major_formatter(SHORT)
        axis.set_xticks(part["day"].iloc[[0, -1]], [f"{day:%y-%m}" for day in part["day"].iloc[[0, -1]]])
        last = part.iloc[-1]
        said.append(
            f"{name} {last['expected']:,.0f} ({last['low']:,.0f} to {last['high']:,.0f}), actual {last['actual']:,}"
        )
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return Picture(
        figure,
        f"Lines of forecast and actual customers by segment. {table['day'].iloc[-1]:%Y-%m-%d}: {'; '.join(said)}.",
    )


@styled
def drift(table: pd.DataFrame) -> Picture:
    """The population stability index of each row of `changes.drift_table` that has one, and if it is significant."""
    part = table.dropna(subset="psi")
    figure, axis = canvas(height=1.2 + 0.28 * len(part))
    kinds = np.select([part["drifted"], part["seasonal"]], [0, 1], 2)
    for kind, (label, colour, mark) in enumerate(
        [
            ("changed significantly", RED, "D"),
            ("as at this season a year before", ORANGE, "s"),
            ("no significant change", GREY, "o"),
        ]
    ):
        own = kinds == kind
        if own.any():
            axis.scatter(
                part["psi"].to_numpy()[own], np.flatnonzero(own), color=colour, marker=mark, s=32, label=label, zorder=3
            )
    rows(axis, (shortened(str(row.feature), 30) for row in part.itertuples()))
    axis.set_xlim(left=0)
    axis.set_xlabel("population stability index")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.2)
    listed = "; ".join(f"{row.feature} {row.psi:.3f}" for row in part.itertuples())
    return Picture(figure, f"Population stability index by what is compared. {listed}.")


@styled
def estimated(table: pd.DataFrame, names: dict[str, str]) -> Picture:
    """Estimated metrics of a classifier with intervals, beside the realised ones; `table` as `estimated.beside`."""
    part = table.set_index("metric").loc[list(names)]
    figure, axis = canvas(width=6.4, height=1.2 + 0.42 * len(part))
    places = np.arange(len(part))
    reach = np.nan_to_num([part["estimated"] - part["low"], part["high"] - part["estimated"]])
    axis.errorbar(
        part["estimated"],
        places - 0.1,
        xerr=reach,
        fmt="o",
        color=BLUE,
        capsize=3,
        label="estimated without outcomes (95% interval)",
    )
    axis.scatter(part["realised"], places + 0.1, color=ORANGE, marker="D", s=28, label="realised", zorder=3)
    rows(axis, names.values())
    axis.xaxis.set_major_formatter(PERCENT)
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.2)
    listed = "; ".join(
        f"{names[name]} {percent(row['estimated'])} ({percent(row['low'])} to {percent(row['high'])}), realised {percent(row['realised'])}"
        for name, row in zip(names, part.to_dict("records"), strict=True)
    )
    return Picture(figure, f"Estimated and realised performance of the churn model. {listed}.")


def _months(axis: Axes, days: pd.Series | pd.Index) -> None:
    """At most nine month names under bars."""
    named = [f"{day:%Y-%m}" for day in days]
    step = max(1, -(-len(named) // 9))
    axis.set_xticks(range(0, len(named), step), named[::step])
    axis.grid(axis="x", visible=False)
