"""What is said of who customers are, as sentences: each with how many customers it rests on, and how sure it is."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.clustering.verdict import Judged
from customerlab.analysis.inference import INFLUENTIAL, LEAST, enough, too_few
from customerlab.analysis.profile.latent import Choice
from customerlab.analysis.profile.personas import Persona
from customerlab.analysis.profile.reference import Representation
from customerlab.analysis.profile.regions import FEWEST, Moran, Rates
from customerlab.analysis.profile.scales import Reliability
from customerlab.formats import interval, p_value, percent
from customerlab.wording import Led

LEVEL = 0.05


def by_overview(described: pd.DataFrame, customers: int) -> str:
    """How many attributes are known of how many customers, and which are missing most."""
    most = described.sort_values("missing", kind="stable").iloc[-1]
    n = len(described)
    said = f"{n} attribute{'s' * (n != 1)} of {customers:,} customers {'is' if n == 1 else 'are'} declared."
    if most["missing"] > 0:
        said += f" {most['attribute']} is missing most often, for {percent(most['missing'])} of customers."
    return said


def by_judged(judged: Judged, customers: int) -> str:
    """Whether there are segments of attributes."""
    if not len(judged.table):
        return f"Segments of attributes: {too_few(customers, 'customers')}."
    if not judged.recommended:
        return Led(
            "No segments of attributes are recommended",
            f": none of {len(judged.table)} candidates passes every test of size, stability and separation.",
        )
    row = judged.table.loc[judged.recommended].to_dict()
    return Led(
        f"Segments of attributes: {judged.recommended}",
        f". Its {row['clusters']:.0f} segments are better separated than without structure "
        f"(adjusted {p_value(row['p_structure'])}); the least stable has a bootstrap Jaccard of {row['lowest_jaccard']:.2f}.",
    )


def by_classes(choice: Choice | None) -> str:
    """How many latent classes the categorical attributes have."""
    if choice is None:
        return "Latent classes: fewer than two categorical attributes are declared."
    if choice.model is None:
        return f"Latent classes: {choice.note}."
    k, model, note = len(choice.model.sizes), choice.model, f" {choice.note}" if choice.note else ""
    if k == 1:
        if choice.table["classes"].max() == 1:
            n = len(model.levels)
            return (
                f"Latent classes: {n} categorical attributes of {model.customers:,} customers cannot carry two.{note}"
            )
        return (
            f"Latent classes: BIC chooses one class of {model.customers:,} customers, so answers are not related by "
            f"classes.{note}"
        )
    sizes = ", ".join(percent(size) for size in model.sizes)
    most = ", the most that were compared," if k == choice.table["classes"].max() else ""
    return (
        f"Latent classes: BIC chooses {k} classes{most} of {model.customers:,} customers ({sizes}), with entropy R² "
        f"{model.entropy_r2:.2f}.{note}"
    )


def by_scale(scale: Reliability | None) -> list[str]:
    """How reliable a scale is."""
    if scale is None:
        return []
    if np.isnan(scale.alpha):
        return [f"Survey scale: {scale.note or 'the sum of its items is equal for all customers'}."]
    said = f"The survey scale has Cronbach's alpha {scale.alpha:.2f} ({interval(scale.low, scale.high, '{:.2f}')})"
    omega = "" if np.isnan(scale.omega) else f" and McDonald's omega {scale.omega:.2f}"
    note = f" {scale.note}." if scale.note else ""
    return [f"{said}{omega}, of {scale.customers:,} customers who answered all items.{note}"]


def by_population(found: Representation | None, attribute: str) -> list[str]:
    """Which groups are there more or less often than in the reference population."""
    if found is None:
        return []
    table = found.table.dropna(subset=["p_adjusted"])
    if table.empty:
        return [f"{attribute} against the reference population: {too_few(found.customers, 'customers')}."]
    told = table[table["p_adjusted"] < LEVEL]
    if told.empty:
        return [f"No group of {attribute} has a share that differs significantly from the reference population's."]
    row = told.iloc[np.abs(np.log(told["index"].clip(lower=1) / 100)).to_numpy().argmax()]
    ends = interval(row["index_low"], row["index_high"], "{:.0f}")
    return [
        f"{len(told)} of {len(table)} groups of {attribute} differ significantly from the reference population "
        f"(Holm-adjusted). Farthest is {row['group']}, with index {row['index']:.0f} ({ends})."
    ]


def by_regions(rates: Rates | None, moran: Moran | None, what: str) -> list[str]:
    """Whether regions differ, and whether neighbours are alike."""
    if rates is None:
        return []
    n, known = len(rates.table), rates.table.dropna(subset=["shrunken"])
    if np.isnan(rates.spread):
        outcomes = f" with fewer than {LEAST} outcomes" if n >= FEWEST else ""
        return [f"Regions: {too_few(n, f'regions{outcomes}')}."]
    if not rates.spread:
        return [f"The {what} does not differ between {n} regions beyond chance; it is {percent(rates.mean)}."]
    said = [
        f"The {what} is {percent(rates.mean)}; its standard deviation between {n} regions is {percent(rates.spread)}."
    ]
    if len(known):  # the others are hidden, for they have few customers
        high = known.iloc[known["shrunken"].to_numpy().argmax()]
        ends, among = interval(high["low"], high["high"], percent), f" of {len(known)} shown" if len(known) < n else ""
        said[0] += f" Highest{among} is region {high['region']} with {percent(high['shrunken'])} ({ends}, shrunken)."
    if moran is not None and not np.isnan(moran.i):
        alike = "alike" if moran.p < LEVEL and moran.i > moran.expected else "not significantly alike"
        said.append(f"Neighbouring regions are {alike}: Moran's I {moran.i:.2f}, {p_value(moran.p)}.")
    return said


def by_groups(table: pd.DataFrame | None, attribute: str, what: str) -> list[str]:
    """Which groups' outcomes differ, as observed and with behaviour adjusted for."""
    if table is None:
        return []
    adjusted = table[table["basis"] == "adjusted"].dropna(subset=["p_adjusted"])
    if adjusted.empty:
        fewest = int(table["customers"].fillna(0).min()) if len(table) else 0
        why = too_few(fewest, "customers in a group")
        if enough(fewest):
            why = "there is one group" if table["group"].nunique() == 1 else "it does not vary within groups"
        return [f"{what} by {attribute}: {why}."]
    told = adjusted[adjusted["p_adjusted"] < LEVEL]
    if told.empty:
        return [
            f"{what} does not differ significantly between {len(adjusted)} groups of {attribute}, adjusted for earlier behaviour."
        ]
    each = [
        f"{row['group']} {row['difference']:+,.2f} ({interval(row['difference_low'], row['difference_high'], '{:+,.2f}')}"
        + (
            f"; one customer has {percent(row['largest_customer'])} of its sum)"
            if row["largest_customer"] >= INFLUENTIAL
            else ")"
        )
        for row in told.sort_values("difference", ascending=False, kind="stable").to_dict("records")
    ]
    return [
        f"{what} differs between groups of {attribute}, adjusted for earlier behaviour, against the others: {'; '.join(each)}. Intervals "
        "are simultaneous. This is an association, not an effect."
    ]


