"""Lists of tags, as each family writes them."""

import json
from pathlib import Path

import pytest

from lib_lora_cook.captioning.labels import read_labels
from lib_lora_cook.errors import UserError

CAMIE = {
    "idx_to_tag": {"1": "year_2024", "0": "1girl", "2": "rating_safe", "3": "x"},
    "tag_to_category": {"1girl": "general", "year_2024": "year", "rating_safe": "rating"},
}
LABELS = [("general", "1girl"), ("year", "year_2024"), ("rating", "safe"), ("", "x")]


def test_danbooru_s_numbers_are_told(tmp_path: Path) -> None:
    file = tmp_path / "selected_tags.csv"
    file.write_text(
        "id,tag_id,name,category,count\n0,1,general,9,1\n1,2,a,0,1\n2,3,b,4,1\n3,4,c,3,1\n"
        "4,5,d,1,1\n5,6,e,7,1\n"
    )
    assert read_labels(file) == [
        ("rating", "general"), ("general", "a"), ("character", "b"), ("copyright", "c"),
        ("artist", "d"), ("", "e"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        CAMIE,
        {"dataset_info": {"tag_mapping": CAMIE}, "model_info": {"img_size": 512}},
        {
            "2": {"tag": "rating_safe", "category": "Rating"},
            "0": {"tag": "1girl", "category": "General"},
            "1": {"tag": "year_2024", "category": "Year"},
            "3": {"tag": "x", "category": "Unheard of"},
        },
    ],
)
def test_json_of_either_kind_is_read_in_the_order_of_the_outputs(
    tmp_path: Path, document: object
) -> None:
    (tmp_path / "tags.json").write_text(json.dumps(document))
    assert read_labels(tmp_path / "tags.json") == LABELS


@pytest.mark.parametrize(
    "text", ["", "[]", "[1]", '{"0": 1}', '{"1": {"tag": "a", "category": "b"}}']
)
def test_what_is_no_list_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "tags.json").write_text(text)
    with pytest.raises(UserError, match="no list of tags"):
        read_labels(tmp_path / "tags.json")
