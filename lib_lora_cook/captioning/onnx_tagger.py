"""Taggers in ONNX files through onnxruntime: a folder with the model and its list of tags."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from ..errors import UserError
from .base import TaggerSpec, Tags, prepare

_BATCH = 8
_CATEGORIES = {9: "rating", 0: "general", 4: "character"}
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")  # the first that is there


@dataclass(frozen=True)
class OnnxTagger:
    """A loaded model; labels are (category, name) in the order of its outputs."""

    session: Any
    spec: TaggerSpec
    labels: list[tuple[str, str]]
    size: tuple[int, int]
    batch: int

    def predict(self, images: Sequence[Image.Image]) -> list[Tags]:
        """The tags of each picture (any mode), in order."""
        return [
            self._tags(row)
            for first in range(0, len(images), self.batch)
            for row in self._run(images[first : first + self.batch])
        ]

    def _run(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        pixels = np.stack([prepare(image, self.spec, self.size) for image in images])
        name = self.session.get_inputs()[0].name
        outputs: NDArray[np.float32] = self.session.run(None, {name: pixels})[0]
        if self.spec.activation == "sigmoid":
            outputs = np.exp(-np.logaddexp(np.float32(0), -outputs))
        return outputs

    def _tags(self, row: NDArray[np.float32]) -> Tags:
        tags = Tags()
        for (category, name), probability in zip(self.labels, row.tolist(), strict=True):
            if category:
                getattr(tags, category)[name] = probability
        return tags


def load(path: Path, spec: TaggerSpec | None = None) -> OnnxTagger:
    """The tagger in a folder; UserError if it is not there, incomplete, or no tagger."""
    folder, spec = Path(path), spec or TaggerSpec()
    for file in (folder / spec.model_file, folder / spec.label_file):
        if not file.is_file():
            missing = f"No {file.name} in this tagger" if folder.is_dir() else "No such tagger"
            raise UserError(missing, folder, nearby(folder, spec))
    labels = read_labels(folder / spec.label_file)
    session = _session(folder / spec.model_file)
    size, batch = _shape(session, spec, len(labels), folder)
    return OnnxTagger(session, spec, labels, size, batch)


def nearby(folder: Path, spec: TaggerSpec) -> str:
    """ "There are: a, b.": the taggers beside or inside a folder, for messages."""
    around = [*_folders(folder), *_folders(folder.parent)]
    names = [path.name for path in around if (path / spec.model_file).is_file()]
    return f"There are: {', '.join(names)}." if names else "There is none nearby."


def _folders(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return


def read_labels(file: Path) -> list[tuple[str, str]]:
    """(category, name) for each line of a selected_tags.csv; category "" for those not used."""
    try:
        with open(file, encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        return [(_CATEGORIES.get(int(row["category"]), ""), row["name"]) for row in rows]
    except (KeyError, ValueError, TypeError) as error:
        raise UserError("This is no list of tags", file, "It needs: name, category.") from error


def _session(file: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 3  # errors only
    there = onnxruntime.get_available_providers()
    providers = [name for name in _PROVIDERS if name in there]
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=providers)
    except Exception as error:  # onnxruntime's own exceptions share no base class
        reason = str(error).splitlines()[0]
        raise UserError(f"This is no ONNX model ({reason})", file, "Fetch it again.") from error


def _threads() -> int:
    """The cores that this process may use; onnxruntime would count those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _shape(
    session: Any, spec: TaggerSpec, labels: int, folder: Path
) -> tuple[tuple[int, int], int]:
    """(width, height) and batch size of the model's input, which must fit the spec."""
    shape = session.get_inputs()[0].shape
    count = (session.get_outputs()[0].shape or [None])[-1]
    sides = shape[1:3] if spec.layout == "NHWC" else shape[2:4]
    colours = shape[-1] if spec.layout == "NHWC" else shape[1:2]
    if (
        len(shape) != 4
        or not all(isinstance(side, int) for side in sides)
        or colours not in (3, [3])
    ):
        raise UserError(f"This model does not take {spec.layout} pictures but {shape}", folder)
    if isinstance(count, int) and count != labels:
        raise UserError(f"This model has {count} outputs, its list {labels} tags", folder)
    batch = shape[0] if isinstance(shape[0], int) else _BATCH
    return (sides[1], sides[0]), batch
