"""The WD family's contract to the pixel, on twelve awkward pictures.

`wd_reference.json` holds what the published reference makes of them, the Pillow code of
SmilingWolf's own demo with the picture as its page hands it over (upright, RGBA, 16 bit by the high
byte), at 448 x 448: the mean of each channel (BGR), and every 13th row and 17th column as bytes.
"""

import base64
import json
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from lib_lora_cook.captioning.spec import WD, prepare
from lib_lora_cook.dataset.images import open_image

from .awkward import PICTURES, draw

REFERENCE = json.loads((Path(__file__).parent / "wd_reference.json").read_text())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return draw(tmp_path_factory.mktemp("awkward"))


@pytest.mark.parametrize("torch", ["there", "missing"])
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_what_the_reference_makes_of_them(
    files: dict[str, Path], name: str, torch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch == "missing":
        monkeypatch.setitem(sys.modules, "torch", None)
    values = prepare(open_image(files[name]), WD, (448, 448))
    assert values.shape == (448, 448, 3) and values.dtype == np.float32
    wanted = np.frombuffer(zlib.decompress(base64.b85decode(REFERENCE[name]["samples"])), np.uint8)
    samples = values[3::13, 5::17]
    assert np.abs(samples - wanted.reshape(samples.shape)).max() <= 1
    assert values.mean(axis=(0, 1)).tolist() == pytest.approx(REFERENCE[name]["mean"], abs=0.1)


def test_no_two_references_are_alike() -> None:
    assert set(REFERENCE) == set(PICTURES) and len(PICTURES) == 12
    assert len({entry["samples"] for entry in REFERENCE.values()}) == 12
