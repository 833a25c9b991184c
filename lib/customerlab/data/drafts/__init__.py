"""A draft of a catalogue entry: `sniff` looks at files, `looks` at values, `roles` at columns."""

from customerlab.data.drafts.entry import draft

__all__ = ["draft"]
