"""Segments in plain words: a closed grammar, compiled to one Ibis expression and answered with numbers.

`tree` has the forms of conditions and writes a tree as its canonical text, `grammar` reads a text, `base` has the
customers and the names that there are, `meaning` compiles a tree, `answers` counts, and `proposals` takes texts from a
language model. docs/language.md has the grammar.
"""

from customerlab.analysis.language.answers import Answer, answer, examples
from customerlab.analysis.language.base import CustomerBase, without_orders
from customerlab.analysis.language.grammar import LanguageError, parse
from customerlab.analysis.language.meaning import select
from customerlab.analysis.language.proposals import Proposal, propose
from customerlab.analysis.language.tree import canonical

__all__ = [
    "Answer", "CustomerBase", "LanguageError", "Proposal", "answer", "canonical", "examples", "parse", "propose", "select",
    "without_orders",
]  # fmt: skip
