"""The simulated shop: the same seed gives the same shop, and the committed files are what it makes."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import digamma, polygamma

from customerlab.data.catalog import load_catalog
from customerlab.data.prepare import prepare
from customerlab.data.simulate import campaigns, experiments, files, simulate_shop, write_shop
from customerlab.data.simulate.people import (
    GARDENS,
    INCOME_CUTS,
    INCOMES,
    LOADINGS,
    LOG_MEAN,
    LOG_SPREAD,
    PLANTED,
    WORTH,
)
from customerlab.data.simulate.purchasing import SEGMENTS, SPEND_Q, START, calendar
from customerlab.errors import DataError
from helpers import call


@pytest.fixture(scope="module")
def shop():
    return simulate_shop(campaigns=True)


@pytest.fixture(scope="module")
def large():
    return simulate_shop(customers=20_000, seed=6, spoiled=False)


@pytest.fixture(scope="module")
def sound():
    """A shop without faults, and its orders without those that were annulled: whose, when and for how much."""
    shop = simulate_shop(customers=3_000, seed=6, spoiled=False, campaigns=True)
    log = shop.tables["transactions"].query("quantity > 0")
    log = log[~log["order_id"].isin(shop.truth["annulled"]["order_id"])]
    log = log.assign(amount=log["quantity"] * log["unit_price"])
    return shop, log.groupby("order_id").agg({"customer_id": "first", "ordered_at": "first", "amount": "sum"})


def digests(folder):
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*.*"))}


def written(shop, folder):
    """The demo's files: what people may want to read as csv, the log and the ratings as parquet."""
    for name, table in shop.tables.items():
        if name in ("transactions", "ratings", "messages", "decisions"):
            path, times = folder / f"{name}.parquet", table.select_dtypes("datetime").columns
            table.astype(dict.fromkeys(times, "datetime64[s]")).to_parquet(path, index=False, compression="zstd")
        else:
            path = folder / f"{name}.csv"
            table.to_csv(path, index=False, lineterminator="\n")
        yield path


def test_the_committed_files_are_what_the_simulator_makes(shop, root, tmp_path):
    for path in written(shop, tmp_path):
        assert path.read_bytes() == (root / "data" / "demo" / path.name).read_bytes(), path.name
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in (root / "data" / "demo").iterdir())
    assert sum(p.stat().st_size for p in (root / "data" / "demo").iterdir()) <= 3_000_000


def test_the_same_seed_gives_the_same_shop_and_another_one_another():
    first, again, other = (simulate_shop(customers=300, seed=seed, campaigns=True) for seed in (1, 1, 2))
    for name, table in first.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])
        assert name == "products" or not table.equals(other.tables[name]), name  # prices differ, names do not


def test_what_was_asked_for(shop):
    log = shop.tables["transactions"]
    assert len(shop.tables["customers"]) == 2_000 and len(shop.tables["products"]) == 1_000
    assert log["ordered_at"].dt.to_period("M").nunique() == 18
    assert shop.tables["products"]["description"].is_unique and shop.tables["products"]["category"].nunique() == 10
    assert set(shop.tables["experiment"]["variant"]) == {"control", "newsletter", "voucher"}
    assert set(shop.tables["aa_test"]["variant"]) == {"control", "control again"}
    assert set(shop.tables["ratings"]["rating"]) == {1, 2, 3, 4, 5}
    assert set(shop.truth["customers"]["segment"]) == set(SEGMENTS["segment"])


def test_keys_meet(shop):
    tables = shop.tables
    people, goods = set(tables["customers"]["customer_id"]), set(tables["products"]["product_id"])
    log = tables["transactions"]
    assert set(log["customer_id"].dropna()) - people == {"TEST"} and set(log["product_id"]) - goods == {"TEST"}
    assert all(set(tables[name]["unit_id"]) <= people for name in ("experiment", "aa_test", "broken_test"))
    sound = simulate_shop(spoiled=False).tables
    merged = sound["ratings"].merge(sound["transactions"], on=["customer_id", "product_id"], suffixes=("", "_log"))
    assert len(merged.drop_duplicates(["customer_id", "product_id"])) == len(sound["ratings"]), "rated, hence bought"
    first = merged.groupby(["customer_id", "product_id"])[["rated_at", "ordered_at"]].min()
    assert (first["rated_at"] > first["ordered_at"]).all()


