"""Copies of a picture: who is a copy of whom, who is a variant, and which one to keep.

prints: what is kept of each picture. search: which pairs to look at. align, colours, check: how far
two pictures differ. groups: stars round the one to keep. find: all of it for a folder.
"""

from .find import DEFAULT_HARDNESS, find_duplicates, plan_duplicates
from .groups import Group

__all__ = ["DEFAULT_HARDNESS", "Group", "find_duplicates", "plan_duplicates"]
