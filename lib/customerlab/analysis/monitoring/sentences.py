"""What is said of segments over time, as sentences: decisions first, each with what it rests on."""

import pandas as pd
from scipy.stats import binomtest

from customerlab.analysis.inference import too_few
from customerlab.analysis.monitoring.changes import SEASON
from customerlab.analysis.monitoring.decisions import KEEP, LEVEL, RECALIBRATE, REFIT, WATCH
from customerlab.analysis.monitoring.estimated import METRICS
from customerlab.analysis.monitoring.evolution import SURVIVES
from customerlab.analysis.monitoring.evolving import Evolving
from customerlab.analysis.monitoring.hidden import Choice, Hidden
from customerlab.analysis.monitoring.joint import Discrepancy, Separation
from customerlab.analysis.monitoring.lifecycle import ACTIVE, AT_RISK, DORMANT, GROWTH, NEW, REACTIVATED
from customerlab.analysis.monitoring.migration import Kept
from customerlab.formats import interval, p_value, percent, short
from customerlab.wording import Led

VERBS = {REFIT: "Refit", RECALIBRATE: "Recalibrate", WATCH: "Watch", KEEP: "Keep"}


def by_decisions(decided: pd.DataFrame) -> list[str]:
    """What to do with each model, the most pressing first."""
    order = decided["decision"].map(list(VERBS).index)
    rows = decided.assign(order=order).sort_values(["order", "model"], kind="stable").to_dict("records")
    found: list[str] = [
        Led(f"{VERBS[row['decision']]} the {row['model']}", f". {row['reason']}")
        for row in rows
        if row["decision"] != KEEP
    ]
    kept = [row["model"] for row in rows if row["decision"] == KEEP]
    if kept:
        *most, last = kept
        lead = f"Keep the {', '.join(most)}{' and ' * bool(most)}{last}"
        found.append(
            Led(
                lead,
                ": no rule asks for more, or there are too few outcomes to tell. The table of decisions has each reason.",
            )
        )
    return found


def by_lifecycle(sizes: pd.DataFrame, growth: pd.DataFrame, currency: str) -> list[str]:
    """Customers by state at the last month's end, and what made the last month's revenue."""
    last, day = sizes.iloc[-1], sizes.index[-1]
    total = int(last.sum())
    here = int(last[[NEW, REACTIVATED, ACTIVE]].sum())
    said = [
        f"On {day:%Y-%m-%d}, {here:,} of {total:,} customers ({percent(here / total)}) are new, active or reactivated; "
        f"{percent(last[AT_RISK] / total)} are at risk and {percent(last[DORMANT] / total)} dormant."
    ]
    if len(growth):
        row = growth.iloc[-1]
        parts = ", ".join(f"{name} {row[name]:+,.0f}" for name in GROWTH if row[name])
        said.append(
            f"Net revenue of {row['month']:%Y-%m} is {short(row['revenue'])} {currency}, {short(row['before'])} the month before. "
            f"By what customers did against the month before (won back ordered in this one only, lapsed in that one only): {parts}."
        )
    return said


def by_migration(kept: Kept, panel: Kept, stays: pd.DataFrame, tests: pd.DataFrame) -> list[str]:
    """How many keep their segment, where they stay longest, and whether one matrix describes it."""
    if not kept.customers:
        return ["Migration between segments is not described: no customer is known on two of the days."]
    found = [
        f"In a month {percent(kept.share)} of customers keep their RFM segment; {percent(kept.shuffled)} would if segments were dealt "
        f"out at random (Cohen's kappa {kept.kappa:.2f}, n = {kept.customers:,} customer-months)."
    ]
    if panel.customers:
        found[0] += f" Of those who are customers throughout it is {percent(panel.share)}."
    told = stays.dropna(subset="low").sort_values(["share", "segment"], ascending=[False, True]).to_dict("records")
    if told:
        row = told[0]
        half = "" if row["share"] in (0, 1) else f", a half-life of {row['half_life']:.1f} months"
        found.append(
            f"{row['segment']} is the most lasting segment: {percent(row['share'])} stay for a month "
            f"({interval(row['low'], row['high'], percent)}){half}."
        )
    rows = {row["test"]: row for row in tests.dropna(subset="p").to_dict("records")}
    if "stationary" in rows:
        p, v = (rows["stationary"][name] for name in ("p", "v"))
        how = "differ significantly" if p < LEVEL else "do not differ significantly"
        found.append(f"Transition matrices of single months {how} from that of all ({p_value(p)}, Cramér's V {v:.2f}).")
    return found


def by_forecast(backtest: pd.DataFrame) -> str:
    """How good forecasts of segment sizes were on the months that were held out."""
    if backtest.empty:
        return "Forecasts of segment sizes are not validated: there are fewer than six months."
    inside = backtest["actual"].between(backtest["low"], backtest["high"]).mean()
    away = [float((backtest["actual"] - backtest[name]).abs().mean()) for name in ("expected", "today")]
    better = "less" if away[0] < away[1] else "not less"
    p = binomtest(round(inside * len(backtest)), len(backtest), 0.95, "less").pvalue
    narrow = f" The intervals are too narrow: that is significantly less than 95% ({p_value(p)})." if p < LEVEL else ""
    return (
        f"Forecasts of segment sizes a month ahead are off by {away[0]:,.1f} customers on average, {better} than the forecast that "
        f"nothing changes ({away[1]:,.1f}); {percent(inside)} of the {len(backtest)} sizes lie in their 95% interval.{narrow}"
    )


