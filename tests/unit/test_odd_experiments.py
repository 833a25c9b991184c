"""Odd tests through the cells of the A/B notebook: each has a clear result, or is refused with what is wrong."""

import nbformat
import numpy as np
import pandas as pd
import pytest
from ibis import memtable

import customerlab
from customerlab.errors import CustomerlabError
from helpers import own_notebooks

pytestmark = pytest.mark.slow


class Lab:
    """A run that keeps what a notebook saves, records and says."""

    def __init__(self, units):
        self.units, self.saved, self.recorded, self.said, self.shown = memtable(units), None, {}, [], []

    def __call__(self, *_, **__):
        return self

    def table(self, name, *, optional=False):
        assert (name == "experiment") != optional, "all but the test itself can be lacking"
        return None if optional else self.units

    def load(self, _, *, optional):
        return None

    def whose(self, _):
        return ""

    def source(self, _):
        return dict.fromkeys(("title", "licence", "citation", "currency"), "-")

    def save(self, name, table, key, csv=False):
        assert not table.duplicated(key).any() and not table[key].isna().any(axis=None)
        self.saved = table if name == "experiment_effects" else self.saved

    def record(self, **metrics):
        self.recorded = metrics

    def findings(self, *sentences, section=""):
        self.said += sentences

    def show(self, item, caption, formats=None, *, fold=0, headline=False):
        self.shown.append(caption)
        assert item.png() if hasattr(item, "png") else set(formats or ()) <= set(item.columns)


@pytest.fixture
def analysed(monkeypatch):
    """Executes the notebook's cells on a table; parameters by name."""
    path = next(one.path for one in own_notebooks() if one.path.stem == "05_ab_analysis")
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]

    def analyse(frame, **parameters):
        lab, names = Lab(frame), {}
        for name, instead in (("Run", lab), ("show", lab.show), ("findings", lab.findings)):
            monkeypatch.setitem(vars(customerlab), name, instead)
        for cell in cells:
            exec(cell.source, names)
            if cell.metadata.get("tags") == ["parameters"]:
                assert set(parameters) <= set(names)
                names |= {"simulations": 100} | parameters
        return lab

    return analyse


def units(n=600, arms=("control", "a", "b"), seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "unit_id": [f"{i:05d}" for i in range(n)],
            "variant": np.resize(list(arms), n),
            "outcome_visit": (rng.random(n) < 0.2).astype(float),
            "outcome_spend": rng.gamma(0.2, 50, n),
        }
    )


