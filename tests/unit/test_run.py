"""The Run in a notebook's hands: artefacts, metrics, and what is shown."""

import base64
import csv
import logging
import re
import time
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from customerlab.analysis import rfm
from customerlab.codec import to_json
from customerlab.data.catalog import load_catalog
from customerlab.data.project import file_digest, read_json, write_json, written_aside
from customerlab.data.yaml_files import load_yaml
from customerlab.errors import CustomerlabError, RunError
from customerlab.workbench import display
from customerlab.workbench.display import checks, show
from customerlab.workbench.kernel import LimitedClient
from customerlab.workbench.normalise import masked
from customerlab.workbench.plan import MEASURED, make_plan, whose
from customerlab.workbench.run import COMPUTED, OBJECT, STAGING, Run
from helpers import ROOT


@pytest.fixture
def lab(project, monkeypatch):
    monkeypatch.chdir(project / "notebooks")
    return Run("demo", "02_rfm")


TABLE = pd.DataFrame({"customer_id": ["b", "a"], "value": [2.0, 1.0]})


def test_what_is_saved_is_loaded_in_a_fixed_order(lab):
    lab.save("rfm_segments", TABLE, key="customer_id")
    path = lab.folder / "artifacts" / "rfm_segments.parquet"
    digest = file_digest(path)
    lab.save("rfm_segments", TABLE[::-1], key="customer_id")
    assert file_digest(path) == digest
    assert lab.load("rfm_segments")["customer_id"].tolist() == ["a", "b"]


def test_an_object_is_loaded_as_the_object_that_it_was(lab, monkeypatch):
    scheme = rfm.Scheme(3, {"recency": [30, 90]}, net=True, rules=rfm.read_rules(["All: 1-5, 1-5"]))
    kept = lab.save("rfm_scheme", scheme)
    found = Run("demo", "03_clustering").load("rfm_scheme")
    for one in (kept, found):
        assert isinstance(one, rfm.Scheme) and to_json(one) == to_json(scheme)
    path = lab.folder / "artifacts" / "rfm_scheme.parquet"
    pd.DataFrame({OBJECT: [to_json(rfm.Scheme())]}).to_parquet(path)
    with pytest.raises(RunError, match="it is damaged or was edited"):
        lab.load("rfm_scheme")
    lab.save("rfm_scheme", scheme)
    monkeypatch.delattr("customerlab.analysis.rfm.scheme.Scheme")
    with pytest.raises(
        RunError, match=r"(?s)rfm_scheme of run 'demo' was saved by another version.*customerlab run 02"
    ):
        lab.load("rfm_scheme")


def test_an_object_that_was_a_table_in_an_earlier_version_has_to_be_made_again(lab):
    lab.save("rfm_scheme", pd.DataFrame({"name": ["bins"], "value": ["5"]}), key="name")
    with pytest.raises(RunError) as failed:
        Run("demo", "03_clustering").load("rfm_scheme")
    assert str(failed.value).splitlines() == [
        "rfm_scheme of run 'demo' was saved by another version: it is a table, and no object",
        "  where:    outputs/demo/artifacts/",
        "  expected: rfm_scheme.parquet, which 02_rfm saves",
        "  do:       customerlab run 02 --run demo",
    ]


def test_no_text_in_a_csv_is_a_formula_and_all_come_back(lab):
    texts = [
        "=1+1",
        "+1",
        "-1",
        "@SUM(1)",
        "'=1",
        "''-x",
        "\t=1",
        " =1",
        "\r=1",
        "＝1",
        "007",
        "a=b",
        "Anna's",
        "1;=2",
        'é,\n"q"',
    ]
    table = pd.DataFrame({"=id": texts, "n": range(len(texts)), "negative": [-1.5] * len(texts)})
    lab.save("rfm_segments", table, key="=id", csv=True)
    path = lab.folder / "artifacts" / "rfm_segments.csv"
    read = pd.read_csv(path, dtype={"'=id": str}, keep_default_na=False)
    assert not [text for text in [*read.columns, *read["'=id"]] if text.strip()[:1] in "=+-@＝" or text[:1] in "\t\r"]
    back = [text[1:] if COMPUTED.match(text) else text for text in read["'=id"]]
    assert sorted(back) == sorted(texts)
    assert (read["negative"] == -1.5).all()
    assert sorted(lab.load("rfm_segments")["=id"]) == sorted(texts)


