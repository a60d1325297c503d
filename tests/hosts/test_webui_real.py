"""The same promises in a real WebUI: LORA_COOK_WEBUI names a checkout with a toy checkpoint.

Its Python is LORA_COOK_WEBUI_PYTHON, or the checkout's own venv; LORA_COOK_WEBUI_ARGS go to its
launch.py (`--always-cpu`, `--use-cpu all --no-half`). This source is linked among its extensions
for as long as the tests last, unless an extension of that name is there already.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import random
import shlex
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

pytestmark = [pytest.mark.host, pytest.mark.slow, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
NAME, PROMPT = "lora_cook_test", "xyz, red ball"


@dataclass
class Webui:
    """A running WebUI."""

    url: str
    lora_dir: Path
    pictures: Path

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def draw(self, prompt: str = PROMPT, **more: Any) -> list[Image.Image]:
        size = {"width": 64, "height": 64, "seed": 7, "steps": 3, "save_images": False}
        answer = self.ask("/sdapi/v1/txt2img", {"prompt": prompt, **size, **more})
        pictures = (io.BytesIO(base64.b64decode(it)) for it in answer["images"])
        return [Image.open(it).convert("RGB") for it in pictures]

    def cook(self, name: str, **more: Any) -> None:
        run = {
            "output_name": name, "max_train_epochs": 2, "train_batch_size": 2, "network_dim": 4,
            "unet_lr": 2e-3, "resolution": 64, "min_bucket_reso": 64, "max_token_length": 75,
            "cache_latents_to_disk": False,
            "subsets": [{"image_dir": str(self.pictures), "num_repeats": 1}], **more,
        }  # fmt: skip
        self.ask("/lora-cook/train", run)

    def status_after(self) -> dict[str, Any]:
        """The status once nothing goes on."""
        while (status := self.ask("/lora-cook/status"))["state"] in ("running", "stopping"):
            time.sleep(0.2)
        return status

    def weights(self, name: str) -> str:
        """sha256 of a file's tensors."""
        data = (self.lora_dir / f"{name}.safetensors").read_bytes()
        return hashlib.sha256(data[8 + int.from_bytes(data[:8], "little") :]).hexdigest()


def difference(one: Image.Image, two: Image.Image) -> float:
    """Mean difference in grey levels."""
    return sum(ImageStat.Stat(ImageChops.difference(one, two)).mean) / 3


def write_pictures(folder: Path) -> Path:
    rng = random.Random(3)
    for index in range(4):
        noise = bytes(rng.randrange(256) for _ in range(64 * 64 * 3))
        Image.frombytes("RGB", (64, 64), noise).save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text(f"{PROMPT}, {index}")
    return folder


