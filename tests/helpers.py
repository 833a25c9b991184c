"""What the tests share: a copy of the project to run in, its commands, and a stranger's shop."""

import html
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import ibis
import ibis.expr.types as ir
import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from customerlab.workbench import display
from customerlab.workbench.notebook import OWN, Notebook, is_left_out

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def browse(page: Path, profile: Path, *words: str) -> str:
    """Open a page in a headless browser; what it says."""
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        f"--user-data-dir={profile}", "--virtual-time-budget=5000", *words, page.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout


@contextmanager
def served(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on this machine alone, as long as the block runs; its address."""
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def own_notebooks() -> list[Notebook]:
    """The project's own notebooks, without those that a user has put beside them."""
    return [Notebook(path) for name in sorted(OWN) if (path := ROOT / "notebooks" / f"{name}.ipynb").is_file()]


@cache
def without_outputs(path: Path) -> str:
    """A committed notebook without its outputs, most of which are pictures."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = []
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def copy_project(folder: Path, *, outputs: bool = False) -> Path:
    """A project that a test may write into: all that a run reads, no results and no guests."""
    for name in ("params", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("raw", "cache"))
    (folder / "notebooks").mkdir()
    for path in (notebook.path for notebook in own_notebooks()):
        text = path.read_text(encoding="utf-8") if outputs else without_outputs(path)
        (folder / "notebooks" / path.name).write_text(text, encoding="utf-8")
    (folder / "docs").mkdir()
    for name in ("requirements.lock", "pyproject.toml", "docs/glossary.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def call(
    project: Path, *words: str, check: bool = True, timeout: float = 900, **options: object
) -> subprocess.CompletedProcess[str]:
    """Call one of the environment's commands in a project; CUSTOMERLAB_DATA stays what it is."""
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    command = [str(BIN / words[0]), *words[1:]]
    options |= {"capture_output": True, "text": True, "timeout": timeout}
    done = subprocess.run(command, cwd=project, env=environment, **options)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)} ended {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def started(output: str) -> list[str]:
    """The notebooks that a run has begun to execute."""
    return sorted(set(re.findall(r"\[(\d\d_\w+)\] starts", output)))


def listen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that notebooks show from now on, as text, as long as the patch holds."""
    shown: list[str] = []

    def keep(item, **_):
        shown.append(item["text/plain"] if isinstance(item, dict) else as_read(item.data))

    monkeypatch.setattr(display, "display", keep)
    return shown


def run_cells(project: Path, notebook: str, monkeypatch: object, **parameters: object) -> dict:
    """Execute a notebook's code in this process, with other parameters; what its cells have named comes back."""
    monkeypatch.chdir(project / "notebooks")
    space: dict = {}
    for cell in json.loads((project / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            tags, lab = cell["metadata"].get("tags", []), space.get("lab")
            if lab is not None and is_left_out(tags, lab.lacking):
                continue
            exec("".join(cell["source"]), space)
            if "parameters" in cell["metadata"].get("tags", []):
                space.update(parameters)
    return space


def by_chance(rate: float, number: int) -> tuple[float, float]:
    """The least and the largest share that `number` independent trials have at a rate, but for once in a thousand."""
    least, most = binom.interval(0.999, number, rate)
    return least / number, most / number


def as_read(markdown: str) -> str:
    """The text of a list of findings, without what Markdown and HTML need."""
    return html.unescape(re.sub(r"</?(strong|span|em)>", "", markdown))


def log(rows: list[tuple]) -> ir.Table:
    """A canonical log from rows of customer, order, time, product, quantity and price."""
    frame = pd.DataFrame(
        rows, columns=["customer_id", "order_id", "ordered_at", "product_id", "quantity", "unit_price"]
    )
    frame["ordered_at"] = pd.to_datetime(frame["ordered_at"]).astype("datetime64[us]")
    table = ibis.memtable(frame.astype({"quantity": float, "unit_price": float}))
    return table.mutate(amount=(table.quantity * table.unit_price).round(4).cast("decimal(18, 4)"))


def make(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call make in a project, with the environment that is there."""
    shutil.copy(ROOT / "Makefile", project)
    if not (project / ".venv").exists():
        (project / ".venv").mkdir()
        (project / ".venv" / "bin").symlink_to(BIN)
        (project / ".venv" / ".ready").touch()
    return subprocess.run(["make", *words], cwd=project, capture_output=True, text=True, timeout=540, check=False)


STRANGER = """
my_shop:
  title: A stranger's shop
  files:
    sales:
      path: verkauf.csv
      delimiter: ";"
      decimal: ","
      thousands: "."
  tables:
    transactions:
      columns:
        customer_id: Kunde
        order_id: Beleg
        ordered_at: {column: Datum, format: "%d.%m.%Y %H:%M"}
        product_id: Artikel
        quantity: Menge
        unit_price: Preis
      clean: [customer_missing, quantity_not_positive]
"""


def stranger_lines(seed: int = 3) -> pd.DataFrame:
    """The stranger's order lines, typed."""
    rng = np.random.default_rng(seed)
    orders = pd.DataFrame({"Beleg": [f"R-{n:05d}" for n in range(900)], "Kunde": rng.integers(1, 200, 900)})
    orders["Datum"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365 * 1440, 900), unit="min")
    lines = orders.loc[orders.index.repeat(rng.integers(1, 5, 900))].reset_index(drop=True)
    lines["Artikel"] = [f"A{n}" for n in rng.integers(1, 60, len(lines))]
    lines["Menge"] = rng.integers(1, 6, len(lines))
    lines["Preis"] = rng.integers(50, 250_000, len(lines)) / 100
    return lines


def as_written(lines: pd.DataFrame) -> pd.DataFrame:
    """The same lines as a German spreadsheet writes them: day first, decimal comma, points between thousands."""
    text = lines.assign(
        Datum=lines["Datum"].dt.strftime("%d.%m.%Y %H:%M"),
        Preis=[f"{p:,.2f}".translate(str.maketrans(",.", ".,")) for p in lines["Preis"]],
    )
    return text.astype(str)


def add_shop(project: Path, lines: pd.DataFrame, *, entry: str = STRANGER, name: str = "my_shop") -> Path:
    """Add a shop to a project as its user would: a file in data/raw, an entry, a params file."""
    path = project / "data" / "raw" / "verkauf.csv"
    path.parent.mkdir(exist_ok=True)
    lines.to_csv(path, sep=";", index=False)
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write(entry)
    (project / "params" / f"{name}.yml").write_text(f"run: {name}\n", encoding="utf-8")
    return path


def paste_template(project: Path, name: str) -> None:
    """Add a ready entry to a project as its user would: the text into the catalogue, a params file beside it."""
    entry = (project / "data" / "templates" / name / "entry.yml").read_text(encoding="utf-8")
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write(f"\n{entry}")
    (project / "params" / f"{name}.yml").write_text(f"run: {name}\n", encoding="utf-8")


def write_notebook(project: Path, name: str, *cells: str, begin: str = "") -> Path:
    """Write a notebook of one's own: a parameters cell, a Run, and the given cells."""
    begin = begin or 'run: str = "demo"  # the run\nn: int = 1  # a number (1 to 9)'
    handle = f'import pandas as pd\nfrom customerlab import Run\n\nlab = Run(run, "{name}")'
    made = [nbformat.v4.new_markdown_cell(f"# {name}\n\nHow much is n?"), nbformat.v4.new_code_cell(begin)]
    made[1].metadata["tags"] = ["parameters"]
    made += [nbformat.v4.new_code_cell(text) for text in (handle, *cells)]
    for place, cell in enumerate(made):
        cell["id"] = f"cell-{place}"
    path = project / "notebooks" / f"{name}.ipynb"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel}), path)
    return path


