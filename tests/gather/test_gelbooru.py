"""Gelbooru's answers in all their kinds, from what the sites really send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib_lora_cook.gather import gelbooru
from lib_lora_cook.gather.addresses import guard_for
from lib_lora_cook.gather.gelbooru import Gelbooru, NotGelbooru, read_answer
from lib_lora_cook.gather.web import SiteError, Web

from .board import Board, Entry, picture, serving

WHERE = "https://x.example"
CHILDREN = b"""<?xml version="1.0"?><posts limit="1" offset="0" count="107"><post><id>5</id>
<md5>0123456789abcdef0123456789abcdef</md5><tags>1girl ^_^</tags><rating>sensitive</rating>
<file_url>https://img3.x.example/a.jpg</file_url></post></posts>"""


def board(**more: Any) -> Gelbooru:
    return Gelbooru(WHERE, Web(), {}, **more)


def test_xml_with_children_instead_of_attributes() -> None:
    answer = read_answer(CHILDREN, WHERE)
    post = board().post(answer.posts[0])
    assert answer.count == 107
    assert (post.id, post.rating, post.extension) == (5, "sensitive", ".jpg")
    assert post.words == {"1girl", "^_^"}


@pytest.mark.parametrize(
    ("found", "count", "ids"),
    [
        ({"@attributes": {"count": 107}, "post": [{"id": 1}, {"id": 2}]}, 107, [1, 2]),
        ({"@attributes": {"count": 1}, "post": {"id": 1}}, 1, [1]),
        ({"@attributes": {"count": 0}}, 0, []),
        ([{"id": 3}], None, [3]),
        ([], None, []),
    ],
)
def test_json_of_both_kinds(found: object, count: int | None, ids: list[int]) -> None:
    answer = read_answer(json.dumps(found).encode(), WHERE)
    assert (answer.count, [it["id"] for it in answer.posts]) == (count, ids)


def test_the_old_json_has_no_address_and_another_name_for_md5() -> None:
    post = board().post({"id": 1, "directory": "12/34", "image": "a.jpeg", "hash": "AB" * 16})
    assert post.file_url == f"{WHERE}/images/12/34/a.jpeg"
    assert (post.md5, post.extension) == ("ab" * 16, ".jpeg")


def test_nothing_is_an_empty_search() -> None:
    assert read_answer(b" ", WHERE).posts == []


@pytest.mark.parametrize(
    "data",
    [
        b'"Missing authentication. Go to api.x.example for more information"',
        b'<?xml version="1.0"?><error>Missing authentication. Go to ...</error>',
        b'{"success": false, "message": "Missing authentication"}',
    ],
)
def test_a_missing_key_is_told_also_where_the_status_is_200(data: bytes) -> None:
    with pytest.raises(SiteError, match="API key"):
        read_answer(data, WHERE)


def test_a_refusal_is_told_in_the_site_s_words() -> None:
    data = b'<response success="false" reason="Search error: API limited due to abuse."/>'
    with pytest.raises(SiteError, match="limited due to abuse"):
        read_answer(data, WHERE)


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><html></html>", b"<html><body>hello</body></html>", b"<posts", b"[1, 2]",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]><posts count="0"/>', b"{}",
        b"[" * 9999,
    ],
)  # fmt: skip
def test_anything_else_is_not_gelbooru(data: bytes) -> None:
    with pytest.raises(SiteError):
        read_answer(data, WHERE)
    assert issubclass(NotGelbooru, SiteError)


def test_tag_info_spares_all_questions() -> None:
    there = board()
    info = [{"tag": "me", "type": "artist", "count": 1}, {"tag": "1girl", "type": "tag"}]
    post = there.with_categories(there.post({"id": 1, "tags": "1girl me", "tag_info": info}))
    assert post.tags == {"general": ("1girl",), "artist": ("me",)}


def test_far_down_it_goes_on_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gelbooru, "DEEPEST", 6)
    posts = [Entry(id, picture(id)) for id in range(1, 21)]
    with serving(Board("gelbooru", posts, per_page=3)) as there:
        found = Gelbooru(there.root, Web(guard_for([there.root])), {}).pages("1girl")
        assert [post.id for page in found for post in page] == list(range(20, 0, -1))
        assert any("id%3A%3C" in it for it in there.asked)
