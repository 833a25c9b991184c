"""Segments proposed by a language model of the user's choice: read, counted and shown before anyone uses them."""

from dataclasses import dataclass
from typing import Protocol

from customerlab.analysis.language.answers import Answer, answer
from customerlab.analysis.language.base import CustomerBase
from customerlab.analysis.language.grammar import LanguageError
from customerlab.analysis.language.tree import FORMS


class Proposer(Protocol):
    """A language model: a request in any words, the forms of the grammar, and what was refused so far and why."""

    def __call__(self, request: str, forms: str, refused: list[tuple[str, str]]) -> str:
        """A text of the grammar."""
        ...


@dataclass(frozen=True, eq=False)
class Proposal:
    """The text that was proposed last, its answer with the canonical wording, and what was refused before, and why."""

    proposed: str
    answer: Answer
    refused: list[tuple[str, str]]


def propose(request: str, model: Proposer, base: CustomerBase, *, tries: int = 3, smallest: int = 1) -> Proposal:
    """Ask a model for a segment, at most `tries` times; each refused text goes back to it with the parser's message.

    Nothing is done with the segment: the user reads its wording and numbers first, and passes the wording on.

    Raises
    ------
    ValueError
        If no text was of the grammar, with the last message.
    """
    forms = "\n".join(form for forms in FORMS.values() for form in forms[:2])
    refused: list[tuple[str, str]] = []
    for _ in range(tries):
        proposed = str(model(request, forms, list(refused)))
        try:
            return Proposal(proposed, answer(proposed, base, smallest=smallest), refused)
        except LanguageError as error:
            refused.append((proposed, str(error)))
    raise ValueError(
        f"No text of {tries} was a segment. The last: {refused[-1][1] if refused else 'none was asked for'}"
    )
