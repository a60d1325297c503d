"""One click below a host's picture: into the page's dataset, with caption and sidecar."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from lib_lora_cook.errors import UserError
from lib_lora_cook.ui.runner import Runner

from .fake_host import FakeHost

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of gradio's own age
    gr = pytest.importorskip("gradio")

from lib_lora_cook.ui import sending, texts
from lib_lora_cook.ui.bench import Bench

DRAWN = (
    "(kafka:1.2), smile <lora:x:1>\nNegative prompt: bad\n"
    "Steps: 4, Seed: 77, Size: 64x64, Model hash: abcdef1234, Model: toy"
)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(FakeHost(tmp_path / "home"), Runner())


def test_a_picture_is_sent_once_with_its_prompt_seed_and_model(
    bench: Bench, tmp_path: Path
) -> None:
    bench.remember("page", {"dataset": str(tmp_path / "set")})
    image = Image.effect_noise((64, 64), 90).convert("RGB")
    told = sending.send(bench, image, DRAWN)
    assert "1 picture now" in told
    (picture,) = (tmp_path / "set").glob("*.png")
    assert picture.with_suffix(".txt").read_text(encoding="utf-8") == "kafka, smile"
    facts = json.loads(picture.with_suffix(".json").read_text(encoding="utf-8"))
    assert (facts["seed"], facts["model"], facts["model_hash"]) == ("77", "toy", "abcdef1234")
    assert "already" in sending.send(bench, image, DRAWN)
    assert len(list((tmp_path / "set").glob("*.png"))) == 1


def test_without_a_dataset_it_is_told_where_to_name_one(bench: Bench) -> None:
    with pytest.raises(UserError, match=texts.NO_DATASET):
        sending.send(bench, Image.new("RGB", (64, 64)), DRAWN)


def test_a_mistake_is_shown_as_text_below_the_picture(bench: Bench) -> None:
    def read(*_: Any) -> Any:
        raise UserError("<b>no</b> picture")

    with warnings.catch_warnings(), gr.Blocks() as page:
        warnings.simplefilter("ignore")
        button, told = gr.Button("x"), gr.HTML("")
        panel = SimpleNamespace(
            button=button, inputs=[gr.Textbox(), gr.Textbox(), told], told=told,
            script="(a, b, c) => [a, b, 0]",
        )  # fmt: skip
        sending.connect(bench.host, read)(panel)
    handler = next(iter(page.fns.values())).fn if isinstance(page.fns, dict) else page.fns[0].fn
    answer = handler("{}", [], 0)
    assert "&lt;b&gt;no&lt;/b&gt; picture" in answer
