"""What a tagger's pictures and tags are, whatever the model."""

import numpy as np
import pytest
from PIL import Image

from lib_lora_cook.captioning.base import TaggerSpec, Tags, mcut_threshold, prepare

WD = TaggerSpec()


def test_names_are_above_their_thresholds_surest_first_and_spelt_as_in_captions() -> None:
    tags = Tags(
        general={"long_hair": 0.5, "^_^": 0.9, "smile": 0.35},
        character={"kafka_(series)": 0.95, "other": 0.8},
        rating={"general": 0.99},
    )
    assert tags.names() == ["kafka (series)", "^_^", "long hair"]
    assert tags.names(threshold=0.3, character_threshold=0.7) == [
        "kafka (series)", "^_^", "other", "long hair", "smile",
    ]  # fmt: skip


def test_mcut_takes_the_largest_gap() -> None:
    assert mcut_threshold({"a": 0.9, "b": 0.8, "c": 0.2, "d": 0.1}) == pytest.approx(0.5)
    assert Tags(general={"a": 0.9, "b": 0.8, "c": 0.2}).names(mcut=True) == ["a", "b"]
    assert Tags(character={"a": 0.1, "b": 0.01}).names(mcut=True) == []
    assert Tags().names(mcut=True) == []


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


def test_pictures_are_resized_as_the_reference_does() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    expected = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC), np.float32)[:, :, ::-1]
    assert (prepare(image, WD, (32, 32)) == expected).all()


def test_other_models_get_their_layout_order_and_scale() -> None:
    spec = TaggerSpec(
        layout="NCHW", channels="RGB", scale=1 / 127.5, mean=(1, 1, 1), padding=None, resize="area"
    )
    values = prepare(Image.new("RGB", (8, 4), (255, 0, 255)), spec, (2, 2))
    assert values.shape == (3, 2, 2)
    assert values[:, 0, 0].tolist() == pytest.approx([1, -1, 1])