def test_what_another_notebook_makes_is_not_written_over_by_hand(lab):
    lab.save("rfm_segments", TABLE, key="customer_id")
    before = file_digest(lab.folder / "artifacts" / "rfm_segments.parquet")
    own = Run("demo", "my_idea")
    with pytest.raises(RunError, match=r"(?s)rfm_segments is what 02_rfm makes.*save it under another name"):
        own.save("rfm_segments", TABLE[:1], key="customer_id")
    own.save("my_segments", TABLE[:1], key="customer_id")
    assert (
        file_digest(lab.folder / "artifacts" / "rfm_segments.parquet") == before and len(own.load("my_segments")) == 1
    )


def test_a_key_has_to_name_every_row(lab):
    with pytest.raises(RunError, match="does not name every row"):
        lab.save("rfm_segments", pd.concat([TABLE, TABLE]), key="customer_id")
    with pytest.raises(RunError):
        lab.save("rfm_segments", TABLE.assign(customer_id=None), key="customer_id")


@pytest.mark.slow
def test_a_missing_artefact_names_the_command(lab):
    with pytest.raises(RunError) as caught:
        lab.load("rfm_segments")
    assert "customerlab run 02 --run demo" in str(caught.value)


@pytest.mark.slow
def test_an_artefact_that_nobody_saved_as_it_is_is_refused(lab):
    lab.save("rfm_segments", TABLE, key="customer_id")
    path = lab.folder / "artifacts" / "rfm_segments.parquet"
    saved, other = path.read_bytes(), TABLE.assign(value=[9.0, 9.0])
    for change in (lambda: other.to_parquet(path), lambda: path.write_bytes(saved[:99]), lambda: path.write_bytes(b"")):
        change()
        with pytest.raises(RunError, match="damaged or was edited") as caught:
            Run("demo", "03_clustering").load("rfm_segments")
        assert "customerlab run 02 --run demo" in str(caught.value) and "rfm_segments.parquet" in str(caught.value)
    lab.save("rfm_segments", other, key="customer_id")  # by hand, in Jupyter
    assert (Run("demo", "03_clustering").load("rfm_segments")["value"] == 9).all()
    (lab.folder / ".state" / "02_rfm.saved.json").unlink()
    with pytest.raises(RunError, match="customerlab run 02"):
        lab.load("rfm_segments")


@pytest.mark.slow
def test_an_optional_artefact_is_none_where_no_notebook_of_the_run_makes_it(lab):
    (lab.root / "params" / "emails.yml").write_text("run: emails\ndata: hillstrom_email\n")
    emails = Run("emails", "05_ab_analysis", data="hillstrom_email")
    assert emails.load("rfm_segments", optional=True) is None
    with pytest.raises(RunError, match="rfm_segments has not been made in run 'emails'"):
        emails.load("rfm_segments")
    Run("emails", "02_rfm").save("rfm_segments", TABLE, key="customer_id")  # left by a plan that is no longer the run's
    assert emails.load("rfm_segments", optional=True) is None


@pytest.mark.slow
def test_an_optional_artefact_that_is_only_not_made_yet_names_the_command(lab):
    test = Run("demo", "05_ab_analysis")
    with pytest.raises(RunError, match="customerlab run 02 --run demo"):
        test.load("rfm_segments", optional=True)
    lab.save("rfm_segments", TABLE, key="customer_id")
    assert len(test.load("rfm_segments", optional=True)) == 2
    assert lab.load("clusters", optional=True) is None, "only earlier notebooks hand over"


def test_a_run_without_a_params_file_has_what_is_there(lab):
    mine = Run("scratch", "05_ab_analysis", data="demo")
    assert mine.load("rfm_segments", optional=True) is None
    Run("scratch", "02_rfm", data="demo").save("rfm_segments", TABLE, key="customer_id")
    assert len(mine.load("rfm_segments", optional=True)) == 2


def test_the_numbers_of_a_notebook_are_recorded(lab):
    lab.record(customers=2, share=1 / 3)
    lab.record(customers=3, share=1 / 3)
    assert read_json(lab.folder / "metrics.json") == {"02_rfm": {"customers": 3, "share": 0.3333333333}}


def test_a_runner_gives_a_folder_aside(lab, tmp_path, monkeypatch):
    monkeypatch.setenv(STAGING, str(tmp_path / "aside"))
    lab.save("rfm_segments", TABLE, key="customer_id")
    assert (tmp_path / "aside" / "artifacts" / "rfm_segments.parquet").is_file()
    assert not (lab.folder / "artifacts").exists()


def test_a_table_that_the_shop_lacks(lab):
    assert lab.table("products", optional=True) is not None
    (lab.root / "params" / "emails.yml").write_text("run: emails\ndata: hillstrom_email\n")
    other = Run("emails", "04_recommenders", data="hillstrom_email")
    assert other.table("ratings", optional=True) is None
    with pytest.raises(CustomerlabError, match="no ratings table"):
        other.table("ratings")


