"""Upscaler files: loaded once for all pictures, of any scale."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from PIL import Image

from lib_lora_cook.hosts import upscaling
from lib_lora_cook.hosts.standalone import StandaloneHost


@pytest.mark.parametrize("scale", [1, 4])
def test_a_model_is_loaded_once_for_all_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: int
) -> None:
    loaded: list[str] = []

    def load(path: Path) -> upscaling.Upscaler:
        loaded.append(path.name)
        return lambda pixels: torch.nn.functional.interpolate(1 - pixels, scale_factor=scale)

    monkeypatch.setattr(upscaling, "load_upscaler", load)
    folder = tmp_path / "upscalers"
    folder.mkdir()
    for name in ("a.pth", "b.pth"):
        (folder / name).touch()
    host = StandaloneHost(tmp_path)
    image = Image.new("RGB", (20, 10), "red")
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: host.upscale(image, "a.pth", 2.5), range(6)))
    assert loaded == ["a.pth"]
    assert {picture.size for picture in made} == {(50, 25)}
    assert made[0].getpixel((25, 12)) == (0, 255, 255), "the model has seen it"
    host.upscale(image, "b.pth", 2)
    assert loaded == ["a.pth", "b.pth"]
