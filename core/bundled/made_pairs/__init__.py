"""Pairs of sentences made from running text by rule: one follows from the other, denies it, or does neither.

A sentence is cut into phrases with MeCab. A phrase that only narrows it can go (what is left follows from the whole,
and not the other way round), its predicate can be denied, and a word of it can be exchanged. Sentences where that would
not hold (questions, suppositions, hearsay) and those that MeCab does not know whole are left out.
"""

from core.bundled.made_pairs.drawing import SOURCES, gather_made_pairs

__all__ = ("SOURCES", "gather_made_pairs")
