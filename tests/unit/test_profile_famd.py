"""Factor analysis of mixed data: published coordinates of 21 wines, PCA, multiple correspondence analysis."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from customerlab.analysis.profile.famd import fit_famd
from customerlab.figures.profile.maps import mixed_plane

SOILS = {"R": "Reference", "1": "Env1", "2": "Env2", "4": "Env4"}
LABELS = {"S": "Saumur", "B": "Bourgueuil", "C": "Chinon"}


def wines():
    """The sensory analysis of 21 wines of the Loire (Asselin, Morlat, Pagès), `wine` in FactoMineR, eight columns."""
    numbers = {
        "Plante": "2.000 2.000 1.750 2.304 1.762 1.750 1.826 2.080 1.875 2.000 1.955 2.042 1.957 1.826 1.750 1.917 1.913 2.000 "
        "2.080 2.292 2.174",
        "Acidity": "2.107 2.107 2.179 3.179 2.571 2.393 2.607 2.179 2.286 2.357 2.429 2.429 2.286 2.111 2.286 2.393 2.571 2.393 "
        "2.250 2.407 2.571",
        "Harmony": "3.143 2.964 3.143 2.038 3.643 3.500 3.556 3.296 3.286 2.963 3.071 3.393 3.643 3.786 3.296 3.214 3.250 3.074 "
        "2.107 2.741 3.000",
        "Intensity": "2.857 2.893 3.074 2.462 3.643 3.464 3.643 3.321 3.148 2.857 3.357 3.250 3.407 3.667 3.321 3.214 3.321 3.037 "
        "2.179 3.037 3.333",
        "Overall.quality": "3.393 3.214 3.536 2.464 3.741 3.643 3.714 3.393 3.200 3.179 3.571 3.148 3.571 3.929 3.643 3.750 3.536 "
        "3.464 2.370 2.643 2.852",
        "Typical": "3.250 3.036 3.179 2.250 3.444 3.393 3.357 3.071 3.500 2.964 3.500 3.556 3.929 3.481 3.296 3.571 3.269 3.444 "
        "2.321 2.571 2.750",
    }
    table = pd.DataFrame({name: np.array(row.split(), dtype=float) for name, row in numbers.items()})
    table.insert(0, "Label", [LABELS[x] for x in "SSBCSBBSCSSSSSBBCCBSS"])
    table.insert(1, "Soil", [SOILS[x] for x in "1112RRR11222RR1RR2144"])
    return table.set_axis([f"w{n:02d}" for n in range(21)])


def customers(seed=1, number=200):
    """Related attributes of both kinds."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=number)
    table = pd.DataFrame({
        "age": x + rng.normal(size=number), "income": x - rng.normal(size=number), "orders": rng.poisson(3, number),
        "home": np.select([x > 0.5, x < -0.7], ["farm", "flat"], "house"),
        "garden": x + rng.normal(size=number) > 0, "region": rng.choice(list("nesw"), number),
    })  # fmt: skip
    return table.set_axis([f"c{n:03d}" for n in range(number)])


def test_coordinates_of_21_wines_are_those_published_of_factominer():
    # The reference page of factoextra's get_famd prints FactoMineR's results on these eight columns.
    fitted = fit_famd(wines())
    levels = {
        ("Label", "Saumur"): [0.08238236, 0.2041021, 0.9985884, -0.3996689, -0.1453137],
        ("Label", "Bourgueuil"): [0.72578122, -1.0944657, -0.8193199, 1.0187071, -0.4092349],
        ("Label", "Chinon"): [-1.31522332, 1.0804177, -1.5171382, -0.4289712, 1.0134650],
        ("Soil", "Reference"): [2.06918009, 0.6112128, -0.2525731, 0.6853384, 0.0157536],
        ("Soil", "Env1"): [-0.30736790, -1.6929988, -0.1158917, -0.3395732, 0.3152922],
        ("Soil", "Env2"): [-1.40724432, 1.2078471, -0.5667802, -1.0387469, -0.6525117],
    }
    numbers = {
        "Plante": [-0.8569808, 0.2460731, 0.32542595, -0.06333481, 0.03215674],
        "Acidity": [-0.4162617, 0.7007982, -0.35551938, 0.33967158, -0.06772218],
        "Harmony": [0.9457255, 0.1537145, 0.20031093, -0.06044678, 0.09307236],
        "Intensity": [0.8361705, 0.3669322, 0.25569950, 0.15236464, 0.08045522],
        "Overall.quality": [0.9547617, 0.0724343, -0.09662648, -0.07379211, -0.02821680],
        "Typical": [0.8836634, 0.1646035, -0.03936739, -0.28887130, 0.02431654],
    }
    first = [-0.1213241, -1.5797151, 0.7615777, -1.1978981, 0.28209940]
    own = fitted.centres.loc[list(levels)].iloc[:, :5].to_numpy()
    signs = np.sign(own[0] / np.array(levels["Label", "Saumur"]))
    assert np.allclose(own * signs, list(levels.values()), rtol=0, atol=2e-7)
    assert np.allclose(
        fitted.correlations.loc[list(numbers)].iloc[:, :5] * signs, list(numbers.values()), rtol=0, atol=1e-7
    )
    assert np.allclose(fitted.transform(wines()).iloc[0, :5] * signs, first, rtol=0, atol=2e-7)


