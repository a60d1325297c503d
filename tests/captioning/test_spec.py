"""Pictures as the models want them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_lora_cook.captioning import spec as specs
from lib_lora_cook.captioning.spec import TaggerSpec, prepare, spec_of
from lib_lora_cook.errors import UserError

WD = TaggerSpec()


def test_wd_pictures_are_padded_white_bgr_0_to_255() -> None:
    values = prepare(Image.new("RGB", (4, 2), (10, 20, 30)), WD, (4, 4))
    assert values.dtype == np.float32 and values.shape == (4, 4, 3)
    assert values[0].tolist() == [[255, 255, 255]] * 4
    assert values[1].tolist() == values[2].tolist() == [[30, 20, 10]] * 4


def test_transparency_is_composited_on_white() -> None:
    values = prepare(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), WD, (2, 2))
    assert values.min() == 255
    half = prepare(Image.new("RGBA", (2, 2), (0, 0, 0, 128)), WD, (2, 2))
    assert abs(half.mean() - 127) <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_mode_is_taken(mode: str) -> None:
    assert prepare(Image.new(mode, (3, 5)), WD, (8, 8)).shape == (8, 8, 3)


@pytest.mark.parametrize("torch", ["there", "missing"])
@pytest.mark.parametrize("size", [(32, 32), (200, 200)])
def test_pictures_are_resized_as_the_reference_does(
    size: tuple[int, int], torch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch == "missing":
        monkeypatch.setitem(sys.modules, "torch", None)
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    expected = np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float32)[:, :, ::-1]
    off = np.abs(prepare(image, WD, size) - expected).max()
    assert off <= (torch == "there")


def test_other_models_get_their_layout_order_and_scale() -> None:
    spec = TaggerSpec(
        layout="NCHW", channels="RGB", scale=1 / 127.5, mean=(1, 1, 1), padding=None, resize="area"
    )
    values = prepare(Image.new("RGB", (8, 4), (255, 0, 255)), spec, (2, 2))
    assert values.shape == (3, 2, 2)
    assert values[:, 0, 0].tolist() == pytest.approx([1, -1, 1])


def test_an_endless_strip_is_no_endless_square(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specs, "LARGEST", 64)
    seen = []
    real = specs._padded
    monkeypatch.setattr(specs, "_padded", lambda im, colour: real(seen.append(im) or im, colour))
    values = prepare(Image.new("RGB", (6400, 100), "black"), WD, (32, 32))
    assert [image.size for image in seen] == [(64, 1)]
    assert values.shape == (32, 32, 3) and values.min() < 255 and values[0].min() == 255


def test_mean_and_deviation_belong_to_red_green_and_blue() -> None:
    image = Image.new("RGB", (2, 2), (255, 128, 0))
    own = {"scale": 1 / 255, "mean": (0.5, 0.25, 0.0), "std": (0.5, 1.0, 2.0)}
    rgb = prepare(image, TaggerSpec(channels="RGB", **own), (2, 2))[0, 0]
    bgr = prepare(image, TaggerSpec(layout="NCHW", **own), (2, 2))[:, 0, 0]
    assert rgb.tolist() == pytest.approx([1, 128 / 255 - 0.25, 0])
    assert bgr.tolist() == pytest.approx(rgb.tolist()[::-1])


def test_camie_shrinks_first_and_pads_in_its_own_colour() -> None:
    values = prepare(Image.new("RGB", (300, 100), "white"), specs.CAMIE_1, (30, 30))
    assert values.shape == (3, 30, 30) and values[:, 15, 0].tolist() == [1, 1, 1]
    assert values[:, 0, 0].tolist() == [0, 0, 0] and (values[0, 10:20] == 1).all()
    second = prepare(Image.new("RGB", (300, 100)), specs.CAMIE_2, (30, 30))
    assert np.abs(second[:, 0, 0]).max() < 0.02, "its border is the mean of what it has seen"


def test_pixai_stretches_and_cl_scales_from_minus_one_to_one() -> None:
    image = Image.new("RGB", (40, 10), (255, 0, 0))
    assert prepare(image, specs.PIXAI, (8, 8))[:, 0, 0].tolist() == [1, -1, -1]
    assert prepare(image.resize((8, 8)), specs.CL, (8, 8))[:, 4, 4].tolist() == pytest.approx(
        [-1, -1, 1]
    )


@pytest.mark.parametrize(
    ("folder", "file", "spec"),
    [
        ("any", "selected_tags.csv", specs.WD),
        ("any", "tag_mapping.json", specs.CL),
        ("any", "model_initial_metadata.json", specs.CAMIE_1),
        ("any", "camie-tagger-v2-metadata.json", specs.CAMIE_2),
        ("PixAI-tagger-v0.9", "selected_tags.csv", specs.PIXAI),
        ("empty", "nothing", specs.WD),
    ],
)
def test_a_folder_tells_its_family(
    tmp_path: Path, folder: str, file: str, spec: TaggerSpec
) -> None:
    place = tmp_path / folder
    place.mkdir()
    (place / file).touch()
    assert spec_of(place) == spec


def test_a_folder_may_say_what_is_different(tmp_path: Path) -> None:
    own = {"layout": "NCHW", "mean": [1, 2, 3], "model_file": "m.onnx"}
    (tmp_path / "tagger.json").write_text(json.dumps(own))
    assert spec_of(tmp_path) == TaggerSpec("NCHW", mean=(1.0, 2.0, 3.0), model_file="m.onnx")
    for broken in ('{"colour": 1}', "[", '{"mean": 1}'):
        (tmp_path / "tagger.json").write_text(broken)
        with pytest.raises(UserError, match="Cannot read this.*It may hold: layout"):
            spec_of(tmp_path)
