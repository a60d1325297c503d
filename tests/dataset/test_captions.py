"""Caption files as other programs have left them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_lora_cook.dataset.captions import (
    caption_path,
    decode_caption,
    encode_caption,
    join_tags,
    read_caption,
    split_tags,
)
from lib_lora_cook.errors import UserError


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"1girl, solo", "1girl, solo"),
        (b"\xef\xbb\xbf1girl, solo\r\n", "1girl, solo"),
        ("初音ミク, smile".encode(), "初音ミク, smile"),
        ("初音ミク, smile".encode("utf-16"), "初音ミク, smile"),
        ("café, smile".encode("cp1252"), "café, smile"),
        (b"1girl\r\nsolo\r\n", "1girl\nsolo"),
        (b"\0\0\0\0\0", ""),
        (b"  \n", ""),
    ],
)
def test_captions_are_read_whatever_wrote_them(data: bytes, text: str) -> None:
    assert decode_caption(data) == text


@given(st.binary())
def test_no_bytes_break_the_reader(data: bytes) -> None:
    decode_caption(data)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_what_is_written_is_read_again(text: str) -> None:
    once = decode_caption(encode_caption(text))
    assert decode_caption(encode_caption(once)) == once


def test_written_captions_have_no_mark_and_no_last_line_end() -> None:
    assert encode_caption("1girl\r\nsolo\n") == b"1girl\nsolo"


def test_a_missing_caption_is_empty_and_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    assert read_caption(tmp_path / "gone.txt") == ""
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(UserError, match=r"Cannot read this caption.*a\.txt"):
        read_caption(tmp_path / "a.txt")


def test_the_caption_lies_beside_the_picture() -> None:
    assert caption_path(Path("x/a.b.png")) == Path("x/a.b.txt")
    assert caption_path(Path("x/a.png"), ".caption") == Path("x/a.caption")


def test_tags_are_split_at_commas_and_lines_and_joined_by_commas() -> None:
    assert split_tags(" 1girl ,, solo\nblue hair,") == ["1girl", "solo", "blue hair"]
    assert join_tags(["1girl", "solo"]) == "1girl, solo"
