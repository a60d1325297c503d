"""Prompts as captions, and what a WebUI writes into its pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from lib_lora_cook.gather.infotext import (
    Generation,
    caption_of_prompt,
    parse_infotext,
    read_infotext,
)

INFOTEXT = """kafka, (smile:1.2), solo
BREAK <lora:kafka:0.8> night
Negative prompt: bad hands,
Negative of two lines
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 123, Size: 512x768, Model hash: 6ce0161689, \
Model: animefull, Lora hashes: "kafka: 1a2b, other: 3c4d", Version: v1.10.1"""


def test_an_infotext_in_its_parts() -> None:
    drawn = parse_infotext(INFOTEXT)
    assert drawn.prompt == "kafka, (smile:1.2), solo\nBREAK <lora:kafka:0.8> night"
    assert drawn.negative_prompt == "bad hands,\nNegative of two lines"
    assert drawn.settings["Seed"] == "123"
    assert drawn.settings["Lora hashes"] == "kafka: 1a2b, other: 3c4d"
    assert (drawn.model, drawn.model_hash) == ("animefull", "6ce0161689")


@pytest.mark.parametrize(
    ("text", "prompt", "negative"),
    [
        ("just words", "just words", ""),
        ("a\nb: c, d", "a\nb: c, d", ""),
        ("Negative prompt: bad\nSteps: 1, Seed: 2, Size: 8x8", "", "bad"),
        ("a\nSteps: 1, Seed: 2, Size: 8x8", "a", ""),
        ("", "", ""),
    ],
)
def test_infotexts_that_lack_something(text: str, prompt: str, negative: str) -> None:
    drawn = parse_infotext(text)
    assert (drawn.prompt, drawn.negative_prompt) == (prompt, negative)


@pytest.mark.parametrize(
    ("prompt", "caption"),
    [
        ("1girl, (smile:1.2), ((solo)), [hat]", "1girl, smile, solo, hat"),
        ("a <lora:x:1> b,<hypernet:y:0.5>, c", "a b, c"),
        ("red hair BREAK blue eyes BREAK", "red hair, blue eyes"),
        ("a cat AND a dog", "a cat, a dog"),
        (r"kafka \(honkai: star rail\), solo", "kafka (honkai: star rail), solo"),
        (r"(kafka \(honkai\):1.3)", "kafka (honkai)"),
        ("[day:night:0.5] sky", "night sky"),
        ("[hat:0.3], [ribbon::0.4], [cat|dog]", "hat, cat, dog"),
        ("[(red:1.2):(blue:0.9):0.5] hair", "blue hair"),
        (":), ^_^, :d", ":), ^_^, :d"),
        ("score_9, long_hair", "score_9, long_hair"),
        ("a,, b ,\n c , a", "a, b, c"),
        ("(unclosed, words", "unclosed, words"),
        ("ratio 16:9", "ratio 16:9"),
    ],
)
def test_a_prompt_as_a_caption(prompt: str, caption: str) -> None:
    assert caption_of_prompt(prompt) == caption


@given(st.text(alphabet="ab,()[]:|\\1.<>\n ", max_size=40))
def test_any_prompt_becomes_some_caption(prompt: str) -> None:
    assert "\n" not in caption_of_prompt(prompt)


@pytest.mark.parametrize(
    ("words", "model", "fits"),
    [
        ("", "", True), ("Kafka, NIGHT", "anime", True), ("", "6ce0161689", True),
        ("day", "", False), ("kafka", "other", False),
    ],
)  # fmt: skip
def test_a_choice_by_prompt_and_model(words: str, model: str, fits: bool) -> None:
    assert parse_infotext(INFOTEXT).fits(words, model) is fits


def test_a_picture_without_a_model_fits_no_model() -> None:
    assert not Generation(prompt="a").fits("", "anime")


def user_comment(text: str, encoding: str) -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode(encoding)
    return exif


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif"])
def test_every_kind_of_picture_tells_it(tmp_path: Path, name: str) -> None:
    image, path, text = Image.new("RGB", (8, 8)), tmp_path / name, "kafka, 名前\nSteps: 1"
    if name == "a.png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("parameters", text)
        image.save(path, pnginfo=info)
    elif name == "a.gif":
        image.save(path, comment=text.encode())
    else:
        image.save(path, exif=user_comment(text, "utf-16-be"))
    assert read_infotext(path) == text


def test_the_other_byte_order_is_read_too(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=user_comment("kafka", "utf-16-le"))
    assert read_infotext(tmp_path / "a.jpg") == "kafka"


def test_nothing_is_read_from_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert read_infotext(tmp_path / "a.png") == read_infotext(tmp_path / "b.png") == ""
