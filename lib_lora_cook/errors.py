"""The one exception for a person's mistake; everything else is a traceback."""

from __future__ import annotations

IF_UNREAD = "Check its name and rights."
IF_UNWRITTEN = "Check its rights and the free space."
"""What to do about a file or folder that cannot be read, or written."""


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
