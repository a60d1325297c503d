"""Captions from names."""

import pytest

from lib_lora_cook.dataset.file_names import caption_of_name


@pytest.mark.parametrize(
    ("stem", "caption"),
    [
        ("0012_kafka, long_hair (2)", "kafka, long hair"),
        ("3-kafka", "kafka"),
        ("(12) a drawing of kafka", "a drawing of kafka"),
        ("1girl, solo", "1girl, solo"),
        ("00000-1234567", ""),
        ("12", ""),
        ("kafka, ^_^", "kafka, ^_^"),
        ("IMG,  _x_ ,", "IMG, x"),
    ],
)
def test_numbers_and_underscores_are_no_part_of_it(stem: str, caption: str) -> None:
    assert caption_of_name(stem) == caption
