"""Sentences of who customers are: the numbers of the tables that they are made of, nothing significant, and too few."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.clustering.verdict import Judged
from customerlab.analysis.profile import sentences
from customerlab.analysis.profile.groups import by_group
from customerlab.analysis.profile.information import information
from customerlab.analysis.profile.latent import Choice, LatentClasses, choose_classes
from customerlab.analysis.profile.personas import Persona
from customerlab.analysis.profile.reference import compare
from customerlab.analysis.profile.regions import Moran, shrunken
from customerlab.analysis.profile.scales import reliability
from customerlab.formats import percent


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (
            [0.1, 0.25, 0.2],
            "3 attributes of 1,200 customers are declared. b is missing most often, for 25% of customers.",
        ),
        ([0.0, 0.0], "2 attributes of 1,200 customers are declared."),
        ([0.004], "1 attribute of 1,200 customers is declared. a is missing most often, for 0.4% of customers."),
        ([np.nan, np.nan], "2 attributes of 1,200 customers are declared."),  # the share where there are no customers
    ],
)
def test_overview(missing, said):
    found = pd.DataFrame({"attribute": list("abc")[: len(missing)], "missing": missing})
    assert sentences.by_overview(found, 1_200) == said


def test_segments_of_attributes():
    table = pd.DataFrame(
        {"clusters": [3.0, 4], "p_structure": [0.0123, 0.5], "lowest_jaccard": [0.876, 0.2]}, index=["k-medoids 3", "x"]
    )
    judged = Judged({}, {}, table, (), None, None, pd.DataFrame(), "k-medoids 3")
    said = sentences.by_judged(judged, 500)
    assert said == (
        "Segments of attributes: k-medoids 3. Its 3 segments are better separated than without structure "
        "(adjusted p = 0.012); the least stable has a bootstrap Jaccard of 0.88."
    )
    assert said.lead == "Segments of attributes: k-medoids 3"
    none = sentences.by_judged(Judged({}, {}, table, (), None, None, pd.DataFrame(), ""), 500)
    assert none.startswith("No segments of attributes are recommended: none of 2 candidates passes")
    few = sentences.by_judged(Judged({}, {}, table.head(0), (), None, None, pd.DataFrame(), ""), 12)
    assert few == "Segments of attributes: too few to tell (12 customers)."


def test_latent_classes():
    model = LatentClasses(
        sizes=pd.Series([0.6, 0.4]), probabilities=pd.DataFrame(), residuals=pd.DataFrame(), entropy_r2=0.812,
        log_likelihood=-9.0, customers=1_200, converged=True, reached=1.0, levels={},
    )  # fmt: skip
    said = "Latent classes: BIC chooses 2 classes of 1,200 customers (60%, 40%), with entropy R² 0.81."
    compared = pd.DataFrame({"classes": [1, 2, 3]})
    assert sentences.by_classes(Choice(compared, model, "")) == said
    loose = "The fit with 3 classes did not converge."
    assert sentences.by_classes(Choice(compared, model, loose)) == f"{said} {loose}"
    most = said.replace("2 classes", "2 classes, the most that were compared,")
    assert sentences.by_classes(Choice(compared.head(2), model, "")) == most


def test_one_latent_class_and_too_few_customers():
    yes = pd.DataFrame(np.random.default_rng(2).random((300, 4)) < 0.5, columns=list("abcd"))
    alone = choose_classes(yes, most=2, seed=0, starts=3)
    assert sentences.by_classes(alone).startswith("Latent classes: BIC chooses one class of 300 customers, so answers")
    few = choose_classes(yes.head(3), seed=0)
    assert sentences.by_classes(few) == "Latent classes: too few to tell (3 customers)."
    assert sentences.by_classes(None) == "Latent classes: fewer than two categorical attributes are declared."


@pytest.fixture(scope="module")
def answers():
    """Five hundred customers' answers to four items of one factor."""
    rng = np.random.default_rng(1)
    return pd.DataFrame(rng.normal(size=(500, 4)) + rng.normal(size=(500, 1)), columns=list("abcd"))


def test_a_scale(answers):
    found = reliability(answers, list("abcd"))
    assert sentences.by_scale(found) == [
        f"The survey scale has Cronbach's alpha {found.alpha:.2f} (95% CI {found.low:.2f} to {found.high:.2f}) and "
        f"McDonald's omega {found.omega:.2f}, of 500 customers who answered all items."
    ]
    (two,) = sentences.by_scale(reliability(answers, ["a", "b"]))
    assert "omega" not in two
    (noted,) = sentences.by_scale(reliability(answers.assign(d=-answers["d"], same=1), ["a", "b", "c", "d", "same"]))
    assert noted.endswith(
        "all items. same: equal for all customers and left out; d: against the others: reverse it, or leave it out."
    )


