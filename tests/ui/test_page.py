"""The standalone page's own files; the page itself is tried in test_tab.py."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.errors import UserError
from lib_lora_cook.ui.page import SCRIPTS, STYLE, open_page, read_asset


def test_the_script_and_the_style_touch_only_our_own_elements() -> None:
    rules = re.sub(r"/\*.*?\*/", "", read_asset(STYLE), flags=re.DOTALL)
    heads = [head.strip() for head in re.findall(r"([^{}]+)\{", rules)]
    bare = [it for it in heads if "lora_cook_" not in it and not it.startswith("@") and it != "to"]
    assert bare == []
    assert 'getElementById("lora_cook_" + id)' in read_asset(SCRIPTS[0])


def test_scripts_run_here_in_the_order_in_which_a_webui_takes_them(root: Path) -> None:
    there = sorted((root / "javascript").iterdir(), key=lambda path: path.name)
    assert [f"javascript/{path.name}" for path in there] == list(SCRIPTS)


@pytest.mark.parametrize("name", [*SCRIPTS, STYLE])
def test_nothing_comes_from_another_server(name: str) -> None:
    assert "//" not in re.sub(r"^\s*//.*|\s// .*", "", read_asset(name), flags=re.MULTILINE)
    assert "url(" not in read_asset(name)


def test_a_missing_file_is_told() -> None:
    with pytest.raises(UserError, match="A file of the page is missing"):
        read_asset("no_such_file_of_the_page.css")


def test_without_gradio_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    host: Any = None
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "lib_lora_cook.ui.components", raising=False)
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    with pytest.raises(UserError, match=re.escape("pip install 'lora-cook[ui]'")):
        open_page(host)
