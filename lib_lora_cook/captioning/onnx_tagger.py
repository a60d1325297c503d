"""Taggers in ONNX files through onnxruntime: a folder with the model and its list of tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from ..dataset.rendering import THREADS, cores
from ..errors import UserError
from .base import Tags
from .labels import read_labels
from .spec import TaggerSpec, prepare, spec_of

_BATCH = 8
_PROVIDERS = (
    "CUDAExecutionProvider", "ROCMExecutionProvider", "DmlExecutionProvider",
    "CPUExecutionProvider",
)  # fmt: skip
"""Those that are there are tried in this order."""


@dataclass
class OnnxTagger:
    """A loaded model; labels are (category, name) in the order of its outputs."""

    session: Any
    spec: TaggerSpec
    labels: list[tuple[str, str]]
    size: tuple[int, int]
    batch: int
    output: str
    at_once: int = 0
    """In how many threads `predict` is best asked at the same time; 0: in one, with batches."""

    def ready(self, image: Image.Image) -> NDArray[np.float32]:
        """A picture (any mode) as the model wants it."""
        return prepare(image, self.spec, self.size)

    def predict(self, images: Sequence[Any]) -> list[Tags]:
        """The tags of each picture, or of each that was made `ready`, in order."""
        return [
            self._tags(row)
            for first in range(0, len(images), self.batch)
            for row in self._run(images[first : first + self.batch])
        ]

    def _run(self, images: Sequence[Any]) -> NDArray[np.float32]:
        arrays = [self.ready(it) if isinstance(it, Image.Image) else it for it in images]
        short = self.batch - len(arrays) if self._fixed else 0  # a model of one size of batch
        pixels = np.stack(arrays + arrays[-1:] * short) if self.batch > 1 else arrays[0][None]
        name = self.session.get_inputs()[0].name
        outputs: NDArray[np.float32] = self.session.run([self.output], {name: pixels})[0]
        outputs = outputs[: len(arrays)]
        if self.spec.activation == "sigmoid":
            outputs = np.exp(-np.logaddexp(np.float32(0), -outputs))
        return outputs

    @cached_property
    def _fixed(self) -> bool:
        return isinstance(self.session.get_inputs()[0].shape[0], int)

    @cached_property
    def _categories(self) -> list[tuple[str, list[str], NDArray[np.int64]]]:
        """Category, names and places, so that a picture's ten thousand are told apart at once."""
        found: dict[str, list[int]] = {}
        for place, (category, _) in enumerate(self.labels):
            found.setdefault(category, []).append(place)
        return [
            (category, [self.labels[place][1] for place in places], np.asarray(places))
            for category, places in found.items()
            if category
        ]

    def _tags(self, row: NDArray[np.float32]) -> Tags:
        tags = Tags()
        for category, names, places in self._categories:
            tags.of(category).update(zip(names, row[places].tolist(), strict=True))
        return tags


def load(path: Path, spec: TaggerSpec | None = None, many: bool = False) -> OnnxTagger:
    """The tagger in a folder, its spec found out; UserError if not there, incomplete, no tagger.

    many: for a dataset. Without a GPU each core then looks at a picture of its own, which is
    quicker than all of them together at several, but not for who waits for a single one.
    """
    folder = Path(path)
    spec = spec or spec_of(folder)
    for file in (folder / spec.model_file, folder / spec.label_file):
        if not file.is_file():
            missing = f"No {file.name} in this tagger" if folder.is_dir() else "No such tagger"
            raise UserError(missing, folder, nearby(folder))
    labels = read_labels(folder / spec.label_file)
    apart = THREADS if many and not _on_gpu() else 0
    threads = cores()  # onnxruntime would count those of the machine
    session = _session(folder / spec.model_file, threads // (apart or 1))
    size, batch = _shape(session, spec, folder)
    output = _output(session, spec, labels, folder)
    if not apart:
        return OnnxTagger(session, spec, labels, size, batch or _BATCH, output)
    if batch > 1:  # one picture would cost as much as all that this model always takes
        session = _session(folder / spec.model_file, threads)
        return OnnxTagger(session, spec, labels, size, batch, output)
    return OnnxTagger(session, spec, labels, size, 1, output, apart)


def nearby(folder: Path) -> str:
    """ "There are: a, b.": the taggers beside or inside a folder, for messages."""
    around = [*_folders(folder), *_folders(folder.parent)]
    names = [path.name for path in around if (path / spec_of(path).model_file).is_file()]
    return f"There are: {', '.join(names)}." if names else "There is none nearby."


def _folders(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return


def _on_gpu() -> bool:
    return _providers() != ["CPUExecutionProvider"]


def _providers() -> list[str]:
    there = onnxruntime.get_available_providers()
    return [name for name in _PROVIDERS if name in there]


def _session(file: Path, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only
    # threads that spin while they wait take the cores from the decoders
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = _providers()
    if "CUDAExecutionProvider" in providers and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA's libraries may lie in torch's folder only
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=providers)
    except Exception as error:  # onnxruntime's own exceptions share no base class
        reason = str(error).splitlines()[0]
        raise UserError(f"This is no ONNX model ({reason})", file, "Fetch it again.") from error


def _shape(session: Any, spec: TaggerSpec, folder: Path) -> tuple[tuple[int, int], int]:
    """(width, height) and batch size, 0 for any, of the model's input, which must fit the spec."""
    shape = session.get_inputs()[0].shape
    sides = shape[1:3] if spec.layout == "NHWC" else shape[2:4]
    colours = shape[-1] if spec.layout == "NHWC" else shape[1:2]
    if (
        len(shape) != 4
        or not all(isinstance(side, int) for side in sides)
        or colours not in (3, [3])
    ):
        raise UserError(
            f"This model does not take {spec.layout} pictures but {shape}",
            folder,
            "Choose another tagger.",
        )
    batch = shape[0] if isinstance(shape[0], int) else 0
    return (sides[1], sides[0]), batch


def _output(session: Any, spec: TaggerSpec, labels: Sequence[object], folder: Path) -> str:
    """The name of the output that is meant; it must have as many values as there are labels."""
    outputs = {one.name: one.shape for one in session.get_outputs()}
    if isinstance(spec.output, int):
        name = list(outputs)[min(spec.output, len(outputs) - 1)]
    elif spec.output in outputs:
        name = spec.output
    else:
        raise UserError(f"This model has no output {spec.output}", folder, f"Has {list(outputs)}.")
    count = (outputs[name] or [None])[-1]
    if isinstance(count, int) and count != len(labels):
        raise UserError(
            f"This model has {count} outputs, its list {len(labels)} tags",
            folder,
            "Fetch both files again.",
        )
    return name
