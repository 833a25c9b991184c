"""What is executed with other parameters than the run's own has a folder aside, and changes nothing of the run's."""

import pytest

from customerlab.data.project import file_digest, read_json, write_json, write_sealed
from customerlab.workbench.publish import HISTORY, KEPT, STATE, changes, note_saved, remember
from customerlab.workbench.scratch import begin, scratch_name


def executed(folder, name, text, **parameters):
    """What an execution of a notebook leaves, all of it one text."""
    paths = [folder / f"{name}.ipynb", folder / "artifacts" / f"of_{name}.parquet"]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
    record = {"parameters": parameters, "writes": {f"of_{name}": file_digest(paths[1])}, "csv": {}}
    write_json(folder / STATE / f"{name}.metrics.json", {"n": 1})
    write_sealed(folder / STATE / f"{name}.manifest.json", record)


@pytest.fixture
def folders(tmp_path):
    home = tmp_path / "home"
    for name in ("01", "02", "03"):
        executed(home, name, "the run's", n=1)
    (home / "tables").mkdir()
    (home / "tables" / "goods.parquet").write_text("goods")
    return home, tmp_path / "aside"


def texts(folder):
    return {p.name: p.read_text() for p in folder.rglob("*") if p.is_file() and p.parent.name != STATE}


def test_it_begins_with_the_results_of_the_run_as_links(folders):
    home, aside = folders
    begin(home, aside)
    assert texts(aside) == texts(home)
    assert (aside / "artifacts" / "of_01.parquet").samefile(home / "artifacts" / "of_01.parquet")
    assert (aside.stat().st_mode & 0o777) == 0o700


def test_what_was_made_in_it_stays_and_the_rest_follows_the_run(folders):
    home, aside = folders
    begin(home, aside)
    executed(aside, "02", "other", n=2)
    note_saved(aside, "03", "of_03", "digest")
    for name in ("01", "02", "03"):
        executed(home, name, "newer", n=1)
    begin(home, aside)
    found = texts(aside)
    assert found["01.ipynb"] == "newer" and found["of_01.parquet"] == "newer"
    assert found["02.ipynb"] == "other" and found["of_02.parquet"] == "other", "executed with another parameter"
    assert found["of_03.parquet"] == "the run's", "saved by hand"
    assert texts(home)["of_02.parquet"] == "newer"


def test_names_are_plain_short_and_do_not_meet():
    assert scratch_name({"b": 2, "a": "x"}) == "a=x,b=2"
    odd = [scratch_name({"a": value}) for value in ("x/y", "x_y", "x y", "../x", "x" * 300, "x" * 301, ["x"], "")]
    assert len(set(odd)) == len(odd) and not [one for one in odd if "/" in one or len(one) > 90]


def test_the_numbers_of_results_are_kept_and_what_changed_is_said(tmp_path):
    def ended(**numbers):
        write_json(tmp_path / "metrics.json", {"02_rfm": numbers})
        remember(tmp_path)

    ended(customers=10, gini=0.5)
    assert changes(tmp_path) is None
    ended(customers=10, gini=0.5)
    assert changes(tmp_path) is None, "nothing has changed"
    ended(customers=12, lift=[1, 0.5, 2])
    _, found = changes(tmp_path)
    assert found == [
        ("02_rfm", "customers", 10, 12), ("02_rfm", "gini", 0.5, None), ("02_rfm", "lift", None, [1, 0.5, 2]),
    ]  # fmt: skip
    for n in range(KEPT + 5):
        ended(customers=n)
    assert len(read_json(tmp_path / STATE / HISTORY)["results"]) == KEPT
    for damaged in ("damaged", "[1, 2]", '{"results": [1, 2]}'):
        (tmp_path / STATE / HISTORY).write_text(damaged)
        assert changes(tmp_path) is None
        ended(customers=1)
        assert len(read_json(tmp_path / STATE / HISTORY)["results"]) == 1, "it heals"
