"""Figures of the experiment."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, DateFormatter

from customerlab.analysis.experiment.decision import relative
from customerlab.analysis.experiment.targeting import CHOSEN, Curves
from customerlab.figures import marks
from customerlab.figures.style import BLUE, GREEN, GREY, ORANGE, PALETTE, PERCENT, RED, SKY, Picture, canvas, styled
from customerlab.formats import shortened


@styled
def relative_effects(decided: pd.DataFrame, control: str, confidence: float) -> Picture:
    """Relative effects with simultaneous intervals and verdicts, one row per metric and arm, the primary metric on top.

    Parameters
    ----------
    decided : DataFrame
        As `analysis.experiment.decision.decision` returns it; guardrails are left out.
    control : str
        The name of the control arm.
    confidence : float
        Of the intervals.
    """
    rows = decided[~decided["guardrail"]].sort_values("primary", ascending=False, kind="stable").reset_index(drop=True)
    figure, axis = canvas(height=1.1 + 0.36 * len(rows))
    axis.axvline(0, color=GREY, linestyle="--", linewidth=1)
    said = []
    for place, row in enumerate(rows.to_dict("records")):
        verdict = row["verdict"].partition(":")[0].partition(" (")[0]
        axis.annotate(verdict, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5)
        if np.isnan(row["relative_low"]):
            axis.annotate("not defined", (0, place), xytext=(4, -3), textcoords="offset points", fontsize=8.5)
            continue
        error = [[row["relative"] - row["relative_low"]], [row["relative_high"] - row["relative"]]]
        colour = {1: GREEN, -1: RED}.get(row["sign"], GREY)
        filled = colour if row["sign"] else "white"
        axis.errorbar(row["relative"], place, xerr=error, fmt="o", color=colour, markerfacecolor=filled, capsize=3)
        said.append(f"{row['metric']} of {row['variant']} {relative(row)}, {verdict}")
        text, at = relative(row).partition(" ")[0], (row["relative"], place)
        axis.annotate(text, at, xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8.5)
    marks.rows(
        axis, [f"{shortened(row['metric'], 22)}: {shortened(row['variant'], 22)}" for row in rows.to_dict("records")]
    )
    axis.set_ylim(len(rows) - 0.5, -0.7)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:+.0%}" if value else "0%")
    axis.set_xlabel(f"relative difference from {shortened(control)}, simultaneous {100 * confidence:g}% CI")
    listed = "; ".join(said) or "none is defined"
    return Picture(figure, f"Relative effects against {control} with simultaneous {100 * confidence:g}% CIs: {listed}.")


@styled
def split_by_day(table: pd.DataFrame) -> Picture:
    """Units by day and arm, and how far each arm's share of all units so far is from the plan.

    Parameters
    ----------
    table : DataFrame
        As `analysis.experiment.split.sample_ratio_over_time` returns it. Of more than eight arms, those that are
        furthest from the plan at the end are drawn.
    """
    table = table.assign(**{end: 100 * (table[end] - table["planned"]) for end in ("share", "low", "high")})
    last = table.groupby("variant", sort=False)["share"].last()
    arms = [arm for arm in last.index if arm in last.abs().nlargest(len(PALETTE)).index]
    figure, (above, below) = canvas(height=4.4, rows=2, sharex=True, height_ratios=[1, 1.3])
    band = table.groupby("day").agg({"low": "min", "high": "max"})
    below.fill_between(band.index, band["low"], band["high"], color=GREY, alpha=0.2, label="range of a valid test")
    below.axhline(0, color=GREY, linestyle="--", linewidth=1)
    for arm, colour in zip(arms, PALETTE, strict=False):
        own = table[table["variant"] == arm].set_index("day")
        above.plot(own.index, own["units"], color=colour, marker="o", markersize=3.5, label=shortened(arm, 24))
        below.plot(own.index, own["share"], color=colour, marker="o", markersize=3.5)
    reach = 1.3 * max(table["share"].abs().iloc[len(table) // 4 :].max(), band["high"].iloc[len(band) // 4 :].max())
    below.set_ylim(-reach, reach)
    above.set_ylim(bottom=0)
    above.set_ylabel("units per day")
    below.set_ylabel("share so far minus plan,\npercentage points")
    below.xaxis.set_major_locator(AutoDateLocator(maxticks=6))
    below.xaxis.set_major_formatter(DateFormatter("%Y-%m-%d"))
    figure.legend(loc="outside upper center", ncols=5, fontsize=8.5)
    final = table[table["day"] == table["day"].max()].set_index("variant")
    out = [arm for arm in final.index if not final["low"][arm] <= final["share"][arm] <= final["high"][arm]]
    ends = ", ".join(f"{arm} {final['share'][arm]:+.1f}" for arm in arms)
    verdict = f"outside the range of a valid test: {', '.join(out)}" if out else "all within the range of a valid test"
    return Picture(
        figure,
        f"Units by day and arm, {len(band)} days. Final share minus plan, in percentage points: {ends}; {verdict}.",
    )


@styled
def over_time(table: pd.DataFrame, metric: str, variant: str, control: str, confidence: float) -> Picture:
    """Sequential monitoring: the effect of all units so far, by day, with three intervals.

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
        "always": (SKY, ":", "confidence sequence"), "group": (ORANGE, "-.", "group-sequential"), "fixed": (BLUE, "-", "fixed horizon"),
    }  # fmt: skip
    for kind, (colour, line, label) in kinds.items():
        axis.plot(place, table[f"{kind}_low"], color=colour, linestyle=line, linewidth=1.5, label=label)
        axis.plot(place, table[f"{kind}_high"], color=colour, linestyle=line, linewidth=1.5)
    axis.fill_between(place, table["fixed_low"], table["fixed_high"], color=BLUE, alpha=0.15)
    axis.plot(place, table["effect"], color="black", marker="o", markersize=3.5, linewidth=1.4, label="effect")
    axis.axhline(0, color=GREY, linestyle="--", linewidth=1)
    # the first intervals are many times wider than what is to be seen
    reach = 1.3 * np.nanmax(np.abs(table[["fixed_low", "fixed_high"]].iloc[len(table) // 4 :]))
    axis.set_ylim(-reach, reach)
    step = max(1, -(-len(table) // 6))
    axis.set_xticks(place[::step], [str(one)[:10] for one in table[look]][::step])
    axis.set_xlabel(look)
    axis.set_ylabel(f"effect on {shortened(metric)}")
    figure.legend(
        loc="outside upper center", ncols=4, fontsize=8.5, title=f"effect with {100 * confidence:g}% intervals"
    )
    last, said = table.iloc[-1], []
    for kind, (_, _, label) in kinds.items():
        if table[f"{kind}_low"].isna().all():
            continue
        outside = (table[f"{kind}_low"] > 0) | (table[f"{kind}_high"] < 0)
        first = str(table.loc[outside, look].iloc[0])[:10] if outside.any() else "never"
        ends = f"{last[f'{kind}_low']:.4g} to {last[f'{kind}_high']:.4g}"
        ends = "past the planned end" if np.isnan(last[f"{kind}_low"]) else ends
        said.append(f"{label} {ends}, first excludes zero: {first}")
    return Picture(
        figure,
        f"Line chart of the effect of {variant} on {metric} against {control} over {len(table)} looks, at the end "
        f"{last['effect']:.4g}. Intervals at the end: {'; '.join(said)}.",
    )


@styled
def gains(found: Mapping[str, Curves], outcome: str, confidence: float, learner: str = CHOSEN) -> Picture:
    """Qini curves of one learner: the gain from treating the customers with the highest predicted effects, by arm.

    Parameters
    ----------
    found : mapping of str to Curves
        By arm, up to six.
    outcome : str
        Its name.
    confidence : float
        Of the intervals.
    """
    columns = min(len(found), 3)
    lines = -(-len(found) // columns)
    figure, axes = canvas(
        height=0.6 + 2.4 * lines, rows=lines, columns=columns, sharex=True, sharey=True, squeeze=False
    )
    for axis in axes.flat[len(found) :]:
        axis.set_visible(False)
    said = []
    for axis, (arm, one), colour in zip(axes.flat, found.items(), PALETTE, strict=False):
        rows, area = one.table[one.table["learner"] == learner], one.areas.set_index("learner").loc[learner]
        axis.fill_between(rows["share"], rows["low"], rows["high"], color=colour, alpha=0.18)
        axis.plot(rows["share"], rows["gain"], color=colour, linewidth=1.6)
        axis.plot([0, 1], [0, rows["gain"].iloc[-1]], color=GREY, linestyle="--", linewidth=1)
        axis.set_title(shortened(arm, 30), fontsize=9.5)
        axis.set_xticks([0, 0.5, 1])
        axis.xaxis.set_major_formatter(PERCENT)
        ends = f"{area['area']:.3g} ({area['low']:.3g} to {area['high']:.3g})"
        said.append(f"{arm} Qini coefficient {ends}, treating all gains {rows['gain'].iloc[-1]:.4g}")
    axes[0, 0].set_ylabel(f"gain in {shortened(outcome, 20)}\nper treated customer")
    figure.supxlabel("customers treated, by predicted effect (dashed: at random)", fontsize=9.5)
    return Picture(figure, f"Qini curves of the {learner} model with {100 * confidence:g}% CIs: {'; '.join(said)}.")


@styled
def by_segment(table: pd.DataFrame, metric: str, control: str, confidence: float) -> Picture:
    """The effect in every segment with its interval, arms as colours.

    Parameters
    ----------
    table : DataFrame
        The table of `analysis.experiment.by_segment`; values with too few outcomes are left out.
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
    return Picture(figure, f"Effects on {metric} by segment with {100 * confidence:g}% CIs: {listed}.")
