"""Figures of personas and of the segment model: a card per persona, information, importance, assigned segments."""

import numpy as np
import pandas as pd

from customerlab.analysis.profile.personas import ALPHA, Persona
from customerlab.figures.marks import cells, intervals, rows, scale, share_of_row, slanted
from customerlab.figures.style import BLUE, GREY, PERCENT, Picture, canvas, styled
from customerlab.formats import percent, shortened

MOST = 12  # rows of a card


@styled
def card(persona: Persona) -> Picture:
    """What tells a persona apart: the largest standardised difference of each attribute, with its interval."""
    whole = pd.concat([part for part in (persona.who, persona.when, persona.worth) if len(part)] or [persona.who])
    known = whole.dropna(subset="effect")
    known = known.assign(size=-known["effect"].astype(float).abs().round(6), fewer=known["effect"] < 0)
    known = known.sort_values(["size", "fewer", "attribute", "level"], kind="stable")
    known = known.drop_duplicates("attribute").head(MOST)
    figure, axis = canvas(height=1.3 + 0.3 * max(len(known), 1))
    axis.set_title(f"{shortened(persona.name)}: {persona.customers:,} customers ({percent(persona.share)})")
    sure = (known["pvalue_holm"] < ALPHA).to_numpy()
    for chosen, colour, label in ((sure, BLUE, "statistically significant"), (~sure, GREY, "not significant")):
        ends = np.where(chosen[:, None], known[["effect", "effect_low", "effect_high"]].to_numpy(dtype=float), np.nan)
        if chosen.any():
            intervals(axis, ends[:, 0], ends[:, 1], ends[:, 2], colour, label=label, markersize=5)
    rows(axis, map(_named, known.to_dict("records")))
    axis.set_xlabel("standardised difference, with simultaneous 95% intervals")
    if len(known):
        axis.axvline(0, color="#555555", linewidth=0.8)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.35 / (0.3 + 0.25 * len(known))), ncols=2)
    else:
        axis.set_axis_off()
        axis.text(0.5, 0.5, "too few to tell", ha="center", transform=axis.transAxes)
    said = ". ".join(persona.statements) or "No statistically significant difference from the other customers"
    listed = "; ".join(f"{_named(row)} {row['effect']:+.2f}" for row in known.to_dict("records")) or "none"
    alt = f"Standardised differences of {persona.name} from the other customers: {listed}. {said}. {persona.certainty}"
    return Picture(figure, alt)


def _named(row: dict) -> str:
    """An attribute and its level."""
    return shortened(row["attribute"].replace("_", " ") + (f" = {row['level']}" if row["level"] else ""))


@styled
def information(table: pd.DataFrame) -> Picture:
    """Bits that each attribute says of the segment; `table` as `information` returns it."""
    known = table.dropna(subset="bits")
    figure, axis = canvas(height=1 + 0.26 * len(known))
    colours = np.where(known["pvalue_holm"] < ALPHA, BLUE, GREY)
    axis.barh(range(len(known)), known["bits"], color=colours, height=0.6)
    rows(axis, (shortened(name.replace("_", " ")) for name in known["attribute"]))
    axis.set_xlabel("information about the segment, bits (grey: not significant)")
    listed = "; ".join(
        f"{row['attribute']} {row['bits']:.3f} ({percent(row['share'])})" for row in known.to_dict("records")
    )
    return Picture(figure, f"Bars of information about the segment in bits, and share of its entropy. {listed}.")


@styled
def importance(table: pd.DataFrame) -> Picture:
    """Loss of balanced accuracy if an attribute is permuted; `table` is that of `Prediction`."""
    figure, axis = canvas(height=1 + 0.28 * len(table))
    intervals(axis, table["loss"], table["low"], table["high"], BLUE)
    axis.axvline(0, color="#555555", linewidth=0.8)
    rows(axis, (shortened(name.replace("_", " ")) for name in table["attribute"]))
    axis.set_xlabel("loss of balanced accuracy if permuted (95% interval)")
    listed = "; ".join(
        f"{row.attribute} {row.loss:.3f} ({row.low:.3f} to {row.high:.3f})" for row in table.itertuples()
    )
    return Picture(figure, f"Loss of balanced accuracy by attribute permuted. {listed}.")


@styled
def confusion(table: pd.DataFrame) -> Picture:
    """Shares of each segment's customers by the segment they are assigned; `table` is that of `Prediction`."""
    shares = table.div(table.sum(axis=1), axis=0)
    figure, axis = canvas(width=6.4, height=1.6 + 0.36 * len(table))
    texts = [[share_of_row(share) for share in row] for row in shares.to_numpy()]
    image = cells(axis, shares.to_numpy(), texts, vmin=0, vmax=1)
    axis.set_yticks(range(len(table)), [shortened(str(name)) for name in table.index])
    slanted(axis, map(shortened, table.columns))
    axis.set_ylabel("segment")
    axis.set_xlabel("assigned segment")
    scale(figure, image, axis, "share of customers", format=PERCENT)
    right = "; ".join(f"{name} {percent(shares.loc[name, name])}" for name in table.index)
    return Picture(figure, f"Heat map of segments by assigned segment. Share assigned to their own: {right}.")