def test_a_scale_that_has_no_reliability(answers):
    assert sentences.by_scale(None) == []
    few = sentences.by_scale(reliability(answers.head(5), list("abcd")))
    assert few == ["Survey scale: too few to tell (5 customers with all answers)."]
    whole = pd.DataFrame({"a": [1, 2, 3, 4] * 10}).assign(b=lambda t: 5 - t["a"])
    assert sentences.by_scale(reliability(whole, ["a", "b"])) == [
        "Survey scale: the sum of its items is equal for all customers."
    ]


def test_groups_against_a_population():
    customers = pd.Series(["18-34"] * 60 + ["35-64"] * 120 + ["65+"] * 20)
    census = pd.DataFrame({"group": ["18-34", "35-64", "65+"], "share": [0.25, 0.5, 0.25]})
    found = compare(customers, census)  # its p: 0.125, 0.011 and 0.000
    row = found.table.set_index("group").loc["65+"]
    assert sentences.by_population(found, "age") == [
        "2 of 3 groups of age differ significantly from the reference population (Holm-adjusted). Farthest is 65+, with "
        f"index 40 (95% CI {row['index_low']:.0f} to {row['index_high']:.0f})."
    ]
    alike = compare(customers, census.assign(share=[0.3, 0.6, 0.1]))
    assert sentences.by_population(alike, "age") == [
        "No group of age has a share that differs significantly from the reference population's."
    ]
    few = compare(customers[55:65], census)
    assert sentences.by_population(few, "age") == [
        "age against the reference population: too few to tell (10 customers)."
    ]
    assert sentences.by_population(None, "") == []
    absent = compare(customers[:180], census)
    assert "Farthest is 65+, with index 0 (95% CI 0 to " in sentences.by_population(absent, "age")[0]


REGIONS = pd.DataFrame({"region": list("ENSW"), "customers": [10, 200, 300, 400], "total": [6, 80, 80, 80]})


def test_regions():
    rates = shrunken(REGIONS)  # the mean 0.27, the spread 0.079, the highest N with 0.383
    north = rates.table.set_index("region").loc["N"]
    said = (
        "The share is 27%; its standard deviation between 4 regions is 8%. Highest is region N with 38% "
        f"(95% CI {north['low']:.0%} to {north['high']:.0%}, shrunken)."
    )
    assert sentences.by_regions(rates, None, "share") == [said]
    moran = {
        "alike": Moran(0.61, -0.25, 0.004, 5, 4),
        "not significantly alike": Moran(0.1, -0.25, 0.3, 5, 4),
    }
    for word, one in moran.items():
        p = f"p = {one.p:.3f}"
        expected = f"Neighbouring regions are {word}: Moran's I {one.i:.2f}, {p}."
        assert sentences.by_regions(rates, one, "share") == [said, expected]
    unlike = Moran(-0.9, -0.25, 0.001, 5, 4)
    assert "not significantly alike" in sentences.by_regions(rates, unlike, "share")[1]
    assert sentences.by_regions(rates, Moran(np.nan, -0.25, 1.0, 5, 4), "share") == [said]
    assert sentences.by_regions(None, None, "share") == []


