"""Figures of campaigns: rates, caused revenue, effects, times, fatigue, and profit by budget."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from customerlab.figures.marks import cells, intervals, rows, scale, slanted, withheld
from customerlab.figures.style import BLUE, GREY, PALETTE, PERCENT, RED, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short, shortened

MARKS = ("s", "^", "D", "v")
LONGEST = 24  # signs of a currency


@styled
def profit(curve: pd.DataFrame, plans: pd.DataFrame, currency: str) -> Picture:
    """Expected profit by budget with its interval, and other rules at the budget of the plan.

    `curve` is that of `profit_by_budget`, `plans` that of `rivals`, whose first is the plan.
    """
    figure, axis = canvas(height=3.4)
    axis.fill_between(
        curve["budget"], curve["low"], curve["high"], color=BLUE, alpha=0.2, linewidth=0, label="95% interval"
    )
    axis.plot(curve["budget"], curve["profit"], color=BLUE, linewidth=2, label="best plan of each budget")
    apart = [one for one in plans.to_dict("records")[1:] if abs(one["profit"] - plans["profit"].iloc[0]) >= 0.5]
    for place, plan in enumerate([plans.iloc[0].to_dict(), *apart]):
        colour, mark = (BLUE, "o") if not place else (PALETTE[place], MARKS[place - 1])
        label = shortened(plan["plan"] if place else "the plan", 30)
        axis.scatter(plan["cost"], plan["profit"], color=colour, marker=mark, s=46, label=label, zorder=3)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.xaxis.set_major_formatter(SHORT)
    axis.yaxis.set_major_formatter(SHORT)
    axis.set(xlabel=f"budget, {shortened(currency, LONGEST)}", ylabel="expected profit caused")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    said = "; ".join(
        f"{plan['plan']} {short(plan['profit'])} at {short(plan['cost'])}" for plan in plans.to_dict("records")
    )
    last = curve.iloc[-1]
    return Picture(
        figure,
        f"Line of expected profit by budget with a band. At a budget of {short(last['budget'])}: {short(last['profit'])} "
        f"({short(last['low'])} to {short(last['high'])}). {said}.",
    )


@styled
def responses(table: pd.DataFrame, currency: str) -> Picture:
    """A heat map of shrunken effects by segment, and offer and channel; `table` is that of `effects`."""
    by = table.assign(what=table["offer"] + ", " + table["channel"])
    wide = by.pivot(index="segment", columns="what", values="shrunken")
    wide = wide.loc[wide.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    figure, axis = canvas(height=1.7 + 0.32 * len(wide))
    texts = wide.map(lambda value: "" if np.isnan(value) else short(value)).to_numpy()
    image = cells(axis, wide.to_numpy(float), texts)
    withheld(axis, wide.isna().to_numpy())
    slanted(axis, (shortened(str(name), 26) for name in wide))
    axis.set_yticks(range(len(wide)), [shortened(str(name), 24) for name in wide.index])
    scale(figure, image, axis, f"{shortened(currency, LONGEST)} per message")
    best = table.dropna(subset="shrunken").sort_values("shrunken", ascending=False, kind="stable").head(5)
    said = "; ".join(
        f"{one['segment']}, {one['offer']} by {one['channel']} {short(one['shrunken'])}"
        for one in best.to_dict("records")
    )
    return Picture(
        figure,
        f"Heat map of the revenue that a message causes by segment, offer and channel; {int(wide.isna().to_numpy().sum())} cells "
        f"are not known. Largest: {said}.",
    )


@styled
def caused(table: pd.DataFrame) -> Picture:
    """Additional orders per 100 messages by offer, with intervals; `table` is that of `caused_orders`."""
    figure, axis = canvas(height=1.2 + 0.42 * len(table))
    middle, low, high = (100 * table[name].to_numpy(float) for name in ("effect", "low", "high"))
    intervals(axis, middle, low, high, BLUE)
    axis.axvline(0, color=GREY, linewidth=0.8)
    rows(axis, (shortened(str(name), 28) for name in table["offer"]))
    axis.set_ylim(len(table) - 0.5, -0.5)
    axis.set_xlabel("additional orders per 100 messages")
    said = "; ".join(
        f"{one['offer']} {100 * one['effect']:.2f} ({100 * one['low']:.2f} to {100 * one['high']:.2f})"
        for one in table.to_dict("records")
    )
    return Picture(figure, f"Dots of additional orders per 100 messages by offer, with 95% intervals. {said}.")


@styled
def rates(table: pd.DataFrame, names: dict[str, str]) -> Picture:
    """Rates by month with intervals; `table` is that of `kpis` by month, `names` columns and their labels."""
    figure, axis = canvas(height=3.2)
    places = np.arange(len(table))
    for (name, label), colour, mark in zip(names.items(), PALETTE, ("o", *MARKS), strict=False):
        axis.fill_between(places, table[f"{name}_low"], table[f"{name}_high"], color=colour, alpha=0.15, linewidth=0)
        axis.plot(places, table[name], color=colour, marker=mark, markersize=4, label=label)
    axis.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))  # 2.5% would be written 2%
    step = max(1, len(table) // 10)
    axis.set_xticks(places[::step], table["month"].iloc[::step])
    axis.yaxis.set_major_formatter(PERCENT)
    axis.set_ylim(bottom=0)
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(names), borderaxespad=0.2)
    ends = [table.iloc[place] for place in (0, -1)]
    said = "; ".join(f"{label} {percent(ends[0][name])} to {percent(ends[1][name])}" for name, label in names.items())
    return Picture(
        figure, f"Lines of rates of messages, {ends[0]['month']} to {ends[1]['month']}, with 95% intervals. {said}."
    )


@styled
def times(shares: pd.DataFrame) -> Picture:
    """A heat map of when messages are opened or clicked: shares of slots (columns) by segment (rows).

    Segments that do not differ are one row.
    """
    if np.ptp(shares.to_numpy(float), axis=0).max() < 0.01:
        shares = shares.head(1).set_axis(["all segments"])
    figure, axis = canvas(height=1.3 + 0.32 * len(shares))
    image = cells(axis, shares.to_numpy(float), shares.map(lambda value: f"{value:.0%}").to_numpy())
    axis.set_xticks(range(shares.shape[1]), shares.columns)
    axis.set_yticks(range(len(shares)), [shortened(str(name), 24) for name in shares.index])
    axis.set_xlabel("hour of the day")
    scale(figure, image, axis, "share of responses", format=PERCENT)
    best = shares.idxmax(axis=1)
    said = "; ".join(f"{name} {best[name]} ({percent(shares.loc[name, best[name]])})" for name in shares.index)
    return Picture(figure, f"Heat map of responses by hour of the day and segment. Most responses: {said}.")


@styled
def fatigue(table: pd.DataFrame, days: int) -> Picture:
    """The response to messages by how many came before, with intervals; `table` is that of `judge_cadence`."""
    part = table[table["messages"] > 0]
    figure, axis = canvas(width=6.4, height=1.3 + 0.34 * len(part))
    intervals(axis, part["rate"].to_numpy(), part["low"].to_numpy(), part["high"].to_numpy(), RED)
    rows(axis, part["before"].astype("str"))
    axis.set_xlim(left=0)
    axis.xaxis.set_major_formatter(PERCENT)
    axis.set(xlabel="share of messages with a response", ylabel=f"messages in the {days} days before")
    said = "; ".join(f"{one['before']} before {percent(one['rate'])}" for one in part.to_dict("records"))
    return Picture(
        figure, f"Dots of the response to messages by the number received in the {days} days before. {said}."
    )