def two_toys(project: Path) -> Path:
    """Leave in a project two small notebooks: the first saves `n` customers, the second reads them and counts."""
    for path in (project / "notebooks").glob("*.ipynb"):
        path.unlink()
    write_notebook(
        project, "02_first", 'rows = lab.table("products").count().execute()',
        'lab.save("firsts", pd.DataFrame({"id": range(n), "rows": rows}), key="id", csv=True)\nlab.record(n=n)',
    )  # fmt: skip
    write_notebook(
        project, "03_second", 'firsts = lab.load("firsts")\nrows = lab.table("experiment").count().execute()',
        'lab.save("seconds", firsts.assign(more=n), key="id")\nlab.record(customers=len(firsts))',
    )  # fmt: skip
    write_notebook(project, "04_alone", "lab.record(n=n)")
    return project


def toy(project: Path, *cells: str) -> Path:
    """Leave in a project one small notebook: its number `n` is what it saves, after what the given cells do."""
    for path in (project / "notebooks").glob("*.ipynb"):
        path.unlink()
    begin = 'run: str = "demo"  # the run\nn: int = 1  # a number'
    saves = [
        "import pandas as pd\nfrom customerlab import Run",
        'lab = Run(run, "02_toy")\nrows = lab.table("products").count().execute()',
        'lab.save("toy", pd.DataFrame({"id": range(n), "rows": rows}), key="id", csv=True)',
        'lab.save("toy_too", pd.DataFrame({"id": range(10 * n)}), key="id")\nlab.record(n=n)',
    ]
    made = [nbformat.v4.new_markdown_cell("# A toy\n\nHow much is n?"), nbformat.v4.new_code_cell(begin)]
    made[1].metadata["tags"] = ["parameters"]
    for text in (*cells, *saves):
        made.append(nbformat.v4.new_code_cell(text))
    for place, cell in enumerate(made):
        cell["id"] = f"cell-{place}"
    nbformat.write(nbformat.v4.new_notebook(cells=made), project / "notebooks" / "02_toy.ipynb")
    return project


LETTERS = dict(
    zip(("customer_id", "order_id", "ordered_at", "product_id", "quantity", "unit_price"), "codpqu", strict=True)
)
"""The column map of small made-up logs with the header ``c,o,d,p,q,u``."""
