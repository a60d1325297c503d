"""What a run told while it went on, kept beside its files: one JSON line an event."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..networks.atomic import write_atomically


def ledger_name(name: str) -> str:
    """The file of a run's events."""
    return f"{name}.jsonl"


def event_line(event: Any) -> str:
    """An event as one line of JSON: its kind, then its fields; no number is NaN."""
    line = {"event": type(event).__name__, **vars(event)}
    if not math.isfinite(line.get("loss", 0.0)):
        line["loss"] = None
    return json.dumps(line) + "\n"


@dataclass
class Ledger:
    """The events of one run; a disk that does not take them costs no run."""

    path: Path
    warn: Callable[[str], None]

    def __post_init__(self) -> None:
        self._warned = False

    def begin(self, step: int) -> None:
        """Go on behind `step`: what a killed run told beyond its state comes again; 0: anew."""
        kept = [line for line, it in self._lines() if it.get("step", 0) <= step] if step else []
        self._try(lambda: write_atomically(self.path, "".join(kept).encode()))

    def note(self, event: Any) -> None:
        """One more line."""

        def add() -> None:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(event_line(event))

        self._try(add)

    def scores(self) -> list[tuple[float, int]]:
        """The (merit, epoch) of the epochs scored so far."""
        return [(it["merit"], it["epoch"]) for _, it in self._lines() if it["event"] == "Scored"]

    def _lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each line with what stands on it; one that a kill has cut off is left out."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        except OSError:
            return
        for line in lines:
            try:
                yield line, json.loads(line)
            except ValueError:
                continue

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if not self._warned:
                self.warn(f"{self.path.name} could not be written ({error.strerror})")
            self._warned = True
