"""The button below the host's pictures, over components as a host announces them."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lib_lora_cook.errors import UserError
from tests.hosts.standins import webui

INFO = json.dumps({"infotexts": ["grid", "a cat\nSeed: 1", "a dog\nSeed: 2"],
                   "index_of_first_image": 1})  # fmt: skip


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    webui.install_webui(monkeypatch, tmp_path, lambda *any: None)
    module = importlib.import_module("lib_lora_cook.hosts.send")
    monkeypatch.setattr(
        module, "infotext_utils", SimpleNamespace(image_from_url_text=lambda it: f"opened {it}")
    )
    return module


class Button:
    """A component that says it is there as a host's does, before its maker has it in hand."""

    made: Any = None

    def __init__(self, label: str = "", elem_id: str = "", tooltip: str = "") -> None:
        self.elem_id = elem_id
        if Button.made is not None:
            Button.made(self, elem_id=elem_id)


IDS = ("{}_gallery", "save_{}", "{}_send_to_extras", "html_info_{}", "html_log_{}",
       "generation_info_{}", "{}_generation_info_button")  # fmt: skip


def test_both_tabs_get_one_button_and_others_none(
    send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    panels: list[Any] = []
    monkeypatch.setattr(Button, "made", send.add_buttons(panels.append))
    for tab in ("txt2img", "img2img", "extras"):
        for elem_id in IDS:
            Button(elem_id=elem_id.format(tab))
    assert [it.button.elem_id for it in panels] == [
        "lora_cook_send_txt2img", "lora_cook_send_img2img",
    ]  # fmt: skip
    inputs = [it.elem_id for it in panels[1].inputs]
    assert inputs == ["generation_info_img2img", "img2img_gallery", "html_log_img2img"]
    assert panels[1].told.elem_id == "html_log_img2img"


def test_a_host_without_the_row_of_buttons_goes_on(
    send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    panels: list[Any] = []
    monkeypatch.setattr(Button, "made", send.add_buttons(panels.append))
    Button(elem_id="txt2img_gallery")
    Button(elem_id="generation_info_txt2img")
    assert panels == []


def test_the_picture_that_is_looked_at_comes_with_its_own_text(send: Any) -> None:
    pictures = ["grid.png", "cat.png", "dog.png"]
    assert send.looked_at(INFO, pictures, 2) == ("opened dog.png", "a dog\nSeed: 2")
    one = json.dumps({"infotexts": ["a cat"], "index_of_first_image": 0})
    assert send.looked_at(one, ["cat.png"], -1) == ("opened cat.png", "a cat")


@pytest.mark.parametrize(
    ("info", "pictures", "index"),
    [(INFO, ["grid.png", "a.png", "b.png"], -1), (INFO, ["grid.png"], 0), ("", [], -1),
     ("", None, 0), ("no json", ["a"], 7)],
)  # fmt: skip
def test_no_picture_and_a_grid_are_told(send: Any, info: str, pictures: Any, index: int) -> None:
    with pytest.raises(UserError):
        send.looked_at(info, pictures, index)
