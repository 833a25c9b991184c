"""Versions of models: named by content, refused where they are damaged, and never lost to a killed process."""

import hashlib
import json
import os
import signal
from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest

from customerlab.codec import to_json
from customerlab.data.project import file_digest, write_json, write_sealed
from customerlab.errors import CustomerlabError, RunError
from customerlab.workbench.plan import AS_OF, make_plan
from customerlab.workbench.publish import OPENED
from customerlab.workbench.retrain import Decision, begin, challengers, day_of, decisions, promote
from customerlab.workbench.run import OBJECT, STAGING, Run
from customerlab.workbench.versions import (
    DECISIONS,
    Model,
    Served,
    changing,
    keep_version,
    listed,
    models,
    read_version,
    roll_back,
    serving,
    superseded,
    version_of,
)
from helpers import write_notebook

ABOUT = {"as_of": "2024-03-01", "data_ended": "2024-02-29", "notebook": "02_models", "fingerprint": "f"}
DAYS = {"log": {"days": ["2024-01-01", "2024-02-29"]}}


@pytest.fixture
def home(tmp_path):
    return tmp_path / "outputs" / "shop"


def made(n: int) -> str:
    return to_json({"n": n})


def serve(home, n: int, keep: int = 5) -> str:
    """Keep a model as a version and let it serve, as a promotion does."""
    version = keep_version(home, "sizes", made(n), ABOUT)
    with changing(home) as record:
        model = record.get("sizes", Model())
        served = (*(one for one in model.served if one.version != version), Served(version, before=model.version))
        kept = (*(one for one in model.kept if one != version), version)
        record["sizes"] = Model(served, kept, model.withdrawn).trimmed(keep)
    return version


def folders(home) -> set[str]:
    return {path.name for path in (home / "models" / "sizes").iterdir()}


def test_a_version_is_named_by_its_content_and_never_changes(home):
    version = keep_version(home, "sizes", made(1), ABOUT)
    folder = home / "models" / "sizes" / version
    before = {path.name: (path.read_bytes(), path.stat().st_ino) for path in folder.iterdir()}
    assert hashlib.sha256(before["model.json"][0]).hexdigest()[:12] == version == version_of(made(1))
    assert keep_version(home, "sizes", made(1), ABOUT | {"as_of": "2024-04-01"}) == version
    assert {path.name: (path.read_bytes(), path.stat().st_ino) for path in folder.iterdir()} == before
    assert read_version(home, "sizes", version)[1]["as_of"] == "2024-03-01" and len(folders(home)) == 1


@pytest.mark.parametrize("name", ["model.json", "about.json"])
@pytest.mark.parametrize("change", [lambda c: c.replace(b"1", b"2"), lambda c: b"", lambda c: c[:-3], lambda c: None])
def test_a_version_that_is_not_what_was_kept_is_refused(home, name, change):
    first, second = serve(home, 1), serve(home, 2)
    path = home / "models" / "sizes" / first / name
    content = change(path.read_bytes())
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    pointer = (home / "models" / "serving.json").read_bytes()
    for action in (
        lambda: read_version(home, "sizes", first),
        lambda: roll_back(home, "sizes"),
        lambda: keep_version(home, "sizes", made(1), ABOUT),
    ):
        with pytest.raises(RunError, match=f"version {first} of sizes is not what was kept") as caught:
            action()
        assert f"outputs/shop/models/sizes/{first}" in str(caught.value)
    assert (home / "models" / "serving.json").read_bytes() == pointer and serving(home, "sizes") == (second, {"n": 2})
    assert "damaged" in listed(home)[1] and "damaged" not in listed(home)[0]


@pytest.mark.parametrize("junk", [b"", b"{}", b"[1]", b'{"models": {}}', b"\xff"])
def test_a_damaged_record_is_refused_and_not_taken_for_none(home, junk):
    serve(home, 1)
    (home / "models" / "serving.json").write_bytes(junk)
    for action in (lambda: serving(home, "sizes"), lambda: serve(home, 2), lambda: roll_back(home, "sizes")):
        with pytest.raises(RunError, match="damaged or was edited"):
            action()
    assert (home / "models" / "serving.json").read_bytes() == junk
    assert superseded(home, {"sizes": "x"}, "").startswith("the record of the models that serve is damaged")


def test_the_last_versions_are_kept_and_that_which_serves_and_the_one_before_always(home):
    versions = [serve(home, n, keep=3) for n in range(6)]
    assert folders(home) == set(versions[3:]) and models(home)["sizes"].kept == tuple(versions[3:])
    for n in range(10, 14):  # challengers that are not promoted
        late = keep_version(home, "sizes", made(n), ABOUT)
        with changing(home) as record:
            model = record["sizes"]
            record["sizes"] = Model(model.served, (*model.kept, late)).trimmed(1)
    assert folders(home) == {*versions[4:], late} and serving(home, "sizes") == (versions[5], {"n": 5})
    assert roll_back(home, "sizes") == (versions[5], versions[4])


