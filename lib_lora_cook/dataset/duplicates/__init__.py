"""Copies of a picture: who is a copy of whom, who is a variant, and which one to keep.

prints: what is kept of each picture. search, views, textures: which pairs to look at. glance: which
are no copies for certain. align, colours, marks, check: how far two pictures differ. doubts: all of
that for many pairs. groups: stars round the one to keep. enlarged: which has no more to show.
store, distinct: what is remembered. workers: all cores. find: all of it for a folder. show: the
difference, for a person.
"""

from .find import DEFAULT_HARDNESS, declare_distinct, find_duplicates, plan_duplicates
from .groups import Group
from .show import difference_picture

__all__ = [
    "DEFAULT_HARDNESS",
    "Group",
    "declare_distinct",
    "difference_picture",
    "find_duplicates",
    "plan_duplicates",
]
