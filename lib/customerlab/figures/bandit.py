"""Figures of decisions: rewards of actions and policies, regret of bandits and a test, and a stream of tests."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from customerlab.figures.marks import intervals, rows
from customerlab.figures.style import BLUE, GREY, PALETTE, RED, SHORT, Picture, canvas, styled
from customerlab.formats import p_value, short, shortened

MOST = 15  # actions in a figure
PER = 1_000  # decisions, that rewards are given for


@styled
def gains(table: pd.DataFrame) -> Picture:
    """What policies would have earned more than what was logged, with intervals; `table` is that of `compared`."""
    known = table.dropna(subset="gain")
    figure, axis = canvas(height=1.3 + 0.42 * len(known))
    middle, low, high = (PER * known[name].to_numpy(float) for name in ("gain", "gain_low", "gain_high"))
    intervals(axis, middle, low, high, BLUE)
    axis.axvline(0, color=GREY, linewidth=0.8)
    rows(axis, (shortened(str(name), 28) for name in known["policy"]))
    axis.set_ylim(len(known) - 0.5, -0.5)
    axis.set_xlabel(f"rewards more than as logged, per {PER:,} decisions")
    said = "; ".join(
        f"{name} {short(one)} ({short(begin)} to {short(end)})"
        for name, one, begin, end in zip(known["policy"], middle, low, high, strict=True)
    )
    return Picture(figure, f"Dots of what policies would have earned more than as logged, with 95% intervals: {said}.")


@styled
def actions(table: pd.DataFrame, logged: float) -> Picture:
    """The mean reward of each action if it were always chosen, with intervals; `table` is that of `action_values`."""
    known = table.dropna(subset="value").sort_values("value", ascending=False, kind="stable").head(MOST)
    figure, axis = canvas(height=1.3 + 0.36 * len(known))
    middle, low, high = (PER * known[name].to_numpy(float) for name in ("value", "low", "high"))
    intervals(axis, middle, low, high, BLUE)
    axis.axvline(PER * logged, color=RED, linewidth=1, linestyle="--", label="as logged")
    rows(axis, (shortened(str(name), 28) for name in known["action"]))
    axis.set_ylim(len(known) - 0.5, -0.5)
    axis.set_xlim(left=min(0.0, float(np.nanmin(low)) if np.isfinite(low).any() else 0.0))
    axis.set_xlabel(f"rewards per {PER:,} decisions")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2)
    said = "; ".join(f"{name} {short(one)}" for name, one in zip(known["action"], middle, strict=True))
    more = f" The best {len(known)} of {len(table)} are shown." if len(known) < len(table) else ""
    return Picture(
        figure,
        f"Dots of rewards per {PER:,} decisions by action, with 95% intervals: {said}. As logged {short(PER * logged)}.{more}",
    )


@styled
def regret(curves: dict[str, pd.DataFrame]) -> Picture:
    """The regret of policies over decisions with intervals, one panel a world; `curves` are those of `simulate`."""
    figure, drawn = canvas(height=3.2, columns=len(curves), sharey=True, squeeze=False)
    axes: list[Axes] = list(drawn[0])
    said = []
    for axis, (world, curve) in zip(axes, curves.items(), strict=True):
        ends = []
        for colour, (policy, part) in zip(PALETTE, curve.groupby("policy", sort=False), strict=False):
            axis.fill_between(part["decisions"], part["low"], part["high"], color=colour, alpha=0.2, linewidth=0)
            axis.plot(part["decisions"], part["regret"], color=colour, label=str(policy))
            ends.append(f"{policy} {short(part['regret'].iloc[-1])}")
        axis.set_title(world, fontsize=9)
        axis.xaxis.set_major_formatter(SHORT)
        axis.locator_params(axis="x", nbins=4)
        axis.set_xlabel("decisions")
        said.append(f"{world}: " + ", ".join(ends))
    axes[0].set_ylabel("rewards lost")
    axes[0].yaxis.set_major_formatter(SHORT)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 4))
    return Picture(
        figure, f"Lines of rewards lost against the best action at each time. At the end, {'; '.join(said)}."
    )


@styled
def tests(table: pd.DataFrame, alpha: float) -> Picture:
    """The p-values of a stream of tests and the level of each.

    `table` is that of `decide`, `alpha` its false discovery rate.
    """
    known = table.dropna(subset="p").reset_index(drop=True)
    figure, axis = canvas(height=3.0)
    places = np.arange(1, len(known) + 1)
    p = known["p"].clip(lower=1e-6)
    axis.step(places, known["level"], where="mid", color=GREY, label="level of each test")
    for found, colour, mark in ((True, BLUE, "o"), (False, RED, "x")):
        some = (known["significant"] == found).to_numpy()
        label = "significant" if found else "not significant"
        axis.scatter(places[some], p[some], color=colour, marker=mark, s=24, label=label, zorder=3)
    axis.axhline(alpha, color=GREY, linewidth=0.8, linestyle=":", label=f"{alpha:g}")
    axis.set_yscale("log")
    axis.set(xlabel="test, by time", ylabel="p-value")
    axis.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.2)
    least = known.sort_values("p", kind="stable").head(3)
    said = "; ".join(f"{one['test']}, {p_value(one['p'])}" for one in least.to_dict("records"))
    return Picture(
        figure,
        f"Dots of p-values of {len(known)} tests by time with the level of each; {int(known['significant'].sum())} are "
        f"significant, {int((known['p'] <= alpha).sum())} are at most {alpha:g}. Smallest: {said}.",
    )