def test_rolling_back_goes_from_one_to_the_one_before(home):
    first, second, third = (serve(home, n) for n in range(3))
    assert roll_back(home, "sizes") == (third, second) and roll_back(home, "sizes") == (second, first)
    assert models(home)["sizes"].withdrawn == (third, second) and serving(home, "sizes")[1] == {"n": 0}
    with pytest.raises(RunError, match=f"no version of sizes has served before {first}"):
        roll_back(home, "sizes")
    assert roll_back(home, "sizes", third) == (first, third) and roll_back(home, "sizes", third) == (third, third)
    assert models(home)["sizes"].withdrawn == (second, first)
    assert roll_back(home, "sizes") == (third, first)
    with pytest.raises(RunError, match=r"(?s)no version 'x' of sizes.*one of"):
        roll_back(home, "sizes", "x")
    with pytest.raises(RunError, match=r"(?s)no version of 'size' serves.*did you mean sizes\?"):
        roll_back(home, "size")


def test_who_has_read_a_champion_is_out_of_date_when_another_serves(home):
    assert superseded(home, {"sizes": ""}, "") == "" and superseded(home, {}, "") == ""
    first = serve(home, 1)
    assert superseded(home, {"sizes": first}, "") == ""
    assert superseded(home, {"sizes": ""}, "d") == "another version of sizes serves now"
    second = keep_version(home, "sizes", made(2), ABOUT)
    with changing(home) as record:
        served = (*record["sizes"].served, Served(second, "2024-03-01", "refit", "It drifted.", before=first, by="d"))
        record["sizes"] = Model(served, (first, second))
    assert superseded(home, {"sizes": first}, "d") == "", "its own decision has been carried out"
    assert superseded(home, {"sizes": first}, "e") == superseded(home, {"sizes": first}, "") != ""
    assert superseded(home, {"sizes": "z"}, "d") == "another version of sizes serves now"
    roll_back(home, "sizes")
    assert superseded(home, {"sizes": first}, "d") == "" and superseded(home, {"sizes": second}, "d") != ""
    (home / "models" / "serving.json").unlink()
    assert superseded(home, {"sizes": first}, "d") == "no version of sizes serves now"


def killed(action, moment) -> bool:
    """Do something in a process that is killed before its n-th change of the disk; whether it came so far."""
    child = os.fork()
    if not child:
        count = [0]
        for name in ("replace", "rename", "unlink", "rmdir", "mkdir", "chmod", "open"):
            change = getattr(os, name)

            def counted(*args, _change=change, **more):
                count[0] += 1
                if count[0] == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
                return _change(*args, **more)

            setattr(os, name, counted)
        try:
            action()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.mark.slow
def test_killed_before_any_change_of_the_disk_one_version_serves_and_the_work_can_be_ended(tmp_path):
    moment, seen = 0, []
    while moment := moment + 1:
        home = tmp_path / str(moment) / "shop"
        for n in (1, 2, 3):
            serve(home, n, keep=1)
        was_killed = killed(lambda home=home: serve(home, 4, keep=1), moment)
        _, found = serving(home, "sizes")
        assert found in ({"n": 3}, {"n": 4}), f"before change {moment}"
        read_version(home, "sizes", models(home)["sizes"].served[-2].version)
        seen.append(found["n"])
        assert serve(home, 4, keep=1) == version_of(made(4)) and serving(home, "sizes")[1] == {"n": 4}
        assert folders(home) == {version_of(made(3)), version_of(made(4))} and not list(home.rglob(".aside-*"))
        if not was_killed:
            break
    assert moment > 15 and seen == sorted(seen) and set(seen) == {3, 4}


# --- what is promoted ---


class Toy:
    """A plan of two notebooks that have been executed: one made the models, the other decided on them."""

    def __init__(self, root, models_, rows=(), champions=None, tables=DAYS, as_of=""):
        self.run, self.place, self.home = "shop", "outputs/shop", root / "outputs" / "shop"
        self.folder, self.makers = self.home, dict.fromkeys(models_, "02_models")
        self.included = [SimpleNamespace(name=name, parameters={"as_of": as_of}) for name in ("02_models", "09_watch")]
        self.steps = [SimpleNamespace(saves=("sizes", "steady", "of_a_notebook_left_out"))]
        columns = ["model", "decision", "promote", "reason"]
        table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows or ()), columns=columns)
        tables_of = {name: pd.DataFrame({OBJECT: [text]}) for name, text in models_.items()}
        self._record("02_models", tables_of, {}, tables)
        if rows is not None:
            self.makers[DECISIONS] = "09_watch"
            self._record("09_watch", {DECISIONS: table}, champions or {}, {})

    def _record(self, name, artifacts, champions, tables):
        (self.folder / "artifacts").mkdir(parents=True, exist_ok=True)
        writes = {}
        for artifact, table in artifacts.items():
            path = self.folder / "artifacts" / f"{artifact}.parquet"
            table.to_parquet(path, index=False)
            writes[artifact] = file_digest(path)
        record = {"writes": writes, "tables": tables, "champions": champions, "fingerprint": "f"}
        write_sealed(self.folder / ".state" / f"{name}.manifest.json", record)


