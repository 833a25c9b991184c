"""Figures of churn: how well it is predicted, what a retention offer would bring, and the time to the next order."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from customerlab.analysis.inference import happened_by
from customerlab.analysis.value.judging import MODELS, Judged
from customerlab.analysis.value.offer import Offer
from customerlab.figures.style import BLUE, GREY, ORANGE, PERCENT, RED, SEGMENTS, SHORT, Picture, canvas, styled
from customerlab.formats import percent, short, shortened

LOOKS = dict(zip(MODELS, ((GREY, "--", "s"), (ORANGE, "-.", "D"), (BLUE, "-", "o")), strict=True))


@styled
def prediction(judged: Judged) -> Picture:
    """Observed by predicted churn in tenths of customers, with intervals, and the lift of each decile, by model."""
    figure, (left, right) = canvas(height=3.6, columns=2)
    left.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    base = judged.scores["base_rate"].iloc[0]
    said = []
    for place, (model, (colour, line, marker)) in enumerate(LOOKS.items()):
        one = judged.calibration[judged.calibration["model"] == model]
        reach = [one["churned"] - one["low"], one["high"] - one["churned"]]
        left.errorbar(
            one["predicted"], one["churned"], yerr=reach, fmt=marker, color=colour, markersize=4, capsize=0, elinewidth=1,
            alpha=0.85,
        )  # fmt: skip
        deciles = judged.lift[judged.lift["model"] == model]
        right.plot(deciles["decile"], deciles["churn_rate"], color=colour, linestyle=line, marker=marker, markersize=4)
        score = judged.scores.iloc[place]
        right.plot(
            [], [], color=colour, linestyle=line, marker=marker, label=f"{model} (ROC AUC {score['roc_auc']:.3f})"
        )
        said.append(
            f"{model}: ROC AUC {score['roc_auc']:.3f}, mean predicted {percent(base + score['bias'])}, "
            f"first decile {percent(deciles['churn_rate'].iloc[0])}, last {percent(deciles['churn_rate'].iloc[-1])}"
        )
    right.axhline(base, color=GREY, linewidth=1, linestyle=":")
    right.annotate(
        f"base rate {percent(base)}", (10, base), xytext=(0, 3), textcoords="offset points", ha="right", fontsize=8
    )
    for axis in (left, right):
        axis.yaxis.set_major_formatter(PERCENT)
        axis.set_ylim(0, 1.02)
    left.xaxis.set_major_formatter(PERCENT)
    left.set(xlabel="predicted probability of churn", ylabel="share that churned", xlim=(0, 1.02))
    right.set(xlabel="decile, highest probability first", xticks=range(1, 11))
    figure.legend(loc="outside upper left", ncols=3, fontsize=8)
    return Picture(
        figure, f"Churn observed by churn predicted, and by decile; {percent(base)} churned in all. {'; '.join(said)}."
    )


@styled
def discrimination(judged: Judged) -> Picture:
    """ROC curves, and precision by recall, of each model, with a 95% band for the recommended one."""
    figure, (left, right) = canvas(height=3.6, columns=2)
    base, said = judged.scores["base_rate"].iloc[0], []
    left.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    right.axhline(base, color=GREY, linewidth=1, linestyle=":", label=f"random order ({percent(base)})")
    for model, (colour, line, _) in LOOKS.items():
        curve = judged.curves[judged.curves["model"] == model]
        for axis, name in ((left, "recall"), (right, "precision")):
            axis.plot(curve["at"], curve[name], color=colour, linestyle=line, label=model if axis is left else None)
            if model == judged.best:
                band = (curve[f"{name}_low"], curve[f"{name}_high"])
                axis.fill_between(curve["at"], *band, color=colour, alpha=0.15, linewidth=0)
        fifth, half = (
            float(np.interp(at, curve["at"], curve[name])) for at, name in ((0.2, "recall"), (0.5, "precision"))
        )
        said.append(
            f"{model}: recall {percent(fifth)} at a false-positive rate of 20%, precision {percent(half)} at a recall of 50%"
        )
    for axis in (left, right):
        axis.xaxis.set_major_formatter(PERCENT)
        axis.yaxis.set_major_formatter(PERCENT)
        axis.set(xlim=(0, 1), ylim=(0, 1.02))
    left.set(xlabel="false-positive rate", ylabel="recall")
    right.set(xlabel="recall", ylabel="precision")
    figure.legend(loc="outside upper left", ncols=4, fontsize=8)
    return Picture(
        figure, f"ROC and precision-recall curves. {'; '.join(said)}. A random order has precision {percent(base)}."
    )


@styled
def profit(found: Offer, currency: str) -> Picture:
    """Profit of a retention offer by the share of customers contacted, with a 95% band, and the break-even."""
    figure, axis = canvas(height=3.4)
    curve, (best, everybody) = found.curve, found.chosen.to_dict("records")
    axis.axhline(0, color=GREY, linewidth=1)
    axis.fill_between(curve["share"], curve["low"], curve["high"], color=BLUE, alpha=0.15, linewidth=0, label="95% CI")
    axis.plot(curve["share"], curve["profit"], color=BLUE, linewidth=2, label="profit")
    reach = (
        f"break-even: probability of churn {percent(found.break_even)}"
        if found.break_even <= 1
        else "no probability pays"
    )
    axis.axvline(
        best["share"], color=RED, linestyle="--", linewidth=1.2, label=f"{reach}\n(contacts {percent(best['share'])})"
    )
    axis.plot(best["share"], np.interp(best["share"], curve["share"], curve["profit"]), "o", color=RED, markersize=6)
    axis.xaxis.set_major_formatter(PERCENT)
    axis.yaxis.set_major_formatter(SHORT)
    axis.set(
        xlabel="share of customers contacted, highest expected profit first",
        ylabel=f"profit in {currency}",
        xlim=(0, 1),
    )
    figure.legend(loc="outside upper left", ncols=3, fontsize=8)
    return Picture(
        figure,
        f"Curve of profit by the share of customers contacted. Contacting {best['customers']:,} ({percent(best['share'])}; {reach}) brings "
        f"{short(best['profit'])} {currency}, 95% CI {short(best['low'])} to {short(best['high'])}; contacting everybody "
        f"{short(everybody['profit'])} {currency}, which is {short(found.more[0])} less.",
    )


@styled
def survival(curves: Mapping[str, pd.DataFrame], days: int, since: str) -> Picture:
    """Kaplan-Meier curves of the share that ordered again, by group, from the latest or best group to the last.

    `curves` as `survival.curves` returns them, `since` what days count from, such as ``the first order``. The alt text
    has the shares after so many `days`.
    """
    figure, axis = canvas(height=3.8)
    tones = [SEGMENTS[round(place)] for place in np.linspace(0, len(SEGMENTS) - 1, max(len(curves), 1))]
    ends, said = [], []
    for place, (name, table) in enumerate(curves.items()):
        x, y = np.append(0, table["days"]), np.append(0, table["share"])
        axis.step(
            x,
            y,
            where="post",
            color=tones[place],
            linewidth=2,
            linestyle=("-", "--", "-.")[place % 3],
            label=shortened(name, 28),
        )
        ends.append(y[-1])
        if x[-1] >= days:
            said.append(f"{name} {percent(happened_by(table, (days,))[days])}")
    axis.yaxis.set_major_formatter(PERCENT)
    axis.set(ylim=(0, 1), xlim=(0, None), xlabel=f"days since {since}", ylabel="share that ordered again")
    handles, labels = axis.get_legend_handles_labels()
    order = np.argsort(-np.array(ends), kind="stable")
    figure.legend(
        [handles[place] for place in order], [labels[place] for place in order], loc="outside right upper", fontsize=8.5
    )
    listed = f"; after {days} days: {', '.join(said)}" if said else ""
    return Picture(figure, f"Curves of the share of customers who ordered again by days since {since}{listed}.")