@pytest.fixture(scope="module")
def webui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webui]:
    checkout = Path(os.environ["LORA_COOK_WEBUI"])
    python = os.environ.get("LORA_COOK_WEBUI_PYTHON", str(checkout / "venv" / "bin" / "python"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pictures = checkout / NAME  # Neo empties its tmp when it starts
    pictures.mkdir(exist_ok=True)
    link = checkout / "extensions" / "lora-cook"
    ours = not link.exists()
    if ours:
        link.symlink_to(ROOT)
    arguments = shlex.split(os.environ.get("LORA_COOK_WEBUI_ARGS", ""))
    log = tmp_path_factory.mktemp("webui") / "log.txt"
    command = [
        python, "launch.py", "--skip-prepare-environment", "--skip-install", "--api",
        "--skip-python-version-check", "--skip-torch-cuda-test", "--port", str(port), *arguments,
    ]  # fmt: skip
    with log.open("w") as output:
        running = subprocess.Popen(command, cwd=checkout, stdout=output, stderr=subprocess.STDOUT)
    made = Webui(f"http://127.0.0.1:{port}", checkout / "models" / "Lora", write_pictures(pictures))
    try:
        wait_for(made, running, log)
        yield made
    finally:
        running.terminate()
        running.wait(60)
        if ours:
            link.unlink()
        for path in [*made.lora_dir.glob(f"{NAME}*"), *made.lora_dir.glob(f"sample/{NAME}*")]:
            path.unlink()
        shutil.rmtree(pictures)


def wait_for(webui: Webui, running: subprocess.Popen[bytes], log: Path) -> None:
    """Until our routes answer and a picture can be drawn."""
    for _ in range(300):
        assert running.poll() is None, log.read_text()[-3000:]
        try:
            webui.ask("/lora-cook/status")
        except (OSError, urllib.error.HTTPError):
            time.sleep(1)
        else:
            webui.draw()
            return
    raise AssertionError(log.read_text()[-3000:])


def test_two_epochs_are_listed_and_draw_as_they_should(webui: Webui) -> None:
    webui.ask("/sdapi/v1/options", {"lora_cook_try": True})
    (base,) = webui.draw()
    webui.cook(NAME)
    status = webui.status_after()
    assert (status["state"], status["loras"]) == (
        "done", [f"{NAME}-000001.safetensors", f"{NAME}.safetensors"],
    )  # fmt: skip
    listed = {it["name"] for it in webui.ask("/sdapi/v1/loras")}
    assert listed >= {f"{NAME}-000001", NAME}
    assert difference(webui.draw(f"{PROMPT} <lora:{NAME}:1>")[0], base) > 0
    assert difference(webui.draw(f"{PROMPT} <lora:{NAME}:0>")[0], base) == 0
    assert difference(webui.draw()[0], base) == 0
    assert json.loads((webui.lora_dir / f"{NAME}.json").read_text())["activation text"] == "xyz"
    assert (webui.lora_dir / f"{NAME}.png").is_file()


def test_the_same_run_after_a_picture_with_a_lora_gives_the_same_file(webui: Webui) -> None:
    webui.draw(f"{PROMPT} <lora:{NAME}:1>")
    webui.cook(f"{NAME}-again")
    assert webui.status_after()["state"] == "done"
    assert webui.weights(f"{NAME}-again") == webui.weights(NAME)


def test_visits_change_neither_the_run_nor_their_own_pictures(webui: Webui) -> None:
    (base,) = webui.draw()
    drawn: list[Image.Image] = []
    webui.cook(f"{NAME}-visited")
    visits = [threading.Thread(target=lambda: drawn.extend(webui.draw())) for _ in range(2)]
    for visit in visits:
        visit.start()
        time.sleep(1)
    assert webui.status_after()["state"] == "done"
    for visit in visits:
        visit.join(300)
    assert [difference(it, base) for it in drawn] == [0, 0]
    assert webui.weights(f"{NAME}-visited") == webui.weights(NAME)


def test_interrupt_stops_and_saves(webui: Webui) -> None:
    webui.cook(f"{NAME}-stopped", max_train_epochs=500)
    while not webui.ask("/lora-cook/status")["done"]:
        time.sleep(0.2)
    request = urllib.request.Request(f"{webui.url}/sdapi/v1/interrupt", b"{}")
    urllib.request.urlopen(request, timeout=60).close()
    assert webui.status_after()["state"] == "stopped"
    assert (webui.lora_dir / f"{NAME}-stopped.state").is_file()


def test_a_sample_is_what_the_host_draws_of_the_file(webui: Webui) -> None:
    prompt = f"{PROMPT} --w 64 --h 64 --d 7 --s 3"
    webui.cook(f"{NAME}-sampled", sample_every_n_epochs=1, sample_prompts=[prompt])
    assert webui.status_after()["state"] == "done"
    last = sorted((webui.lora_dir / "sample").glob(f"{NAME}-sampled*.png"))[-1]
    with Image.open(last) as sample:
        (drawn,) = webui.draw(f"{PROMPT} <lora:{NAME}-sampled:1>")
        assert difference(sample.convert("RGB"), drawn) <= 1
