"""Figures of the experiment."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from customerlab.analysis.experiment.targeting import Curves
from customerlab.figures.style import BLUE, GREY, ORANGE, PALETTE, PERCENT, SKY, Picture, canvas, styled
from customerlab.formats import shortened


@styled
def relative_effects(effects: pd.DataFrame, control: str, confidence: float) -> Picture:
    """Relative effects with their intervals, one panel a metric, four in a row, arms as marks.

    Parameters
    ----------
    effects : DataFrame
        As `analysis.experiment.compare_arms` returns it, all arms compared with the control.
    control : str
        The name of the control arm.
    confidence : float
        Of the intervals.
    """
    metrics = effects["metric"].unique()
    arms = effects["variant"].unique()
    columns = min(len(metrics), 4)
    rows = -(-len(metrics) // columns)
    height = rows * (1.3 + 0.45 * len(arms))
    figure, axes = canvas(height=height, rows=rows, columns=columns, sharey=True, squeeze=False)
    for axis in axes.flat[len(metrics) :]:
        axis.set_visible(False)
    said = []
    for axis, metric in zip(axes.flat, metrics, strict=False):
        part = effects[effects["metric"] == metric].reset_index(drop=True)
        axis.axvline(0, color=GREY, linestyle="--", linewidth=1)
        for place, row in part.iterrows():
            if np.isnan(row["relative_low"]):
                axis.annotate("not defined", (0, place), xytext=(4, -3), textcoords="offset points", fontsize=8.5)
                continue
            error = [[row["relative"] - row["relative_low"]], [row["relative_high"] - row["relative"]]]
            axis.errorbar(row["relative"], place, xerr=error, fmt="o", color=PALETTE[place % len(PALETTE)], capsize=3)
            axis.annotate(
                f"{row['relative']:+.0%}",
                (row["relative"], place),
                xytext=(0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=8.5,
            )
        axis.set_yticks(np.arange(len(part)), [shortened(arm, 24) for arm in part["variant"]])
        axis.set_ylim(len(part) - 0.5, -0.6)
        axis.grid(axis="y", visible=False)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:+.0%}" if value else "0%")
        axis.xaxis.set_major_locator(MaxNLocator(4 if columns < 4 else 3))
        axis.set_title(shortened(metric, 24), fontsize=10.5 if columns < 4 else 9)
        said += [
            f"{row.variant} on {metric} {row.relative:+.0%} ({row.relative_low:+.0%} to {row.relative_high:+.0%})"
            for row in part.dropna(subset="relative_low").itertuples()
        ]
    figure.supxlabel(f"difference from {shortened(control)}, share of its mean", fontsize=9.5)
    listed = "; ".join(said) or "none is defined"
    return Picture(figure, f"Effects relative to {control} with {100 * confidence:g}% intervals: {listed}.")


@styled
def over_time(table: pd.DataFrame, metric: str, variant: str, control: str, confidence: float) -> Picture:
    """The effect of all units so far, look by look, within three intervals.

    Parameters
    ----------
    table : DataFrame
        As `analysis.experiment.over_time` returns it; its first column are the looks.
    metric, variant, control : str
        Their names.
    confidence : float
        Of the intervals.
    """
    look = table.columns[0]
    figure, axis = canvas(height=3.6)
    place = np.arange(len(table))
    kinds = {
        "always": (SKY, ":", "at all times"), "group": (ORANGE, "-.", "at planned looks"), "fixed": (BLUE, "-", "at one look"),
    }  # fmt: skip
    for kind, (colour, line, label) in kinds.items():
        axis.plot(place, table[f"{kind}_low"], color=colour, linestyle=line, linewidth=1.5, label=label)
        axis.plot(place, table[f"{kind}_high"], color=colour, linestyle=line, linewidth=1.5)
    axis.fill_between(place, table["fixed_low"], table["fixed_high"], color=BLUE, alpha=0.15)
    axis.plot(place, table["effect"], color="black", marker="o", markersize=3.5, linewidth=1.4, label="the effect")
    axis.axhline(0, color=GREY, linestyle="--", linewidth=1)
    # the first intervals are many times wider than what is to be seen
    reach = 1.3 * np.nanmax(np.abs(table[["fixed_low", "fixed_high"]].iloc[len(table) // 4 :]))
    axis.set_ylim(-reach, reach)
    step = max(1, -(-len(table) // 6))
    axis.set_xticks(place[::step], [str(one)[:10] for one in table[look]][::step])
    axis.set_xlabel(look)
    axis.set_ylabel(f"effect on {shortened(metric)}")
    figure.legend(loc="outside upper center", ncols=4, fontsize=8.5, title=f"{100 * confidence:g}% interval that holds")
    last, said = table.iloc[-1], []
    for kind, (_, _, label) in kinds.items():
        if table[f"{kind}_low"].isna().all():
            continue
        outside = (table[f"{kind}_low"] > 0) | (table[f"{kind}_high"] < 0)
        first = str(table.loc[outside, look].iloc[0])[:10] if outside.any() else "never"
        ends = f"{last[f'{kind}_low']:.4g} to {last[f'{kind}_high']:.4g}"
        ends = "past the planned end" if np.isnan(last[f"{kind}_low"]) else ends
        said.append(f"{label} {ends}, first clear of zero: {first}")
    return Picture(
        figure,
        f"Line chart of the effect of {variant} on {metric} against {control} over {len(table)} looks, at the end "
        f"{last['effect']:.4g}. Intervals at the end: {'; '.join(said)}.",
    )


@styled
def gains(found: Mapping[str, Curves], variant: str, outcome: str, confidence: float) -> Picture:
    """What treating the first share of the customers adds, by predicted effect; one row a curve, one panel a learner.

    Parameters
    ----------
    found : mapping of str to Curves
        By the name of the curve, "qini" or "uplift"; of the same learners.
    variant, outcome : str
        Their names.
    confidence : float
        Of the intervals.
    """
    learners = list(next(iter(found.values())).areas["learner"])
    figure, axes = canvas(
        height=0.6 + 2.2 * len(found),
        width=8.6,
        rows=len(found),
        columns=len(learners),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    said = []
    for line, (curve, one) in zip(axes, found.items(), strict=True):
        areas = []
        for axis, (_, area), colour in zip(line, one.areas.iterrows(), PALETTE, strict=False):
            rows = one.table[one.table["learner"] == area["learner"]]
            axis.fill_between(rows["share"], rows["low"], rows["high"], color=colour, alpha=0.18)
            axis.plot(rows["share"], rows["gain"], color=colour, linewidth=1.6)
            axis.plot([0, 1], [0, rows["gain"].iloc[-1]], color=GREY, linestyle="--", linewidth=1)
            axis.set_title(f"{area['learner']}\narea {area['area']:.3g}", fontsize=9.5)
            axis.set_xticks([0, 0.5, 1])
            axis.xaxis.set_major_formatter(PERCENT)
            areas.append(f"{area['learner']} {area['area']:.4g} ({area['low']:.4g} to {area['high']:.4g})")
        line[0].set_ylabel(f"{shortened(outcome, 24)} added\n({curve} curve)")
        said.append(
            f"{curve.capitalize()} curve, area above choosing at random: {', '.join(areas)}; treating all adds {rows['gain'].iloc[-1]:.4g}."
        )
    figure.supxlabel("customers treated", fontsize=9.5)
    return Picture(
        figure,
        f"Curves with {100 * confidence:g}% intervals of {len(learners)} learners for {variant}, a dashed line for customers chosen at "
        f"random. {' '.join(said)}",
    )


@styled
def by_segment(table: pd.DataFrame, metric: str, control: str, confidence: float) -> Picture:
    """The effect in every segment with its interval, arms as colours.

    Parameters
    ----------
    table : DataFrame
        The table of `analysis.experiment.by_segment`; segments without an effect are left out.
    metric, control : str
        Their names.
    confidence : float
        Of the intervals.
    """
    arms = sorted(table["variant"].unique())
    table = table[table["error"] > 0]
    places, labels, heads, line = {}, {}, {}, 0.0
    for segment, part in table.groupby("segment", sort=False):
        heads[line] = segment
        for value in part["value"].unique():
            line += 1
            places[segment, value], labels[line] = line, shortened(str(value), 34)
        line += 1.4
    figure, axis = canvas(height=1.2 + 0.22 * line)
    axis.axvline(0, color=GREY, linestyle="--", linewidth=1)
    said = []
    for number, arm in enumerate(arms):
        part = table[table["variant"] == arm]
        at = [
            places[key] + 0.5 * ((number + 0.5) / len(arms) - 0.5)
            for key in zip(part["segment"], part["value"], strict=True)
        ]
        error = [part["effect"] - part["effect_low"], part["effect_high"] - part["effect"]]
        axis.errorbar(
            part["effect"],
            at,
            xerr=error,
            fmt="o",
            color=PALETTE[number % len(PALETTE)],
            markersize=4,
            elinewidth=1.2,
            label=shortened(arm, 24),
        )
        for segment, rows in part.groupby("segment", sort=False):
            ends = rows.loc[[rows["effect"].idxmin(), rows["effect"].idxmax()]]
            least, most = (f"{row.effect:+,.3g} in {row.value}" for row in ends.itertuples())
            said.append(f"{arm} by {segment} {least} to {most}")
    axis.set_yticks(list(labels), list(labels.values()))
    for place, segment in heads.items():
        axis.annotate(
            shortened(str(segment), 30), (0, place), xycoords=("axes fraction", "data"), xytext=(-8, 0), textcoords="offset points",
            ha="right", va="center", weight="bold", fontsize=9.5,
        )  # fmt: skip
    axis.set_ylim(line - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel(f"effect on {shortened(metric)}, difference from {shortened(control)}")
    figure.legend(loc="outside upper center", ncols=min(len(arms), 4), fontsize=8.5)
    listed = "; ".join(said) or "none is defined"
    return Picture(figure, f"Effects on {metric} by segment with {100 * confidence:g}% intervals: {listed}.")
