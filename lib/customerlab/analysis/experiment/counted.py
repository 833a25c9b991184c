"""Totals in place of units: what can be measured of a test from numbers of units, sums and sums of squares."""

from collections.abc import Sequence
from functools import partial
from typing import Self

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.experiment.measured import SOME, TIMES, Measured
from customerlab.analysis.experiment.stats import Groups, Moments
from customerlab.data.tables import OF_UNITS, OUTCOME, SQUARES


class Counted(Measured):
    """A canonical table whose rows are totals, of an arm or of an arm's day; it is asked like a table of units.

    Of an outcome without sums of squares the sum is the number of units that have it, each once. Products of two
    outcomes are not known, so there are no ratios of them; nor is anything that needs the value of a single unit.
    """

    summed = True

    def _facts(self) -> pd.DataFrame:
        units = self.table[OF_UNITS]
        sums: dict[str, ir.Scalar] = {"units": units.sum()}
        sums |= {name: units.sum(where=~self.table[name].isnull()) for name in TIMES if name in self.table.columns}
        for place, name in enumerate(self.columns(OUTCOME)):
            total, squares = self.table[name], self.table[self._squares(name)]
            sums |= {f"sum{place}": total.sum(), f"squares{place}": squares.sum()}
            sums[f"missing{place}"] = units.sum(where=total.isnull() | squares.isnull())
        found = self.table.group_by("variant").aggregate(**sums).order_by("variant").to_pandas().set_index("variant")
        whole = ["units", *(one for one in found if one in TIMES or one.startswith("missing"))]
        return found.fillna(dict.fromkeys(whole, 0)).astype(dict.fromkeys(whole, "int64"))

    def _squares(self, name: str) -> str:
        """The column of an outcome's sums of squares: of zeros and ones, that of their sums."""
        squares = SQUARES + name.removeprefix(OUTCOME)
        return squares if squares in self.table.columns else name

    @property
    def made_up(self) -> bool:
        """Totals have no ids."""
        return True

    @property
    def by_value(self) -> pd.DataFrame:
        """No unit is seen twice: none is seen."""
        columns = ["values", "shared", "mixed", "several", "together"]
        return pd.DataFrame(0, index=["unit_id"], columns=columns)

    def facts(self, kind: str) -> dict[str, pd.DataFrame]:
        """By outcome what is known of it; how many units have any is at least Σx² / Σx², by Cauchy and Schwarz."""
        whole, tables = self._once("facts", self._facts), {}
        for place, name in enumerate(self.columns(kind)):
            total, squares = whole[f"sum{place}"].astype(float), whole[f"squares{place}"].astype(float)
            binary = self._squares(name) == name
            some = total if binary else np.floor(total**2 / squares.where(squares > 0)).fillna(0)
            tables[name] = pd.DataFrame(
                {"missing": whole[f"missing{place}"], "infinite": 0, "some": some, "other": float(not binary)}
            ).assign(most=np.nan, whole=np.nan)
        return tables

    def _number(self, table: ir.Table) -> ir.NumericScalar:
        return table[OF_UNITS].sum().cast("int64")

    def moments_by(self, by: Sequence[str], columns: Sequence[str], *, together: Groups = None) -> list[Moments]:
        """Moments by each of several columns; covariances of two outcomes are not known, and zero here."""
        names = tuple(one for one in dict.fromkeys(columns) if not one.startswith(SOME))
        return [self._once(("moments", one, names), partial(self._moments, one, names)) for one in by]

    def _moments(self, by: str, names: tuple[str, ...]) -> Moments:
        keys = {"variant": self.table.variant} | ({by: self.label(by)} if by else {})
        keys |= {self.strata: self.table[self.strata]} if self.strata else {}
        sums = {"units": self.table[OF_UNITS].sum()}
        for place, name in enumerate(names):
            sums |= {f"sum{place}": self.table[name].sum(), f"squares{place}": self.table[self._squares(name)].sum()}
        found = self.table.group_by(**keys).aggregate(**sums).filter(lambda t: t.units > 0).order_by(*keys).to_pandas()
        count = found["units"].to_numpy(dtype=int)
        total, squares = (
            found[[f"{what}{place}" for place in range(len(names))]].to_numpy(dtype=float).reshape(len(found), -1)
            for what in ("sum", "squares")
        )
        covariance = np.zeros((len(found), len(names), len(names)))
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = np.maximum(squares - total**2 / count[:, None], 0) / (count - 1)[:, None]
        covariance[:, range(len(names)), range(len(names))] = np.where(count[:, None] > 1, apart, np.nan)
        moments = Moments(found[list(keys)], names, count, total / count[:, None], covariance)
        return moments.levelled(self.strata) if self.strata else moments

    def only(self, arms: Sequence[str]) -> Self:
        """The totals of some arms."""
        return type(self)(self.table.filter(self.table.variant.isin(arms)), strata=self.strata)

    def values(self, columns: Sequence[str]) -> pd.DataFrame:
        """There are none."""
        raise ValueError(f"rows are totals; the values of units in {', '.join(columns)} are not known")