def days(frame):
    """With days, and covariates of every kind, some of them missing."""
    number = np.arange(len(frame))
    return frame.assign(
        exposed_at=pd.Timestamp("2024-01-01") + pd.to_timedelta(number // 3 % 9, unit="D"),
        covariate_colour=np.where(number % 7 == 0, None, np.where(number % 2, "red", "blue")),
        covariate_age=np.random.default_rng(1).normal(40, 10, len(frame)), covariate_same="x",
    )  # fmt: skip


def changed(frame, rows, column, value):
    frame.loc[rows, column] = value
    return frame


def in_arm(arm, value):
    frame = units()
    return changed(frame, frame["variant"] == arm, ["outcome_visit", "outcome_spend"], value)


def lost(frame):
    """Half of an arm's units of the third day: too few to be seen in the whole."""
    third = (frame["variant"] == "a") & (frame["exposed_at"].dt.day == 3)
    return frame[~(third & (frame.index % 2 == 0))]


def totals():
    """Sums of days, of which the other arm converts better."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"variant": ["control", "a"] * 28, "outcome_visitors": rng.poisson([1100, 990] * 28) * 1.0})
    frame["outcome_order"] = rng.binomial(frame["outcome_visitors"].astype(int), [0.1, 0.13] * 28) * 1.0
    return frame.assign(
        unit_id=[f"row {i}" for i in range(1, 57)], assigned_at=pd.date_range("2024-03-01", periods=28).repeat(2)
    )


SOUND = {
    "nothing in an arm": lambda: in_arm("a", 0.0),
    "nothing in the control": lambda: days(in_arm("control", 0.0)),
    "nothing at all": lambda: units().assign(outcome_visit=0.0, outcome_spend=0.0),
    "the same everywhere": lambda: days(units().assign(outcome_visit=1.0, outcome_spend=3.0)),
    "two units an arm": lambda: units(6),
    "thirty arms": lambda: units(1500, ["control", *(f"arm {i}" for i in range(29))]),
    "losses": lambda: units().assign(outcome_spend=-np.random.default_rng(2).gamma(0.2, 50, 600)),
    "nothing in the first days": lambda: changed(days(units()), slice(0, 4), "outcome_spend", 0.0),
    "visits of a few customers": lambda: days(units()).assign(
        assigned_id=[f"{i % 3} of {i // 12}" for i in range(600)]
    ),
    "one outcome, no money": lambda: days(units()).drop(columns="outcome_spend"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough) if name == "thirty arms" else name for name in SOUND]
)
def test_odd_tests_have_a_clear_result(name, analysed):
    lab = analysed(SOUND[name]())
    arms, outcomes = lab.recorded["arms"], lab.saved["outcome"].nunique()
    assert lab.recorded["split_sound"] == 1 and len(lab.saved) == (arms - 1) * outcomes
    assert any(
        " over control" in one or "better or worse than control" in one or "is better than control" in one
        for one in lab.said
    )
    assert not any(" nan" in one.lower() or "inf " in one for one in lab.said)


BROKEN = {
    "a value missing": (lambda: changed(units(), 3, "outcome_spend", np.nan), {}, "missing outcomes: spend in control"),
    "a value without end": (lambda: changed(units(), 3, "outcome_spend", np.inf), {}, "infinite outcomes: spend"),
    "units in several arms": (
        lambda: changed(units(), slice(0, 20), "unit_id", [f"{i // 2:05d}" for i in range(21)]), {}, "units in several arms",
    ),
    "a unit twice": (lambda: changed(units(), 3, "unit_id", "00000"), {}, "1 unit has several rows in one arm"),
    "nine to one, planned equal": (lambda: units(arms=["control"] * 9 + ["a"]), {}, "control has 90.00% of the units"),
    "equal, planned nine to one": (
        lambda: units(arms=["control", "a"]), {"planned_split": ["control: 9", "a: 1"]}, "planned 90.00%",
    ),
    "totals of days": (
        lambda: totals(), {"ratios": ["order / visitors"], "primary": "order / visitors"}, "one row per unit: a row has visitors = ",
    ),
    "one row an arm": (lambda: totals().drop_duplicates("variant"), {}, "and each arm has one row: these look like totals of each arm"),
    "days of units": (
        lambda: days(units()).assign(unit_id=[f"{i // 12}-{i % 3}" for i in range(600)]), {}, "rows look like days (or weeks) of units",
    ),
    "exposed before it began": (lambda: days(units()), {"test_began": "2024-01-02"}, "69 units exposed before"),
    "one unit in an arm": (
        lambda: units(301, ["control"] * 300 + ["a"]), {"planned_split": ["control: 300", "a: 1"]}, "enough units: the smallest arm has 1",
    ),
    "lost on one day": (
        lambda: lost(days(units(9_000))), {}, "sample ratio by day",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_test_that_is_not_sound_has_no_effects(name, analysed):
    frame, parameters, why = BROKEN[name]
    lab = analysed(frame(), **parameters)
    assert lab.recorded["split_sound"] == 0 and lab.saved.empty and lab.recorded["clear_effects"] == 0
    assert any(one.startswith("No conclusion is drawn from this test.") and why in one for one in lab.said)
    allowed = ("Units by arm", "Are the arms filled", "Validity checks: ")
    assert len(lab.shown) >= 2 and all(one.startswith(allowed) for one in lab.shown), "nothing to be read as an effect"
    assert len(lab.shown) == 2 or "one row per unit" not in why, "no split of what are no units"


REFUSED = {
    "no control": (lambda: units(arms=["a", "b"]), {}, "the arms are 'a', 'b'"),
    "an arm that was not planned": (lambda: units(), {"planned_split": ["control: 1", "a: 1"]}, "each of the arms"),
    "no such metric": (lambda: units(), {"primary": "sales"}, "primary: 'sales'"),
    "no such guardrail": (lambda: units(), {"guardrails": ["sales: 0.1"]}, "guardrails: 'sales'"),
    "no such covariate": (lambda: days(units()), {"segment_by": ["size"]}, "segment_by: 'size'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_refused(name, analysed):
    frame, parameters, why = REFUSED[name]
    with pytest.raises((ValueError, CustomerlabError), match=why):
        analysed(frame(), **parameters)


def test_findings_link_to_sections_that_the_notebook_has():
    path = next(one.path for one in own_notebooks() if one.path.stem == "05_ab_analysis")
    cells = nbformat.read(path, as_version=4).cells
    headings = {line[3:] for cell in cells for line in cell.source.splitlines() if line.startswith("## ")}
    said = customerlab.analysis.experiment.sentences
    assert {
        said.VALIDITY,
        said.POWER,
        said.EFFECTS,
        said.MONITORING,
        said.BAYES,
        said.SEGMENTS,
        said.DECISION,
    } <= headings


def test_nine_to_one_as_planned_is_sound(analysed):
    lab = analysed(units(arms=["control"] * 9 + ["a"]), planned_split=["control: 9", "a: 1"])
    assert lab.recorded["split_sound"] == 1 and len(lab.saved) == 2


LEFT_OUT = "Left out: no days with twenty units in every arm."


@pytest.mark.thorough
def test_without_times_in_the_control_the_days_are_left_out(analysed):
    frame = days(units())
    lab = analysed(frame.assign(exposed_at=frame["exposed_at"].where(frame["variant"] != "control")))
    assert lab.recorded["split_sound"] == 1 and lab.said.count(LEFT_OUT) == 1
    assert any(one.startswith("The test has no times on several days in every arm") for one in lab.said)


def test_more_sessions_of_less_each_are_judged_by_what_users_spend(analysed):
    """Every user of the arm spends as in the control and then some, in sessions that are worth little."""
    rng = np.random.default_rng(2)
    frame = units(900, ["control", "a"]).assign(
        assigned_id=[f"u{i:03d}" for i in range(900)], outcome_spend=rng.gamma(4, 10, 900)
    )
    again = frame[frame["variant"] == "a"].assign(outcome_spend=8.0, outcome_visit=0.0)
    lab = analysed(pd.concat([frame, again.assign(unit_id="x" + again["unit_id"])]))
    assert lab.recorded["split_sound"] == 1 and lab.recorded["units"] == 900
    assert any(one.startswith("The treatment changes how many rows there are: a has 2 rows") for one in lab.said)
    assert any(one.startswith("a is better than control: spend is higher by +8") for one in lab.said)
    assert any(one.startswith("Effects per assigned unit (of sums) and per row (of means)") for one in lab.shown)


def test_a_unit_in_two_arms_is_set_aside_and_the_rest_is_judged(analysed):
    lab = analysed(changed(units(), 3, "unit_id", "00004"))
    assert lab.recorded["split_sound"] == 1 and lab.recorded["units"] == 598
    assert any(one.startswith("1 of 599 units is in several arms and excluded") for one in lab.said)


@pytest.mark.thorough
def test_a_test_that_is_not_finished_is_not_decided(analysed):
    frame = days(units(1500))
    frame.loc[(frame["variant"] == "a") & (frame.index % 2 == 0), "outcome_visit"] = 1.0
    lab = analysed(frame, primary="visit")
    assert any(one.startswith("a is better than control: visit is higher") for one in lab.said)
    early = analysed(frame, primary="visit", planned_units=9_000)
    assert any(one.startswith("The test is not finished: 1,500 of 9,000 planned units") for one in early.said)
    assert not any(one.startswith(("Roll out", "a is better")) for one in early.said)


def test_an_arm_that_brings_complaints_is_not_rolled_out(analysed):
    frame = units(1500).rename(columns={"outcome_visit": "outcome_complaint"})
    frame.loc[(frame["variant"] == "a") & (frame.index % 2 == 0), "outcome_complaint"] = 1.0
    lab = analysed(frame, primary="complaint", less_is_better=["complaint"], guardrails=["complaint: 0.05"])
    assert any(
        one.startswith("No arm is recommended over control: complaint is significantly worse in a, and")
        for one in lab.said
    )
    assert any("significantly worse" in one for one in lab.said)


@pytest.mark.thorough
def test_a_test_of_few_units_has_no_ratio_and_no_sequence(analysed):
    frame = days(units(24)).assign(outcome_conversion=[1.0, 1.0, 1.0] + [0.0] * 21)
    lab = analysed(frame)
    assert any(
        one.startswith("spend / conversion is left out: only 1 units of an arm have any conversion") for one in lab.said
    )
    assert LEFT_OUT in lab.said and set(lab.saved["outcome"]) == {"visit", "spend", "conversion"}


@pytest.mark.thorough
def test_with_many_arms_the_findings_stay_readable(analysed):
    frame = units(6000, ["control", *(f"arm {i}" for i in range(29))])
    frame["covariate_age"] = np.random.default_rng(1).normal(40, 10, len(frame))
    frame.loc[frame["variant"] != "control", "outcome_visit"] = 1.0
    lab = analysed(frame, primary="visit", money_outcome="")
    assert len(lab.said) < 60 and len(lab.shown) < 40 and len(lab.saved) == 58
    assert any(one.startswith("Expect a smaller effect than estimated: ") for one in lab.said)


def test_a_test_of_another_shop_recommends_nothing_here(analysed, monkeypatch):
    sentence = "These data are not this shop's: they were measured in another one."
    monkeypatch.setattr(Lab, "whose", lambda self, _: sentence)
    frame = units(1500)
    frame.loc[(frame["variant"] == "a") & (frame.index % 2 == 0), "outcome_visit"] = 1.0
    lab = analysed(frame, primary="visit", cost_per_unit=0.01)
    place = next(n for n, one in enumerate(lab.said) if one.endswith("Nothing is recommended to this shop."))
    assert lab.said[place].startswith(sentence)
    assert lab.said[place - 1].startswith("In this test of another shop, a was better than control")
    assert not any("Roll out" in one or "recommended over" in one for one in lab.said)


def test_an_unusual_split_is_said_after_the_decision(analysed):
    frame = units(1500, arms=["control", "a"]).drop(range(0, 200, 2))  # 650 to 750: p = .0075
    lab = analysed(frame)
    place = [n for n, one in enumerate(lab.said) if one.startswith("The split is unusual")][-1]  # among the findings
    assert "better or worse than control" in lab.said[place - 1] and lab.recorded["split_sound"] == 1