def test_regions_that_do_not_differ():
    same = shrunken(REGIONS.assign(total=REGIONS["customers"] // 5))
    said = "The share does not differ between 4 regions beyond chance; it is 20%."
    assert sentences.by_regions(same, None, "share") == [said]


def test_too_few_regions_and_outcomes():
    for rows, n in ((REGIONS.head(3), 3), (REGIONS.head(0), 0)):
        assert sentences.by_regions(shrunken(rows), None, "share") == [f"Regions: too few to tell ({n} regions)."]
    rare = sentences.by_regions(shrunken(REGIONS.assign(total=2)), None, "share")
    assert rare == ["Regions: too few to tell (4 regions with fewer than 20 outcomes)."]


def test_regions_of_few_customers_count_and_are_not_named():
    small = sentences.by_regions(shrunken(REGIONS, smallest=20), None, "share")[0]
    assert "between 4 regions" in small and "Highest of 2 shown is region S with 27%" in small
    hidden = sentences.by_regions(shrunken(REGIONS, smallest=1_000), None, "share")
    assert hidden == ["The share is 27%; its standard deviation between 4 regions is 8%."]


@pytest.fixture(scope="module")
def spenders():
    """Customers of two groups, one of which spends 3 more at equal behaviour."""
    n = np.arange(120)
    table = pd.DataFrame({"age": np.where(n < 60, "-40", "40+"), "orders": n % 3 + 2 * (n < 60)})
    return table.assign(spend=10.0 * table["orders"] + 3 * (n < 60) + n % 2, even=n % 2 * 1.0)


def test_groups_adjusted_for_behaviour(spenders):
    found = by_group(spenders, "spend", "age", ["orders"])
    row = found.query("group == '-40' and basis == 'adjusted'").iloc[0]
    assert row["difference"] == pytest.approx(3)
    assert sentences.by_groups(found, "age", "Net revenue") == [
        "Net revenue differs between groups of age, adjusted for earlier behaviour, against the others: -40 +3.00 "
        f"(95% CI {row['difference_low']:+.2f} to {row['difference_high']:+.2f}); 40+ -3.00 "
        f"(95% CI {-row['difference_high']:+.2f} to {-row['difference_low']:+.2f}). Intervals are simultaneous. This is an association, "
        "not an effect."
    ]
    whale = sentences.by_groups(found.assign(largest_customer=0.31), "age", "Net revenue")[0]
    assert whale.count("; one customer has 31% of its sum)") == 2
    assert sentences.by_groups(by_group(spenders, "even", "age", ["orders"]), "age", "It") == [
        "It does not differ significantly between 2 groups of age, adjusted for earlier behaviour."
    ]
    assert sentences.by_groups(None, "age", "It") == []


def test_groups_that_cannot_be_compared(spenders):
    def said(table, outcome="spend", **options):
        return sentences.by_groups(by_group(table, outcome, "age", ["orders"], **options), "age", "It")

    assert said(spenders[50:70]) == ["It by age: too few to tell (10 customers in a group)."]
    assert said(spenders.head(0)) == ["It by age: too few to tell (0 customers in a group)."]
    assert said(spenders.head(4), smallest=5) == ["It by age: too few to tell (0 customers in a group)."]
    assert said(spenders.head(60)) == ["It by age: there is one group."]
    assert said(spenders.assign(spend=0.0)) == ["It by age: it does not vary within groups."]


def test_information_of_attributes():
    table = pd.DataFrame({"home": ["flat", "house"] * 40, "coin": ["x", "x", "y", "y"] * 20}).rename(str)
    segments = pd.Series(["a", "b"] * 40).rename(str)
    found = information(table, segments, seed=1)
    home = found.set_index("attribute").loc["home"]
    assert sentences.by_information(found, "the segment") == (
        "1 of 2 attributes say something significant of the segment (Holm-adjusted). Most is said by home: "
        f"{home['bits']:.3f} bits, {percent(home['share'])} of what there is to know."
    )
    formed = sentences.by_information(information(table, segments, seed=1), "the segment", formed=True)
    assert formed.startswith("Most of the segment is said by home: ") and formed.endswith(
        "describes them and tests nothing."
    )
    nothing = sentences.by_information(information(table[["coin"]], segments, seed=1), "the segment")
    assert nothing == "No attribute says anything significant of the segment (of 1, Holm-adjusted)."
    few = sentences.by_information(information(table.head(9), segments, seed=1), "the segment")
    assert few == "What attributes say of the segment: too few to tell (9 customers)."
    nobody = sentences.by_information(information(table.head(0), segments, seed=1), "the segment")
    assert nobody == "What attributes say of the segment: too few to tell (0 customers)."


def persona(name, customers, *statements):
    """A persona of a thousand customers' share."""
    return Persona(name, customers, customers / 1_000, statements, (), "", *[pd.DataFrame()] * 4)


def test_personas():
    plain, some = (
        persona("plain", 50),
        [persona(name, n, f"age: {name}", "more") for name, n in (("a", 200), ("c", 300))],
    )
    said = sentences.by_personas([plain, *some])
    assert said == [
        "c (30%): age: c.", "a (20%): age: a.",
        "1 of 3 segments differ from the others in no attribute significantly, over all comparisons. They have 50 to 50 customers: only "
        "large differences of so few would show.",
    ]  # fmt: skip
    assert said[0].lead == "c"
    many = sentences.by_personas([*some, persona("b", 200, "age: b"), persona("d", 100, "age: d")])
    assert many == ["c (30%): age: c.", "a (20%): age: a.", "b (20%): age: b."], "of equal ones by name, three at most"
    nothing = ["No segment differs significantly from the other customers in any attribute."]
    assert sentences.by_personas([plain]) == nothing
    few = [persona("x", 19), persona("y", 3)]
    assert sentences.by_personas(few) == ["Personas: too few to tell (19 customers in the largest segment)."]
    assert sentences.by_personas([]) == ["Personas: too few to tell (0 customers in the largest segment)."]
