"""One kind of error for everything a user can put right."""


class CustomerlabError(Exception):
    """Something a user can put right, said in four parts.

    Parameters
    ----------
    what : str
        What was found, in one sentence.
    where : str, optional
        The file, key, column or row.
    expected : str, optional
        What should have been there.
    do : str, optional
        The next step that puts it right.

    Examples
    --------
    >>> print(CustomerlabError("no such column: 'Preis'", where="shop.csv", do="mend data/catalog.yml"))
    no such column: 'Preis'
      where:    shop.csv
      do:       mend data/catalog.yml
    """

    def __init__(self, what: str, *, where: str = "", expected: str = "", do: str = "") -> None:
        self.what, self.where, self.expected, self.do = what, where, expected, do
        lines = [what]
        for label, text in (("where", where), ("expected", expected), ("do", do)):
            if text:
                lines.append(f"  {label + ':':<9} {text}")
        super().__init__("\n".join(lines))


class ParameterError(CustomerlabError):
    """A parameter or a run that cannot be used."""


class DataError(CustomerlabError):
    """A data set that is missing, changed or not as declared."""


class RunError(CustomerlabError):
    """A notebook or a step that did not finish."""
