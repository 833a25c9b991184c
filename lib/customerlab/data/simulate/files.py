"""The simulated shop as files, of any size, part by part."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from customerlab.data.simulate import experiments
from customerlab.data.simulate.campaigns import COLUMNS, schedule
from customerlab.data.simulate.people import DECLARED
from customerlab.data.simulate.shop import Part, assortment, average_effects, part_sizes, simulate_part
from customerlab.errors import DataError

TESTS = {"experiment": "three arms", "aa_test": "two equal arms", "broken_test": "a broken split"}
ENTRY = """\
{name}:
  title: Simulated shop, {customers:,} customers, seed {seed}
  licence: CC0 1.0
  citation: simulated by customerlab (lib/customerlab/data/simulate), seed {seed}
  currency: EUR
  files:
    lines: {{path: "{name}/transactions/*.parquet"}}
    range: {name}/products.csv
    people: {{path: "{name}/customers/*.parquet"}}
    stars: {{path: "{name}/ratings/*.parquet"}}
    email: {{path: "{name}/experiment/*.parquet"}}
    campaigns: {name}/campaigns.csv
    messages: {{path: "{name}/messages/*.parquet"}}
    banners: {{path: "{name}/decisions/*.parquet"}}
  tables:
    transactions:
      file: lines
      columns:
        {{customer_id: customer_id, order_id: order_id, ordered_at: ordered_at, product_id: product_id,
         quantity: quantity, unit_price: unit_price, country: country}}
      clean: {clean}
    products:
      file: range
      columns: {{product_id: product_id, description: description, category: category}}
    customers:
      file: people
      columns: {{customer_id: customer_id, signed_up_at: signed_up_at, country: country}}
{attributes}    ratings:
      file: stars
      columns: {{customer_id: customer_id, product_id: product_id, rating: rating, rated_at: rated_at, text: text}}
    experiment:
      file: email
      columns: {{unit_id: unit_id, variant: variant, exposed_at: exposed_at}}
      outcomes: [visit, conversion, spend]
      covariates: [past_orders, past_spend]
    campaigns:
      file: campaigns
      columns: {{campaign_id: campaign_id, name: name, offer: offer}}
    messages:
      file: messages
      columns:
        {{customer_id: customer_id, campaign_id: campaign_id, channel: channel, sent_at: sent_at, held_out: held_out,
         opened_at: opened_at, clicked_at: clicked_at, unsubscribed_at: unsubscribed_at, converted_at: converted_at,
         revenue: revenue}}
    decisions:
      file: banners
      columns:
        {{decided_at: decided_at, action: banner, reward: clicked, propensity: propensity, policy: policy,
         customer_id: customer_id, position: position}}
      contexts: [orders_before, days_since_order, mobile]
"""
# the rules that undo the planted faults, one for each, and the returns, which a sound shop has too
CLEAN = "[order_cancelled]"
CLEAN_SPOILED = (
    "[exact_repeat, customer_missing, {product_not_matching: {pattern: '^P'}}, order_cancelled, price_not_positive, "
    "{quantity_too_large: {most: 1000000}}]"
)


def write_shop(
    folder: Path, customers: int, seed: int, *, spoiled: bool, say: Callable[[str], None] = lambda _: None
) -> str:
    """Write a shop of any size as parquet, part by part in as many processes as there are cores.

    Tables go into folders of `folder`, the truth into `folder/truth`, which no catalogue entry names. The same seed
    gives the same bytes, whatever the number of processes. Nothing is left in place when it fails.

    Parameters
    ----------
    folder : Path
        Its name is that of the catalogue entry; it must not exist yet.
    spoiled : bool
        Plant the faults of real logs.
    say : callable
        Told how far it is.

    Returns
    -------
    str
        The shop's entry for `data/catalog.yml`.
    """
    if folder.exists():
        raise DataError(
            f"there is a data set {folder.name!r} already", where=str(folder),
            do="choose another name, or remove the folder",
        )  # fmt: skip
    folder.parent.mkdir(parents=True, exist_ok=True)
    goods = assortment(seed)
    with tempfile.TemporaryDirectory(prefix=".aside-", dir=folder.parent) as made:
        target = Path(made) / folder.name
        lines, effects = 0, []
        sizes = part_sizes(customers)
        for done, (written, part_effects) in enumerate(_parts(target, seed, sizes, spoiled), 1):
            lines += written
            effects.append(part_effects)
            if done == len(sizes) or done % 20 == 0:
                say(f"{done:,} of {len(sizes):,} parts, {lines:,} order lines")
        goods.table.to_csv(target / "products.csv", index=False, lineterminator="\n")
        schedule(seed)[COLUMNS].to_csv(target / "campaigns.csv", index=False, lineterminator="\n")
        goods.traits.to_csv(target / "truth" / "products.csv", index=False, lineterminator="\n")
        goods.complements.to_csv(target / "truth" / "complements.csv", index=False, lineterminator="\n")
        # the average of all parts together, weighted by their units
        table = pd.concat(effects).sort_values(["part", "variant", "outcome"])
        table["effect"] = (table["effect"] * table["units"]).fillna(0.0)
        overall = table.groupby(["variant", "outcome"], as_index=False, sort=False)[["effect", "units"]].sum()
        overall["effect"] /= overall["units"]
        overall.to_csv(target / "truth" / "effects.csv", index=False, lineterminator="\n")
        target.rename(folder)
    return ENTRY.format(
        name=folder.name, customers=customers, seed=seed, attributes=DECLARED,
        clean=CLEAN_SPOILED if spoiled else CLEAN,
    )  # fmt: skip


def _parts(target: Path, seed: int, sizes: list[int], spoiled: bool) -> Iterator[tuple[int, pd.DataFrame]]:
    """Simulate and write the parts, in this process where there is one, else in several."""
    jobs = [(target, seed, number, size, spoiled) for number, size in enumerate(sizes)]
    if len(jobs) == 1:
        yield _write_part(*jobs[0])
        return
    # spawned, because a process with arrow's threads must not be forked
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context, initializer=pa.set_cpu_count, initargs=(1,)) as pool:
        for future in as_completed([pool.submit(_write_part, *job) for job in jobs]):
            yield future.result()


def _write_part(target: Path, seed: int, number: int, size: int, spoiled: bool) -> tuple[int, pd.DataFrame]:
    part: Part = simulate_part(seed, number, size, spoiled=spoiled, campaigns=True)
    for folder, tables in ((target, part.tables), (target / "truth", part.truth)):
        for name, table in tables.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            pq.write_table(table, folder / name / f"part-{number:05d}.parquet", compression="zstd")
    people = part.truth["customers"].to_pandas()
    members = int(people[f"{experiments.ARMS[-1]}_visit"].notna().sum())
    return len(part.tables["transactions"]), average_effects(people).assign(units=members, part=number)