@pytest.mark.parametrize("given", [{"data": "online_retail"}, {"products": "movielens_latest_small"}])
def test_one_shop_is_never_written_into_another(lab, given):
    with pytest.raises(RunError, match="but run 'demo' reads it from 'demo'") as caught:
        Run("demo", "01_eda", **given).table("products", optional=True)
    assert "params/demo.yml" in str(caught.value) and not (lab.folder / "tables").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rfm_bins": 99}, "from 2 to 10"),
        ({"rfm_bins": "5"}, "a whole number"),
        ({"rfm_bins": 5, "as_of": "2024-02-31"}, "YYYY-MM-DD"),
    ],
)
def test_values_that_the_parameters_cell_does_not_allow_are_refused(project, monkeypatch, given, said):
    monkeypatch.chdir(project / "notebooks")
    monkeypatch.setattr("customerlab.workbench.run.get_ipython", lambda: SimpleNamespace(user_ns=given))
    with pytest.raises(CustomerlabError) as caught:
        Run("demo", "02_rfm")
    assert said in str(caught.value) and "02_rfm, parameters" in str(caught.value)
    Run("demo", "05_ab_analysis")  # another notebook's names are none of its parameters
    Run("demo", "scratch")  # nor does a notebook of one's own declare any


def test_a_run_name_cannot_leave_the_folder(project, monkeypatch):
    monkeypatch.chdir(project)
    with pytest.raises(CustomerlabError, match="cannot name a run"):
        Run("../demo", "02_rfm")


def test_half_a_file_is_never_seen(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError), written_aside(path) as aside:
        aside.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_half_written_is_removed_and_what_is_being_written_is_not(tmp_path):
    (tmp_path / ".aside-left").mkdir()
    (tmp_path / ".aside-left" / "half.parquet").write_text("half")
    with written_aside(tmp_path / "b.json") as aside:
        aside.write_text("1")
        write_json(tmp_path / "a.json", 1)
        assert sorted(p.name for p in tmp_path.iterdir()) == [aside.parent.name, "a.json"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "b.json"]


def shown(capsys, monkeypatch, item, caption, formats=None):
    said = []
    monkeypatch.setattr("customerlab.workbench.display.display", lambda data, **_: said.append(data))
    show(item, caption, formats)
    return said


def test_a_table_is_shown_without_changing_ids_and_escaped(capsys, monkeypatch):
    table = pd.DataFrame({"name": ["<b>bold</b>"], "share": [0.123]})
    first, second = (shown(capsys, monkeypatch, table, "A <caption>", {"share": "{:.1%}"})[0] for _ in range(2))
    assert first == second
    assert "<b>" not in first["text/html"] and "A &lt;caption&gt;" in first["text/html"]
    assert "12.3%" in first["text/html"] and "12.3%" in first["text/plain"]


def test_a_format_of_an_unknown_column_is_refused(capsys, monkeypatch):
    with pytest.raises(KeyError, match="shares"):
        shown(capsys, monkeypatch, TABLE, "A table", {"shares": "{}"})


def test_a_figure_is_shown_with_alt_text_and_caption(capsys, monkeypatch):
    from customerlab.figures.rfm import lorenz

    curve = pd.DataFrame({"share_of_holders": [0, 1], "share_of_revenue": [0, 1]})
    picture, again = (lorenz({"customers": (curve, 0.0)}) for _ in range(2))
    image, caption = shown(capsys, monkeypatch, picture, "How uneven?")
    assert image["text/plain"] == picture.alt and "Gini 0.00" in picture.alt
    assert caption["text/plain"] == "How uneven?"
    png = again.png()
    assert base64.b64decode(image["image/png"]) == png and b"Software" not in png


def test_a_users_own_figure_is_shown_too_and_nothing_else(capsys, monkeypatch):
    from matplotlib.figure import Figure

    own = Figure(figsize=(4, 3))
    own.subplots().plot([1, 2])
    image, caption = shown(capsys, monkeypatch, own, "A line?")
    assert image["text/plain"] == caption["text/plain"] == "A line?"
    assert base64.b64decode(image["image/png"]).startswith(b"\x89PNG")
    with pytest.raises(TypeError, match=r"show was given Series; expected a table \(DataFrame\)"):
        shown(capsys, monkeypatch, TABLE.iloc[:, 0], "A column")