def test_numbers_only_are_pca_of_standardised_numbers():
    table = customers()[["age", "income", "orders"]]
    standard = (table - table.mean()) / table.std(ddof=0)
    other = PCA().fit(standard)
    fitted = fit_famd(table)
    assert np.allclose(fitted.explained["share"], other.explained_variance_ratio_, rtol=0, atol=1e-12)
    assert np.allclose(np.abs(fitted.transform(table)), np.abs(other.transform(standard)), rtol=0, atol=1e-10)
    assert np.allclose(fitted.contributions, other.components_.T**2, rtol=0, atol=1e-12)


def test_categories_only_are_a_correspondence_analysis_of_the_indicators():
    table = customers()[["home", "garden", "region"]]
    indicators = pd.get_dummies(table.astype(str)).to_numpy(dtype=float)
    p = indicators / indicators.sum()
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    u, singular, _ = np.linalg.svd((p - np.outer(rows, columns)) / np.sqrt(np.outer(rows, columns)))
    fitted = fit_famd(table)
    assert len(fitted.eigenvalues) == 2 + 1 + 3
    assert np.allclose(fitted.eigenvalues / 3, singular[:6] ** 2, rtol=0, atol=1e-12)
    principal = (u[:, :6] * singular[:6]) / np.sqrt(rows)[:, None]
    assert np.allclose(np.abs(fitted.transform(table) / np.sqrt(3)), np.abs(principal), rtol=0, atol=1e-9)


def test_contributions_are_squared_correlations_and_correlation_ratios():
    table = customers()
    fitted = fit_famd(table)
    scores = fitted.transform(table)
    links = fitted.contributions * fitted.eigenvalues
    assert np.allclose(scores.var(ddof=0), fitted.eigenvalues, rtol=0, atol=1e-10)
    assert np.allclose(fitted.contributions.sum(), 1, rtol=0, atol=1e-12)
    assert fitted.eigenvalues.sum() == pytest.approx(3 + 2 + 1 + 3, abs=1e-10)
    assert links.loc["age", "axis 2"] == pytest.approx(
        np.corrcoef(table["age"], scores["axis 2"])[0, 1] ** 2, abs=1e-12
    )
    between = scores.groupby(table["home"])["axis 1"].transform("mean").var(ddof=0)
    assert links.loc["home", "axis 1"] == pytest.approx(between / fitted.eigenvalues[0], abs=1e-12)


def test_new_rows_missing_values_and_the_order_of_rows():
    table = customers().astype({"garden": "boolean"})
    table.iloc[3, 0], table.iloc[4, 3], table.iloc[5, 4] = np.nan, None, None
    fitted = fit_famd(table)
    mixed = table.sample(frac=1, random_state=4)
    assert fit_famd(mixed).transform(table).equals(fitted.transform(table))
    assert fitted.transform(mixed.iloc[:7]).round(12).equals(fitted.transform(table).loc[mixed.index[:7]].round(12))
    home = fitted.transform(table).groupby(table["home"])["axis 1"].mean()
    assert np.allclose(fitted.centres.loc["home", "axis 1"].sort_index(), home, rtol=0, atol=1e-12)
    unknown = fitted.transform(pd.DataFrame({name: [None] for name in table}, ["new"]).assign(home="tent", age=np.nan))
    assert np.allclose(unknown, 0)


def test_constants_have_no_part_and_nothing_that_varies_is_refused():
    table = customers()[["age", "home"]]
    fitted = fit_famd(table.assign(one=1.0, same="x", gone=None))
    assert np.allclose(fitted.eigenvalues, fit_famd(table).eigenvalues, rtol=0, atol=1e-12)
    assert np.allclose(fitted.contributions.loc[["one", "same", "gone"]], 0)
    with pytest.raises(ValueError, match="No attribute varies"):
        fit_famd(table[[]].assign(one=1.0, same="x"))


def test_the_figure_names_the_levels_that_are_farthest_out():
    fitted = fit_famd(wines())
    picture = mixed_plane(fitted, fitted.transform(wines()))
    assert "21 customers" in picture.alt and "Soil Reference at" in picture.alt
    texts = {text.get_text() for text in picture.figure.axes[0].texts}
    assert texts == {*(f"Soil: {soil}" for soil in SOILS.values()), *(f"Label: {label}" for label in LABELS.values())}
    line = fit_famd(wines()[["Plante"]])
    assert "Centres of levels: none" in mixed_plane(line, line.transform(wines())).alt
