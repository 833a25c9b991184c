"""What preparing a log costs beside a bare COPY of the same columns in DuckDB: `make bench-preparation LINES=1e6,1e7`.

The log is that of `make bench`, as parquet and as CSV. Preparing reads it in full, maps, cleans, checks, sorts and
writes it; COPY writes the mapped columns as they are. They run in turn, each in a process of its own on two cores,
and the fastest of three runs counts. `seconds` begin when everything is imported. Peak memory is the process's.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

from features import FOLDER, measure
from harness import CORES, in_a_process, peak, two_cores

REPEATS = 3
CLEAN = {"a rule": "[order_cancelled]", "six rules": "[exact_repeat, customer_missing, {product_not_matching: {pattern: '^P'}}, "
         "order_cancelled, price_not_positive, {quantity_too_large: {most: 1000000}}]"}  # fmt: skip
COLUMNS = ("customer_id", "order_id", "ordered_at", "product_id", "quantity", "unit_price", "country")
KINDS = ("parquet", "csv")


def log(lines: int, kind: str) -> Path:
    """The file of a log of so many lines; written where it is not there yet."""
    import duckdb

    folder = FOLDER / "data" / "raw" / f"preparation_{lines}"
    path = folder / f"log.{kind}"
    if not path.is_file():
        shop = FOLDER / "data" / "raw" / f"lines_{lines}"
        measure("simulated", FOLDER / "outputs" / shop.name / "tables" / "transactions.parquet", repeats=1)
        folder.mkdir(exist_ok=True)
        duckdb.sql(f"COPY (SELECT * FROM '{shop}/transactions/*.parquet' LIMIT {lines}) TO '{path}'")
    return path


def prepared(files: Path, clean: str) -> dict[str, Any]:
    """From the files to the table that a run keeps."""
    from customerlab.data.prepare import prepare

    root = FOLDER / "preparation"
    columns = ", ".join(f"{name}: {name}" for name in COLUMNS)
    entry = f"title: log\n  files: {{lines: '{files.relative_to(FOLDER / 'data' / 'raw')}'}}\n"
    entry += f"  tables:\n    transactions:\n      columns: {{{columns}}}\n      clean: {CLEAN[clean]}\n"
    (root / "data").mkdir(parents=True, exist_ok=True)
    (root / "data" / "catalog.yml").write_text(f"log:\n  {entry}", encoding="utf-8")
    if not (root / "data" / "raw").is_symlink():
        (root / "data" / "raw").symlink_to(FOLDER / "data" / "raw")
    shutil.rmtree(root / "outputs", ignore_errors=True)
    begin = time.perf_counter()
    made = prepare(root, root / "outputs" / "log", "transactions", "log", progress=False, anew=True)
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "rows": made.report["rows"], "read": made.report["row_accounting"][0]["rows_left"]}


def copied(files: Path, _: str) -> dict[str, Any]:
    """The floor: the mapped columns, as they are."""
    import duckdb

    target = FOLDER / "copied.parquet"
    begin = time.perf_counter()
    with duckdb.connect(config={"threads": CORES}) as con:
        con.execute(f"COPY (SELECT {', '.join(COLUMNS)} FROM '{files}') TO '{target}'")
    seconds = time.perf_counter() - begin
    target.unlink()
    return {"seconds": seconds}


def report(lines: int) -> None:
    """Measure both on a log of about so many lines."""
    print(f"\n## {lines:,} lines\n")
    print("| from | rules | lines read | COPY, s | prepared, s | times COPY | peak GiB |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for kind in KINDS:
        files = str(log(lines, kind))
        for clean in CLEAN:
            runs = [
                [in_a_process(__file__, name, files, clean) for name in ("copied", "prepared")] for _ in range(REPEATS)
            ]
            floor, ours = (min(run[which]["seconds"] for run in runs) for which in (0, 1))
            print(
                f"| {kind} | {clean} | {runs[0][1]['read']:,} | {floor:.2f} | {ours:.2f} | {ours / floor:.1f} "
                f"| {max(run[1]['peak'] for run in runs):.2f} |", flush=True,
            )  # fmt: skip


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", default="1e6,1e7", help="sizes of the logs, separated by commas")
    parser.add_argument("--contend", nargs=3, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.contend:
        name, files, clean = words.contend
        run = {"copied": copied, "prepared": prepared}[name]
        found = run(Path(files), clean)
        print(json.dumps(found | {"peak": peak(), "cpu": time.process_time()}))
        return
    two_cores()
    (FOLDER / "data").mkdir(parents=True, exist_ok=True)
    for size in words.lines.split(","):
        report(int(float(size)))


if __name__ == "__main__":
    main()