def test_progress_goes_to_the_terminal_and_into_no_output(monkeypatch):
    handed, told = [], []
    monkeypatch.setattr(display, "display", lambda data, raw: handed.append(data))
    log = logging.getLogger("customerlab")
    before = log.level
    display.tell_progress()
    display.tell_progress()
    try:
        logging.getLogger("customerlab.analysis.recommend").info("%s, model 3 of 21", "EASE")
    finally:
        log.handlers = [handler for handler in log.handlers if not isinstance(handler, display.Teller)]
        log.setLevel(before)
    assert [list(data.values()) for data in handed] == [["EASE, model 3 of 21"]], "once"
    client = LimitedClient.__new__(LimitedClient)
    client._say, client._begin, client._reached = told.append, time.monotonic() - 61, None
    message = {"msg_type": "display_data", "content": {"data": handed[0]}}
    assert client.process_message(message, None, 0) is None, "no output of the cell"
    assert len(told) == 1 and "61." in told[0] and told[0].endswith("EASE, model 3 of 21")


def test_checks_stop_an_unattended_rerun():
    checks(sound=True, kept_is_read=1)
    with pytest.raises(AssertionError, match="shares sum to one; kept is read"):
        checks(shares_sum_to_one=False, sound=True, kept_is_read=0)


@pytest.mark.slow
def test_a_line_of_many_signs_is_masked_at_once():
    begin, line = time.process_time(), "x" * 100_000
    assert masked(line) == line
    assert time.process_time() - begin < 10, "its cost grew with the square of the length, and was minutes"


def test_what_differs_between_equal_runs_is_masked():
    text = "/var/folders/ipykernel_12/345.py:3: UserWarning: <a at 0x7fa0b1c2d3e4>"
    assert masked(text) == "<cell>:3: UserWarning: <a at 0x0>"
    assert masked("0x12 stays, and so does 1,234.5") == "0x12 stays, and so does 1,234.5"


@pytest.mark.slow
def test_another_shops_test_says_so_and_an_entry_of_the_same_shop_does_not(project):
    (project / "params" / "mine.yml").write_text(
        "run: mine\ndata: demo\nexperiment: hillstrom_email\nratings: my_stars\n", encoding="utf-8"
    )
    catalog = project / "data" / "catalog.yml"
    text = catalog.read_text(encoding="utf-8")
    stars = """
my_stars:
  title: Stars of our own
  shop: demo
  files: {stars: demo/ratings.parquet}
  tables:
    ratings:
      columns: {customer_id: customer_id, product_id: product_id, rating: rating, rated_at: rated_at}
"""
    catalog.write_text(text + stars, encoding="utf-8")
    plan = make_plan(project, "mine")
    sentence = plan.whose(plan.step("05"))["experiment"]
    assert sentence.startswith("These data are not this shop's: they were measured in Hillstrom's e-mail test")
    assert plan.whose(plan.step("06")) == {}
    lent = plan.fingerprint(plan.step("05"))
    catalog.write_text(
        (text + stars).replace("hillstrom_email:\n", "hillstrom_email:\n  shop: demo\n"), encoding="utf-8"
    )
    plan = make_plan(project, "mine")
    assert plan.whose(plan.step("05")) == {}
    assert plan.fingerprint(plan.step("05")) != lent  # so that the page that says otherwise is not up to date


@pytest.mark.parametrize(("run", "wanted"), [("demo", []), ("online_retail", ["experiment", "ratings"])])
def test_whose_data_the_runs_of_the_project_have(run, wanted):
    catalog = load_catalog(ROOT)
    parameters = load_yaml(ROOT / "params" / f"{run}.yml", where=run)
    assert [table for table in MEASURED if whose(catalog, table, run, parameters)] == wanted


SIGNS = st.sampled_from("=+-@＝＋－＠'\" \t\r\n,;01aé|\u00a0\u200b") | st.characters(exclude_categories=["Cs"])
TEXTS = st.text(SIGNS, min_size=1, max_size=8)


@pytest.mark.thorough
@given(st.lists(TEXTS, min_size=1, max_size=8, unique=True), TEXTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_parquet_is_exact_and_the_csv_can_be_turned_back(tmp_path, monkeypatch, ids, name):
    monkeypatch.setenv(STAGING, str(tmp_path))
    table = pd.DataFrame({"customer_id": ids, name + "x": ids}, dtype="str").sort_values(
        "customer_id", ignore_index=True
    )
    Run("demo", "02_rfm").save("people", table, key="customer_id", csv=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "artifacts" / "people.parquet"), table, check_dtype=False)
    with (tmp_path / "artifacts" / "people.csv").open(newline="", encoding="utf-8") as handle:
        head, *rows = csv.reader(handle)
    for cell in [*head, *(cell for row in rows for cell in row)]:
        assert not re.match(r"\s*[=+\-@＝＋－＠]|[\t\r\n]", cell), "a spreadsheet would compute it"

    def back(cell):
        return cell[1:] if cell.startswith("'") and COMPUTED.match(cell) else cell

    assert [back(cell) for cell in head] == list(table.columns)
    assert [[back(cell) for cell in row] for row in rows] == table.to_numpy().tolist()
