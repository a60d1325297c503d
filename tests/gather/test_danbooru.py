"""Danbooru's pages, and what only its members see."""

from __future__ import annotations

import pytest

from lib_lora_cook.gather import danbooru
from lib_lora_cook.gather.addresses import guard_for
from lib_lora_cook.gather.danbooru import Danbooru
from lib_lora_cook.gather.web import SiteError, Web

from .board import Board, Entry, Handler, picture, serving


def board_at(root: str) -> Danbooru:
    return Danbooru(root, Web(guard_for([root])), {})


def test_a_post_that_only_members_may_see_has_no_file() -> None:
    post = board_at("https://x.example").post({"id": 5, "tag_string_general": "a b", "rating": "s"})
    assert (post.file_url, post.md5, post.rating) == ("", "", "sensitive")
    assert post.tags["general"] == ("a", "b")


def test_beyond_the_last_page_it_goes_on_below_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(danbooru, "LAST_PAGE", 2)
    posts = [Entry(id, picture(id)) for id in range(1, 21)]
    with serving(Board("danbooru", posts, per_page=3)) as there:
        found = [post.id for page in board_at(there.root).pages("1girl") for post in page]
        assert found == list(range(20, 0, -1))
        assert any("page=b15" in it for it in there.asked)
        ordered = [post.id for page in board_at(there.root).pages("-order:x") for post in page]
    assert len(ordered) == 6  # in another order, an id says nothing about what comes next


def test_a_search_that_is_refused_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    why = {"success": False, "message": "You cannot search for more than 2 tags at a time."}
    monkeypatch.setattr(Handler, "danbooru", lambda self, path, query: self.tell(why))
    with serving(Board("danbooru", [])) as there:
        with pytest.raises(SiteError, match="more than 2 tags"):
            next(board_at(there.root).pages("a b c"))
        assert board_at(there.root).total("a b c") is None


def test_odd_answers_are_no_posts(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = [1, None, {"id": [1], "tag_string_general": None, "file_url": "x y", "rating": 3}]
    monkeypatch.setattr(Handler, "danbooru", lambda self, path, query: self.tell(odd))
    with serving(Board("danbooru", [])) as there:
        (post,) = next(board_at(there.root).pages("a"))
        assert (post.id, post.tags["general"], post.rating) == (0, (), "")
        assert not board_at(there.root).is_spoken()