def by_hidden(choice: Choice, ends: pd.DataFrame) -> str:
    """How many states orders show, their rates, and how sure customers' states are."""
    model: Hidden | None = choice.model
    if model is None:
        return f"The hidden Markov model is not fitted: {choice.note}."
    rates = ", ".join(f"{rate:.2f}" for rate in model.rates)
    return (
        f"By BIC, months show {len(model.rates)} state{'s' * (len(model.rates) > 1)} of customers, who order on {rates} days a month. "
        f"The mean probability of a customer's most probable state is {percent(ends['probability'].mean())}. {choice.note}".strip()
    )


def by_evolution(found: Evolving | None) -> list[str]:
    """What became of the clusters in the last refit, and how much of the change is the refit's."""
    if found is None:
        return ["Clusters are not followed: there are too few customers, or too few days with enough of them."]
    last = found.events[found.events["day"] == found.days[-1]]
    counted = last.drop_duplicates(["cluster", "event"])["event"].value_counts()
    parts = ", ".join(f"{number} {event}" for event, number in counted.items())
    kept = int(counted.get(SURVIVES, 0))
    share = found.parts[found.parts["day"] == found.days[-1]].set_index("part")["share"]
    number = last.loc[last["before"] > 0, "cluster"].nunique()
    said = (
        f"Of {number} clusters of {found.days[-2]:%Y-%m-%d}, {kept} survive{'s' * (kept == 1)} the refit of "
        f"{found.days[-1]:%Y-%m-%d} (events: {parts})."
    )
    return [
        said,
        f"{percent(share['both'])} of customers changed cluster: {percent(share['customers'])} because they changed, "
        f"{percent(share['refit'])} because of the refit.",
    ]


def by_drift(rows: pd.DataFrame, named: pd.DataFrame, joint: Discrepancy, told: Separation) -> list[str]:
    """What has changed, by name, and whether a classifier tells the two periods apart."""
    if rows.empty:
        return ["Drift is not measured: nobody ordered in one of the periods."]
    tested = int(rows["p_adjusted"].notna().sum())
    names = rows.loc[rows["drifted"], "feature"].tolist()
    changes = "; ".join(f"{row.change} ({row.evidence})" for row in named.itertuples() if row.change != SEASON)
    season = "".join(f" It may be the season: {row.evidence}." for row in named.itertuples() if row.change == SEASON)
    if not tested:
        few = min(rows["reference"].min(), rows["current"].min())
        return [f"Drift: {too_few(few, 'customers of a period')}."]
    if names and "season_p" not in rows:
        season += " The log has no such period a year before, so it may be the season."
    changed = f"{len(names)} of {tested} distributions changed significantly (Holm-adjusted): {', '.join(names)}."
    found = [changed if names else f"No distribution of {tested} changed significantly (Holm-adjusted)."]
    found[0] += f" What customers did differently: {changes}." if changes else ""
    found[0] += season
    if told.auc == told.auc:
        apart = "tells" if told.p < LEVEL else "does not tell"
        found.append(
            f"A classifier {apart} customers of the two periods apart significantly (ROC AUC {told.auc:.3f}, {p_value(told.p)}; maximum "
            f"mean discrepancy {p_value(joint.p)})."
        )
    return found


def by_performance(table: pd.DataFrame | None, upcoming: pd.DataFrame | None) -> list[str]:
    """Estimated beside realised performance of the churn model, and the estimate for customers without outcomes yet."""
    if table is None:
        return ["Performance of the churn model is not estimated: a window lacks customers who churned, or who stayed."]
    (row,) = table[table["metric"] == "roc_auc"].to_dict("records")
    few = "too few for an interval" if row["low"] != row["low"] else interval(row["low"], row["high"], "{:.3f}")
    said = [
        f"The churn model's ROC AUC was estimated at {row['estimated']:.3f} before outcomes were known ({few}), and came to "
        f"{row['realised']:.3f}."
    ]
    rates = table[table["metric"].isin(METRICS[4:])]  # the others are the numbers that these are made of
    missed = rates[(rates["realised"] < rates["low"]) | (rates["realised"] > rates["high"])].to_dict("records")
    if missed:
        write = {"roc_auc": "{:.3f}".format, "brier": "{:.3f}".format}
        each = "; ".join(
            f"{str(one['metric']).replace('_', ' ').replace('roc auc', 'ROC AUC')} was estimated at {form(one['estimated'])} "
            f"({interval(one['low'], one['high'], form)}) and came to {form(one['realised'])}"
            for one, form in ((one, write.get(str(one["metric"]), percent)) for one in missed)
        )
        said.append(f"The estimate failed for {len(missed)} of {len(rates)} metrics: {each}.")
    if upcoming is not None:
        (ahead,) = upcoming.loc[upcoming["metric"] == "roc_auc", "estimated"].tolist()
        doubt = " Do not rely on it: the last estimate failed." if missed else ""
        said.append(f"For customers at risk today the ROC AUC is estimated at {ahead:.3f}.{doubt}")
    return said