def by_information(table: pd.DataFrame, of: str, *, formed: bool = False) -> str:
    """Which attributes say most of the segment; of segments that were `formed` of them, no test is quoted."""
    most = int(table["customers"].max()) if len(table) else 0
    table = table.dropna(subset=["pvalue_holm"])
    if table.empty:
        return f"What attributes say of {of}: {too_few(most, 'customers')}."
    told = table[table["pvalue_holm"] < LEVEL]
    if told.empty:
        return f"No attribute says anything significant of {of} (of {len(table)}, Holm-adjusted)."
    first = told.iloc[0]
    if formed:
        return (
            f"Most of {of} is said by {first['attribute']}: {first['bits']:.3f} bits, {percent(first['share'])} of what there is to know. "
            "They were formed of these attributes, so this describes them and tests nothing."
        )
    return (
        f"{len(told)} of {len(table)} attributes say something significant of {of} (Holm-adjusted). Most is said by "
        f"{first['attribute']}: {first['bits']:.3f} bits, {percent(first['share'])} of what there is to know."
    )


def by_personas(found: Sequence[Persona]) -> list[str]:
    """What tells the segments apart, a sentence for each of the three largest with a significant difference."""
    told = [one for one in sorted(found, key=lambda one: (-one.customers, one.name)) if one.statements]
    largest = max((one.customers for one in found), default=0)
    if not enough(largest):
        return [f"Personas: {too_few(largest, 'customers in the largest segment')}."]
    if not told:
        return ["No segment differs significantly from the other customers in any attribute."]
    said: list[str] = [Led(one.name, f" ({percent(one.share)}): {one.statements[0]}.") for one in told[:3]]
    plain = len(found) - len(told)
    if plain:
        few = [one.customers for one in found if not one.statements]
        said.append(
            f"{plain} of {len(found)} segments differ from the others in no attribute significantly, over all comparisons. They have "
            f"{min(few):,} to {max(few):,} customers: only large differences of so few would show."
        )
    return said
