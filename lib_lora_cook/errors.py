"""The one exception for a person's mistake; everything else is a traceback."""

from __future__ import annotations


class UserError(Exception):
    """What is wrong, where, and what to do about it; shown once, on one line."""

    def __init__(self, what: str, where: object = "", to_do: str = "") -> None:
        super().__init__(what, where, to_do)
        self.what = what
        self.where = str(where)
        self.to_do = to_do

    def __str__(self) -> str:
        line = f"{self.what}: {self.where}" if self.where else self.what
        if self.to_do:
            line = f"{line}. {self.to_do}"
        return " ".join(line.split())