def test_truth_is_in_no_table(shop, root):
    latent = {"segment", "rate_a_month", "drop", "mean_order_value", "state", "partner_id", "fault", "prone", "days"}
    for table in shop.tables.values():
        assert not latent & set(table.columns)
    assert not [p for p in (root / "data" / "demo").iterdir() if "truth" in p.name]
    catalog = load_catalog(root)
    assert not [f.path for d in catalog.values() for s in d.sources.values() for f in s.forms if "truth" in f.path]


@pytest.mark.parametrize("spoiled", [False, True])
def test_the_orders_of_a_test_are_in_the_log(spoiled):
    """Every unit's orders in the window after its mail are those that the test reports, to the cent, and no others."""
    shop = simulate_shop(customers=3_000, seed=6, spoiled=spoiled, campaigns=True)
    log = shop.tables["transactions"].query("quantity > 0 and customer_id.notna()").drop_duplicates()
    log = log[~log["order_id"].str.startswith("T")].assign(amount=lambda t: t["quantity"] * t["unit_price"])
    orders = log.groupby("order_id").agg({"customer_id": "first", "ordered_at": "min", "amount": "sum"})
    for name in ("experiment", "aa_test", "broken_test"):
        test = shop.tables[name]
        near = orders.merge(test[["unit_id", "exposed_at"]], left_on="customer_id", right_on="unit_id")
        since = near["ordered_at"] - near["exposed_at"]
        near = near[(since > pd.Timedelta(0)) & (since < pd.Timedelta(days=14))].groupby("unit_id")["amount"]
        found = near.agg(["size", "sum"]).reindex(test["unit_id"], fill_value=0)
        assert (found["size"].to_numpy() == test["conversion"]).all(), name
        assert (
            np.allclose(found["sum"], test["spend"], atol=0.005)
            and (test["spend"] > 0).eq(test["conversion"] > 0).all()
        )
        assert (test["conversion"] <= test["visit"]).all() and test["conversion"].sum() > 100
        if not spoiled:
            before = orders[orders["ordered_at"] < test["exposed_at"].min().normalize()].groupby("customer_id")[
                "amount"
            ]
            past = before.agg(["size", "sum"]).reindex(test["unit_id"])
            assert (past["size"].to_numpy() == test["past_orders"]).all() and np.allclose(
                past["sum"], test["past_spend"], atol=0.01
            )


@pytest.mark.slow
def test_types_differ_in_country_and_in_what_they_buy():
    shop = simulate_shop(customers=10_000, seed=2, spoiled=False)
    kinds = shop.truth["customers"].set_index("customer_id")["segment"]
    people = shop.tables["customers"]
    abroad = (people["country"] != "United Kingdom").groupby(people["customer_id"].map(kinds)).mean()
    assert abroad.idxmax() == "trade" and abroad["trade"] > 2 * abroad["regular"] and 0.1 < abroad.mean() < 0.25
    lines = shop.tables["transactions"].query("quantity > 0").merge(shop.tables["products"], on="product_id")
    share = pd.crosstab(lines["customer_id"].map(kinds), lines["category"], normalize="index")
    assert share["Kitchen / Table"].idxmax() == "trade" and share["Gifts / Stationery"].idxmax() == "gift giver"


def test_affinities_are_chances_and_lead_the_choices():
    shop = simulate_shop(customers=600, seed=5, spoiled=False)
    chance = shop.truth["affinities"]
    assert np.allclose(chance.sum(axis=1), 1) and (chance >= 0).all(axis=None)
    lines = shop.tables["transactions"].query("quantity > 0")
    column = chance.columns.get_indexer(lines["product_id"])
    own = chance.to_numpy()[chance.index.get_indexer(lines["customer_id"]), column]
    anyones = chance.to_numpy().mean(axis=0)[column]
    assert own.mean() > 2 * anyones.mean(), "a customer's choices are drawn to the own affinities"


def test_the_tone_of_a_text_follows_the_stars(shop):
    from customerlab.data.simulate.choice import TEXTS

    stars_of = {text: stars for stars, row in enumerate(TEXTS, 1) for text in row}
    rated = shop.tables["ratings"].dropna(subset="text")
    assert 0.3 < len(rated) / len(shop.tables["ratings"]) < 0.5
    assert (rated["text"].map(stars_of) == rated["rating"]).all()