REFIT = ("sizes", "refit", True, "It drifted.")


def test_only_what_a_decision_promotes_replaces_a_champion(tmp_path):
    first = version_of(made(1))
    assert promote(Toy(tmp_path, {"sizes": made(1), "steady": made(9)}), "2024-03-01", 5, set()) == {"sizes", "steady"}
    now = {"sizes": made(2), "steady": made(8)}
    for rows, promoted in (
        ([], set()),
        ([("sizes", "refit", False, "Too few.")], set()),
        ([REFIT], {"sizes"}),
        ([REFIT], set()),  # it serves already
    ):
        plan = Toy(tmp_path, now, rows, {"sizes": first})
        assert promote(plan, "2024-04-01", 5, set()) == promoted
    record = models(plan.home)
    assert record["sizes"].served[-1].reason == "It drifted." and record["sizes"].served[-1].before == first
    assert record["steady"].version == version_of(made(9)) and record["steady"].kept[-1] == version_of(made(8))
    assert (
        superseded(plan.home, {"sizes": first}, file_digest(plan.folder / "artifacts" / f"{DECISIONS}.parquet")) == ""
    )


def test_a_decision_against_another_champion_or_for_a_withdrawn_version_promotes_nothing(tmp_path):
    promote(Toy(tmp_path, {"sizes": made(1)}), "2024-03-01", 5, set())
    other = Toy(tmp_path, {"sizes": made(2)}, [REFIT], {"sizes": "another"})
    assert promote(other, "2024-04-01", 5, set()) == set()
    plan = Toy(tmp_path, {"sizes": made(2)}, [REFIT], {"sizes": version_of(made(1))})
    assert promote(plan, "2024-04-01", 5, {"sizes"}) == set(), "once in a retraining"
    aside = Toy(tmp_path, {"sizes": made(2)}, [("of_a_notebook_left_out", "refit", True, "It drifted.")])
    assert promote(aside, "2024-04-01", 5, set()) == set() and "of_a_notebook_left_out" not in models(aside.home)
    plan = Toy(tmp_path, {"sizes": made(2)}, [REFIT], {"sizes": version_of(made(1))})
    assert promote(plan, "2024-04-01", 5, set()) == {"sizes"}
    roll_back(plan.home, "sizes")
    assert promote(plan, "2024-04-01", 5, set()) == set()
    newer = Toy(tmp_path, {"sizes": made(3)}, [REFIT], {"sizes": version_of(made(1))})
    assert promote(newer, "2024-05-01", 5, set()) == {"sizes"}, "another challenger is judged anew"


WHOLE = pd.DataFrame([REFIT], columns=["model", "decision", "promote", "reason"])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (WHOLE.drop(columns="reason"), "without reason"),
        (WHOLE.assign(decision="maybe"), "with the decision 'maybe'"),
        (WHOLE.assign(promote="yes"), "whose promote is not true or false"),
        (WHOLE.assign(promote=1), "whose promote is not true or false"),
        (WHOLE.assign(reason=" "), "without a reason"),
        (pd.concat([WHOLE, WHOLE]), "that names a model twice"),
        (WHOLE.assign(model="other"), "decides on 'other', which is no model of this run"),
    ],
)
def test_decisions_that_cannot_be_read_promote_nothing(tmp_path, table, said):
    promote(Toy(tmp_path, {"sizes": made(1)}), "2024-03-01", 5, set())
    plan = Toy(tmp_path, {"sizes": made(2)}, table, {"sizes": version_of(made(1))})
    before = (plan.home / "models" / "serving.json").read_bytes()
    with pytest.raises(RunError, match=said) as caught:
        promote(plan, "2024-04-01", 5, set())
    assert "09_watch, lab.save('model_decisions', …)" in str(caught.value)
    assert (plan.home / "models" / "serving.json").read_bytes() == before