def test_new_products_are_not_sold_before_they_come():
    shop = simulate_shop(customers=4_000, seed=3, spoiled=False)
    first = shop.tables["transactions"].groupby("product_id")["ordered_at"].min()
    late = shop.truth["products"].query("launch >= 0").set_index("product_id")["launch"]
    assert 60 <= len(late) <= 150, "products that come during the log"
    assert ((first.reindex(late.index).dropna() - START).dt.days >= late[late.index.isin(first.index)]).all()


def test_own_time_is_exact():
    time = calendar()
    assert time.passed[0] == 0 and time.passed[-1] == pytest.approx(len(time.month))
    assert (np.diff(time.passed) > 0).all() and len(time.month) == 550


def test_a_shop_on_disk_is_the_same_with_any_number_of_processes(tmp_path, monkeypatch):
    monkeypatch.setattr("customerlab.data.simulate.shop.PART", 100)
    alone = tmp_path / "alone" / "big"
    monkeypatch.setattr(
        files,
        "_parts",
        lambda *job: [files._write_part(job[0], job[1], n, size, job[3]) for n, size in enumerate(job[2])],
    )
    write_shop(alone, 250, 4, spoiled=True)
    monkeypatch.undo()
    assert len(list((alone / "transactions").iterdir())) == 3
    log = pd.read_parquet(alone / "transactions")
    assert log["customer_id"].nunique() > 200 and (alone / "truth" / "effects.csv").is_file()
    sent, known = pd.read_parquet(alone / "messages"), pd.read_csv(alone / "campaigns.csv")
    assert set(sent["campaign_id"]) == set(known["campaign_id"]), "one programme for all parts"
    caused = pd.read_parquet(alone / "truth" / "caused")
    assert len(caused) == sent["converted_at"].notna().sum() and set(caused["order_id"]) <= set(log["order_id"])
    twice = tmp_path / "twice" / "big"
    monkeypatch.setattr("customerlab.data.simulate.shop.PART", 100)
    monkeypatch.setattr(
        files,
        "_parts",
        lambda *job: [
            files._write_part(job[0], job[1], n, size, job[3]) for n, size in reversed(list(enumerate(job[2])))
        ],
    )
    write_shop(twice, 250, 4, spoiled=True)
    assert digests(alone) == digests(twice)


@pytest.mark.thorough
@pytest.mark.slow
def test_the_command_writes_a_shop_that_runs(project):
    done = call(project, "customerlab", "simulate", "tiny", "--customers", "26_000", "--seed", "3", "--faults")
    entry = done.stdout[done.stdout.index("tiny:\n") :]
    with (project / "data" / "catalog.yml").open("a") as handle:
        handle.write("\n" + entry)
    for table in ("transactions", "products", "customers", "ratings", "experiment", "campaigns", "messages"):
        rows = prepare(project, project / "outputs" / "tiny", table, "tiny").report["rows"]
        assert rows == 34 if table == "campaigns" else rows > 200
    assert len(list((project / "data" / "raw" / "tiny" / "transactions").iterdir())) == 2
    again = call(project, "customerlab", "simulate", "tiny", check=False)
    assert again.returncode == 1 and "there is a data set 'tiny' already" in again.stderr
    bad = call(project, "customerlab", "simulate", "../x", check=False)
    assert bad.returncode == 1 and "cannot name" in bad.stderr