def test_what_is_known_of_a_model_is_of_its_data_and_no_table_is_a_model(tmp_path):
    plan = Toy(tmp_path, {"sizes": made(1)}, [REFIT])
    assert decisions(plan) == ("09_watch", {"sizes": Decision("refit", True, "It drifted.")})
    assert list(challengers(plan, "2024-02-01")) == ["sizes"], "the table of decisions is none"
    for day, ended in (("2024-02-01", "2024-01-31"), ("2024-04-01", "2024-02-29")):
        assert challengers(plan, day)["sizes"].about == ABOUT | {"as_of": day, "data_ended": ended}
    pd.DataFrame({OBJECT: [made(2)]}).to_parquet(plan.folder / "artifacts" / "sizes.parquet")
    with pytest.raises(RunError, match="sizes of run 'shop' is not what was saved"):
        challengers(plan, "2024-04-01")
    assert decisions(Toy(tmp_path, {"sizes": made(1)}, None)) == ("", {})


@pytest.mark.parametrize(
    ("asked", "as_of", "ends", "day"),
    [
        ("2024-05-05", "2024-04-04", {"log": "2024-02-29"}, "2024-05-05"),
        ("", "2024-04-04", {"log": "2024-02-29"}, "2024-04-04"),
        ("", "", {"transactions": "2024-02-28", "ratings": "2024-12-31"}, "2024-02-29"),
        ("", "", {"ratings": "2024-12-31", "experiment": "2024-10-20"}, "2025-01-01"),
    ],
)
def test_the_day_of_a_retraining(tmp_path, asked, as_of, ends, day):
    tables = {name: {"days": ["2023-01-01", end]} for name, end in ends.items()}
    assert day_of(Toy(tmp_path, {}, None, tables=tables, as_of=as_of), asked) == day
    assert date.fromisoformat(day)


def test_a_run_without_days_asks_for_one(tmp_path):
    with pytest.raises(RunError, match=r"(?s)no table with days in it.*--as-of YYYY-MM-DD"):
        day_of(Toy(tmp_path, {}, None, tables={"products": {"days": []}}))


# --- in a run ---


@pytest.fixture
def lab(project, monkeypatch):
    monkeypatch.chdir(project)
    write_notebook(project, "57_looks", "lab.champion('rfm_scheme')")
    return Run("demo", "57_looks")


def test_a_notebook_gets_the_champion_and_it_is_on_record_what_it_read(lab, tmp_path, monkeypatch):
    monkeypatch.setenv(STAGING, str(tmp_path))
    assert lab.champion("rfm_scheme") is None and lab.champion_day("rfm_scheme") is None
    version = keep_version(lab.folder, "segmentation", made(7), ABOUT)
    with changing(lab.folder) as record:
        record["segmentation"] = Model((Served(version),), (version,))
    assert lab.champion("segmentation") == {"n": 7}
    assert lab.champion_day("segmentation") == pd.Timestamp(ABOUT["as_of"])
    assert json.loads((tmp_path / OPENED).read_text())["champions"] == {"rfm_scheme": "", "segmentation": version}


def test_a_champion_of_another_version_of_the_library_says_what_to_do(lab):
    version = keep_version(lab.folder, "rfm_scheme", '{"class": "customerlab.gone:Scheme"}', ABOUT)
    with changing(lab.folder) as record:
        record["rfm_scheme"] = Model((Served(version),), (version,))
    with pytest.raises(RunError, match=r"(?s)kept by another version of customerlab.*customerlab retrain --run demo"):
        lab.champion("rfm_scheme")


@pytest.mark.slow
def test_the_day_of_a_retraining_is_the_runs_until_the_params_file_says_another(project):
    def days():
        plan = make_plan(project, "demo")
        assert plan.folder == plan.home
        return {step.parameters["as_of"] for step in plan.steps if "as_of" in step.parameters}

    (project / "params" / "demo.yml").write_text("run: demo\nas_of: '2024-11-01'\n")
    assert days() == {"2024-11-01"}
    child = os.fork()  # whose lock ends with it
    if not child:
        begin(project, "demo", "2024-12-01")
        os._exit(0)
    os.waitpid(child, 0)
    assert days() == {"2024-12-01"} and make_plan(project, "demo", {"as_of": "2024-11-01"}).scratch
    (project / "params" / "demo.yml").write_text("run: demo\nas_of: '2024-11-15'\n")
    assert days() == {"2024-11-15"}
    write_json(project / "outputs" / "demo" / AS_OF, {"as_of": "2024-12-01", "instead_of": "2024-11-15"})
    assert days() == {"2024-11-15"}, "what was edited counts as nothing"
    with pytest.raises(CustomerlabError, match="a day YYYY-MM-DD"):
        begin(project, "demo", "1.3.2024")
    begin(project, "demo")
    assert not (project / "outputs" / "demo" / AS_OF).exists()