def test_nothing_is_left_when_it_fails(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_parts", full)
    with pytest.raises(OSError):
        write_shop(tmp_path / "shop", 100, 1, spoiled=False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").mkdir()
    with pytest.raises(DataError, match="already"):
        write_shop(tmp_path / "there", 100, 1, spoiled=False)


@pytest.mark.slow
def test_the_rates_on_record_are_the_planted_ones(large):
    """Own rates are Gamma draws around the rate of a segment: their mean ratio to it is 1, within three errors."""
    truth = large.truth["customers"]
    planted = SEGMENTS.set_index("segment").loc[truth["segment"]]
    ratio = truth["rate_a_month"].to_numpy() / planted["rate"].to_numpy()
    shape = planted["rate_shape"].to_numpy()
    assert abs((ratio * shape).sum() / shape.sum() - 1) < 3 / np.sqrt(shape.sum())


@pytest.mark.slow
def test_units_without_a_shop_are_as_they_are_said_to_be():
    """Segments and states by their shares, whole days of exponential waits by state, orders by a Poisson count."""
    size = 4_000_000  # so many that a day more or less is three errors of any mean
    units = experiments.simulate_units(np.random.default_rng(4), size)
    share = np.bincount(units.segment) / size
    assert (np.abs(share - SEGMENTS["share"]) < 4 * np.sqrt(share * (1 - share) / size)).all()
    for state, (part, days) in enumerate(((0.5, 60), (0.35, 150), (0.15, 200))):
        recency = units.recency[units.state == state]
        assert abs(len(recency) / size - part) < 4 * np.sqrt(part * (1 - part) / size)
        whole = 1 / np.expm1(1 / days)  # the mean of an exponential wait of which whole days are taken
        assert abs(recency.mean() - whole) < 3 * days / np.sqrt(len(recency))
    assert units.past_orders.min() == 1 and abs(units.past_orders.mean() - 4) < 4 * np.sqrt(3 / size)
    assert abs(units.usual.mean() - 1.9 * 200) < 4 * 200 * np.sqrt(1.9 / size)


def test_attributes_are_there_with_their_gaps(shop):
    people = shop.tables["customers"]
    assert list(PLANTED["segment"]) == list(SEGMENTS["segment"])
    assert people["region"].isna().equals(people["country"] != "United Kingdom")
    assert people["region"].dropna().str.fullmatch(r"[0-2]\d").all() and people["age"].dropna().between(18, 90).all()
    answers = people[list(LOADINGS)]
    assert 0.65 < answers.notna().any(axis=1).mean() < 0.75 and set(answers.stack().dropna()) == {1, 2, 3, 4, 5}


@pytest.mark.slow
def test_the_attributes_are_related_to_segments_and_spend_as_planted(large):
    """Means and shares by segment are the planted ones within four standard errors; the region is independent."""
    people, truth = large.tables["customers"], large.truth["customers"]
    of = PLANTED.set_index("segment")
    for segment, rows in people.groupby(truth["segment"]):
        planted, n = of.loc[segment], len(rows)
        shares = {
            "age": (rows["age"].isna(), planted["unknown"]),
            "newsletter": (rows["newsletter"] == "yes", planted["newsletter"]),
            "garden": (rows["garden"] == "yes", np.dot(planted["homes"], GARDENS)),
            "home": (rows["home"] == "flat", planted["homes"][0]),
            "first_channel": (rows["first_channel"] == "recommendation", planted["channels"][2]),
            "gender": (rows["gender"] == "female", planted["genders"][0] * 0.95),
            "answers": (rows["home_time"].isna(), 0.3 + 0.7 * 0.02),
            "home_time": (rows["home_time"].dropna() > 3, stats.norm.sf((0.5 - 0.8 * planted["attitude"]) / 1)),
        }
        for name, (met, share) in shares.items():
            error = np.sqrt(share * (1 - share) / met.notna().sum())
            assert abs(met.mean() - share) < 4 * error, (segment, name)
        truncated = stats.norm(planted["age"], 11)
        wanted = truncated.expect(lambda x: np.clip(x, 18, 90))
        assert abs(rows["age"].mean() - wanted) < 4 * 11 / np.sqrt(n) + 0.05, segment
        assert abs(rows["household"].mean() - 1 - planted["others"]) < 4 * np.sqrt(planted["others"] / n)
    table = pd.crosstab(people["region"], truth["segment"])
    assert stats.chi2_contingency(table).pvalue > 0.001


@pytest.mark.slow
def test_income_is_correlated_with_the_worth_of_orders_as_planted(large):
    """The score behind it has the mean of the segment and variance 1, and half of it is the standardised log worth."""
    assert pytest.approx((digamma(SPEND_Q), np.sqrt(polygamma(1, SPEND_Q))), abs=1e-5) == (LOG_MEAN, LOG_SPREAD)
    people, truth = large.tables["customers"], large.truth["customers"]
    own = truth["segment"] == "occasional"
    worth = np.log(truth.loc[own, "mean_order_value"])
    worth = (worth - worth.mean()) / worth.std()
    above = people.loc[own, "income"].isin(INCOMES[2:])
    # P(score > cut | worth) is normal around half of the worth
    wanted = stats.norm.sf((INCOME_CUTS[1] - WORTH * worth) / np.sqrt(1 - WORTH**2))
    for part in np.array_split(np.argsort(worth.to_numpy()), 5):
        found, share = above.to_numpy()[part].mean(), wanted[part].mean()
        assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / len(part))


@pytest.mark.parametrize(
    ("customers", "seed", "spoiled", "digest"),
    [
        (300, 1, True, "3c7cca4b012f1ae422263d3e79adf019f6007218af0980d57a281c848064f497"),
        (400, 3, False, "9988a83b5d38720d3c527fc727d575347f27a44ae5b4d8918b299a604e53fb04"),
    ],
)
def test_a_shop_without_campaigns_is_as_before_there_were_any(customers, seed, spoiled, digest):
    found = hashlib.sha256()
    for name, table in sorted(simulate_shop(customers, seed, spoiled=spoiled).tables.items()):
        found.update(name.encode() + table.to_csv(index=False, lineterminator="\n").encode())
    assert found.hexdigest() == digest


def test_campaigns_leave_the_tests_alone_and_their_offers_take_turns():
    table = campaigns.schedule(3)
    assert len(table) == 34 and table["campaign_id"].is_unique and (table["share"].between(0.6, 0.8)).all()
    for sent, _ in experiments.TESTS.values():
        begin = (sent - START).days
        assert ((table["day"] + 7 < begin) | (table["day"] >= begin + 28)).all()
    turns = [tuple(table["offer"][first : first + 3]) for first in range(0, 33, 3)]
    assert all(set(turn) == set(campaigns.OFFERS) for turn in turns) and len(set(turns)) > 3
    sent = START + pd.to_timedelta(table["day"], unit="D")
    assert (table["name"] == sent.dt.strftime("%Y-%m-%d ") + table["offer"]).all()
    assert (sent.dt.day_name() == "Tuesday").all()


def test_messages_go_to_subscribers_who_ordered_and_a_quarter_is_held_out(sound):
    shop, _ = sound
    sent = shop.tables["messages"]
    assert not sent.duplicated(["customer_id", "campaign_id"]).any()
    people = shop.tables["customers"].set_index("customer_id")
    assert (people.loc[sent["customer_id"], "newsletter"] == "yes").all()
    log = shop.tables["transactions"].groupby("customer_id")["ordered_at"].min()
    assert (sent["customer_id"].map(log) < sent["sent_at"].dt.normalize()).all()
    left = sent.groupby("customer_id")["unsubscribed_at"].min()
    assert left.notna().sum() > 10 and not (sent["sent_at"] > sent["customer_id"].map(left)).any()
    assert (sent["unsubscribed_at"] > sent["sent_at"])[sent["unsubscribed_at"].notna()].all()
    share = sent["held_out"].mean()
    assert abs(share - 0.25) < 4 * np.sqrt(0.25 * 0.75 / len(sent))
    values = sent[sent["held_out"]].drop(columns=["customer_id", "campaign_id", "sent_at", "held_out"])
    assert values.isna().all(axis=None) and sent["sent_at"].dt.hour.between(8, 23).all()
    of = sent["campaign_id"].map(shop.tables["campaigns"].set_index("campaign_id")["name"]).str[:10]
    assert (sent["sent_at"].dt.strftime("%Y-%m-%d") == of).all()


def test_channels_report_what_they_can(sound):
    sent = sound[0].tables["messages"].query("~held_out")
    for channel, share in zip(campaigns.CHANNELS, campaigns.CHANNEL_SHARES, strict=True):
        met = (sent["channel"] == channel).mean()
        assert abs(met - share) < 4 * np.sqrt(share * (1 - share) / len(sent))
    by = sent.groupby("channel")[["opened_at", "clicked_at", "converted_at"]].count()
    assert (by.loc["text", "opened_at"], *by.loc["letter", ["opened_at", "clicked_at"]]) == (0, 0, 0)
    assert (by["converted_at"] > 20).all() and by.loc["text", "clicked_at"] > 100
    mail = sent[sent["channel"] == "email"]
    since = (mail["opened_at"] - mail["sent_at"]).dt.total_seconds()
    assert since.min() >= 0 and abs((since <= 2).mean() - 0.15) < 4 * np.sqrt(0.15 * 0.85 / len(mail))
    assert (mail["opened_at"] < mail["clicked_at"])[mail["clicked_at"].notna()].all()
    bought = sent[sent["converted_at"].notna() & (sent["channel"] != "letter")]
    assert (bought["converted_at"] > bought["clicked_at"]).all()


def test_the_orders_that_messages_caused_are_in_the_log_beside_all_others(sound):
    shop, orders = sound
    caused, sent = shop.truth["caused"], shop.tables["messages"]
    found = caused.join(orders, on="order_id").merge(sent, on=["customer_id", "campaign_id"], how="left")
    assert (found["ordered_at"] == found["converted_at"]).all()
    assert len(found) == sent["converted_at"].notna().sum() > 300
    assert ((found["ordered_at"] - found["sent_at"]) < pd.Timedelta(days=7)).all()
    # ids are dealt out anew, so that orders are compared by their second; what the tests replace is left out
    none = simulate_shop(customers=3_000, seed=6, spoiled=False).tables["transactions"].query("quantity > 0")
    times = [
        t.groupby("order_id")["ordered_at"].first() for t in (shop.tables["transactions"].query("quantity > 0"), none)
    ]
    for begin, _ in experiments.TESTS.values():
        times = [t[~t.between(begin, begin + pd.Timedelta(days=28))] for t in times]
    more = times[0].value_counts().sub(times[1].value_counts(), fill_value=0)
    assert more[more != 0].to_dict() == found["ordered_at"].value_counts().to_dict()


def test_the_mail_tool_attributes_every_order_to_the_last_message_and_claims_too_much(sound):
    shop, orders = sound
    sent = shop.tables["messages"].query("~held_out")
    last = pd.merge_asof(
        orders.reset_index().sort_values("ordered_at"), sent[["customer_id", "campaign_id", "sent_at"]].sort_values("sent_at"),
        left_on="ordered_at", right_on="sent_at", by="customer_id", tolerance=pd.Timedelta(days=7) - pd.Timedelta(seconds=1),
    )  # fmt: skip
    wanted = last.dropna(subset="campaign_id").groupby(["customer_id", "campaign_id"])["amount"].sum()
    met = sent.set_index(["customer_id", "campaign_id"])["revenue"]
    assert np.allclose(met, wanted.reindex(met.index, fill_value=0), atol=0.006) and len(wanted) > 500
    caused = orders.loc[shop.truth["caused"]["order_id"], "amount"].sum()
    assert met.sum() > 3 * caused > 0


def test_messages_against_held_out_customers_show_what_was_caused(shop):
    """Orders in seven days: the difference is the true rate within three standard errors, and above zero by three."""
    log = shop.tables["transactions"].query("quantity > 0 and customer_id.notna()").drop_duplicates("order_id")
    sent = shop.tables["messages"].reset_index()
    near = sent.merge(log[["customer_id", "ordered_at"]], on="customer_id")
    since = near["ordered_at"] - near["sent_at"]
    near = near[(since > pd.Timedelta(0)) & (since < pd.Timedelta(days=7))]
    count = near["index"].value_counts().reindex(sent["index"], fill_value=0)
    away, there = count[sent["held_out"].to_numpy()], count[~sent["held_out"].to_numpy()]
    effect, true = there.mean() - away.mean(), len(shop.truth["caused"]) / len(there)
    error = np.sqrt(there.var() / len(there) + away.var() / len(away))
    assert abs(effect - true) < 3 * error and effect > 3 * error


@pytest.fixture(scope="module")
def responses():
    """One campaign with each offer to many units with and without earlier messages, and the planted chances."""
    rng, size, day, tables = np.random.default_rng(8), 100_000, 400, []
    for offer, money in (("new range", 1.0), ("voucher", 0.9), ("free delivery", 1.0)):
        units = experiments.simulate_units(rng, size)
        slots = campaigns.simulate_slots(rng, units.segment)
        # two days or more from where the 28 days begin, on either side
        ago = rng.integers(0, 2, (4, size)) * np.array([[21], [14], [7], [0]]) + 5
        earlier = np.where(ago > 5, day - ago, day - 31) * 86400
        sent = campaigns.simulate_campaign(rng, units, slots, earlier, day, offer, calendar())
        attention = (0.5 + 0.5 * np.exp(-units.recency / 150)) * np.array([1.0, 0.6, 0.2])[units.state]
        sent = sent.assign(
            offer=offer, segment=np.array(SEGMENTS["segment"])[units.segment], row=units.segment, before=(ago > 5).sum(axis=0),
            slot=sent["sent"] % 86400 // 14400 - 2, best=slots.argmax(axis=1), preference=slots.max(axis=1),
            meant=money * 15 * np.sqrt(units.usual), attention=attention,
        )  # fmt: skip
        tables.append(sent[~sent["held_out"]])
    table = pd.concat(tables, ignore_index=True)
    at_best = (table["slot"] == table["best"]) & (table["channel"] < 2)
    factor = table["attention"] * np.exp(-0.15 * table["before"]) * np.where(at_best, 1.3, 1.0)
    table["click"] = factor * campaigns.CLICKED[table["row"], table["channel"]]
    table["open"] = factor * experiments.BEHAVIOUR["open"].to_numpy()[table["row"]]
    order = campaigns.ORDERED[table["row"], table["offer"].map(campaigns.OFFERS.index)]
    return table.assign(order=table["click"] * order)


@pytest.mark.parametrize(
    "by", [["segment", "channel"], ["segment", "offer"], ["channel", "offer"], ["before"], ["slot", "best"]]
)
def test_responses_come_at_the_planted_rates(responses, by):
    """Numbers of clicks and orders are within four standard errors of sums of independent trials."""
    kinds = {"converted": "order", "clicked": "click"}
    for met, chance in kinds.items():
        rows = responses if met == "converted" else responses[responses["channel"] < 2]
        p = rows[chance]
        table = (
            pd.DataFrame({"met": rows[met] >= 0, "mean": p, "variance": p * (1 - p)})
            .groupby([rows[k] for k in by])
            .sum()
        )
        assert ((table["met"] - table["mean"]).abs() <= 4 * np.sqrt(table["variance"])).all(), table
        assert (table["mean"].drop("trade", errors="ignore") > 20).all(), "enough to see a difference"
    assert not (responses.loc[responses["segment"] == "trade", "converted"] >= 0).any()


def test_mails_are_opened_by_people_and_machines_and_customers_leave_at_the_planted_rates(responses):
    mails = responses[responses["channel"] == 0]
    people = mails["opened"] - mails["sent"] > 2
    p = 0.85 * mails["open"]  # a machine comes before people
    assert abs(people.sum() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum())
    left, p = responses["unsubscribed"] >= 0, 0.002 * np.exp(0.15 * responses["before"])
    for number in range(4):
        rows = responses["before"] == number
        assert abs(left[rows].sum() - p[rows].sum()) < 4 * np.sqrt(p[rows].sum()), number


def test_customers_act_in_the_slots_that_they_prefer(responses):
    """People open and click in their best slot as often as they prefer it, whenever the message was sent."""
    acted = responses[responses["clicked"] >= 0]
    in_best = acted["clicked"] % 86400 // 14400 - 2 == acted["best"]
    p = acted["preference"]
    for slot, rows in acted.groupby("slot"):
        share = p[rows.index]
        assert abs(in_best[rows.index].sum() - share.sum()) < 4 * np.sqrt((share * (1 - share)).sum()), slot
    since = acted["clicked"] - acted["sent"]
    assert since.min() > 0 and since.max() < 86400 and 0.5 < p.mean() < 0.8
    value = responses[responses["converted"] >= 0]
    ratio = value["value"] / value["meant"]  # log-normal of mean one and variance exp(0.16) - 1
    assert abs(ratio.mean() - 1) < 4 * np.sqrt(np.expm1(0.16) / len(ratio))


def test_a_message_counts_for_28_days(monkeypatch):
    """The numbers of messages received before, on which fatigue depends, are those of the table."""
    given = []

    def spied(rng, units, slots, earlier, *rest):
        table = simulate(rng, units, slots, earlier, *rest)
        given.append(np.sort((earlier > table["sent"].to_numpy() - 28 * 86400).sum(axis=0)))
        return table

    simulate = campaigns.simulate_campaign
    monkeypatch.setattr(campaigns, "simulate_campaign", spied)
    sent = simulate_shop(customers=600, seed=2, campaigns=True).tables["messages"]
    pairs = sent.reset_index().merge(sent.query("~held_out"), on="customer_id", suffixes=("", "_other"))
    since = pairs["sent_at"] - pairs["sent_at_other"]
    pairs = pairs[(since > pd.Timedelta(0)) & (since < pd.Timedelta(days=28))]
    sent["before"] = pairs["index"].value_counts().reindex(sent.index, fill_value=0)
    for numbers, (_, rows) in zip(given, sent.groupby("campaign_id"), strict=True):
        assert (numbers == np.sort(rows["before"])).all()
    assert sent["before"].max() == 4


def test_the_truth_of_campaigns_is_what_a_message_does_at_full_attention(sound):
    shop, _ = sound
    table = shop.truth["campaigns"].merge(shop.truth["customers"], on="customer_id")
    assert len(table) == 3_000
    row = table["segment"].map(list(SEGMENTS["segment"]).index)
    hour = {"email": 1 + 0.3 / 4, "text": 1 + 0.3 / 4, "letter": 1.0}  # one slot of four is the best
    for place, offer in enumerate(campaigns.OFFERS):
        for by, channel in enumerate(campaigns.CHANNELS):
            name = f"{offer} {channel}".replace(" ", "_")
            wanted = hour[channel] * campaigns.CLICKED[row, by] * campaigns.ORDERED[row, place]
            assert np.allclose(table[f"{name}_orders"], wanted)
            money = wanted * 15 * np.sqrt(table["mean_order_value"]) * (0.9 if offer == "voucher" else 1)
            assert np.allclose(table[f"{name}_revenue"], money)
    shares = table[list(campaigns.SLOTS)]
    assert np.allclose(shares.sum(axis=1), 1) and (shares.idxmax(axis=1) == table["best_slot"]).all()
    best = table.groupby("segment")["best_channel"].agg(["nunique", "first"])
    assert (best["nunique"] == 1).all() and set(best["first"]) == set(campaigns.CHANNELS)
    errors = shares.groupby(row).std() / np.sqrt(row.value_counts().sort_index().to_numpy())[:, None]
    assert ((shares.groupby(row).mean() - campaigns.PREFERRED).abs() < 4 * errors).all(axis=None)


def test_banners_are_chosen_with_the_logged_propensities_and_clicked_with_the_planted_chances(shop):
    log, truth = shop.tables["decisions"], shop.truth["decisions"]
    assert len(log) == len(truth) and (log["decided_at"] == truth["decided_at"]).all()
    of = np.array([name.replace("_", " ") for name in truth.columns[2:]])
    chance = truth.iloc[:, 2:].to_numpy()
    shown = log["banner"].to_numpy()[:, None] == of
    # each banner: how often it was shown against the sum of what is expected, 1 / propensity in the mean of the rest
    weight = (shown / log["propensity"].to_numpy()[:, None]).mean(axis=0)
    error = np.sqrt((1 / log["propensity"].min()) / len(log))
    assert (abs(weight - 1) < 4 * error).all(), weight
    expected, clicks = chance[shown], log["clicked"].to_numpy()
    assert abs(clicks.sum() - expected.sum()) < 4 * np.sqrt((expected * (1 - expected)).sum())
    assert log.groupby("policy")["propensity"].min().round(6).to_dict() == {"epsilon-greedy": 0.1, "equal shares": 0.2}


def test_what_is_known_at_a_visit_are_the_orders_before_it(sound):
    shop, _ = sound
    log, orders = shop.tables["decisions"], shop.tables["transactions"].query("quantity > 0")
    orders = orders.groupby("order_id").agg({"customer_id": "first", "ordered_at": "first"})
    pairs = log.head(2_000).reset_index().merge(orders, on="customer_id")
    before = pairs[pairs["ordered_at"] < pairs["decided_at"]].groupby("index")["ordered_at"].agg(["size", "max"])
    assert before["size"].tolist() == log["orders_before"].head(2_000).tolist()
    days = (log["decided_at"].head(2_000) - before["max"]).dt.days
    assert days.tolist() == log["days_since_order"].head(2_000).tolist()
