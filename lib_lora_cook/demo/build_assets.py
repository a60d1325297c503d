"""Makes the toy checkpoint and the toy tagger again from nothing.

    python -m lib_lora_cook.demo.build_assets --out DIR [--device cpu]
    python -m lib_lora_cook.demo.build_assets --out DIR --evaluate

Each finished stage is kept in the work folder, and not done twice.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel

from .build.evaluate import (
    THRESHOLD,
    AssetTagger,
    evaluate_assets,
    judge_checkpoint,
    load_checkpoint,
)
from .build.memory import keep_freed_memory
from .build.pictures import Drawings, base_sample, make_drawings, mixed_sample
from .build.report import readme
from .build.tagger import TaggerRun, train_tagger, write_tagger
from .build.text import CaptionTokens, TextRun, build_text_encoder, build_tokenizer, teach_tags
from .build.unet import UnetRun, build_scheduler, build_unet, train_unet
from .build.unet import timed_log as unet_log
from .build.vae import DecoderRun, VaeRun, encode, fold_scale, round_trip, train_vae, tune_decoder
from .build.vae import timed_log as vae_log

MIXED_DRAWINGS, MIXED_SEED = 30_000, 1
DECODER_DRAWINGS = 12_000
AFTER_VAE = 9_000
BASE_DRAWINGS, BASE_SEED = 32_000, 2


@dataclass(frozen=True)
class Build:
    """Where to: finished assets, half-finished work, and the device to train on."""

    out: Path
    work: Path
    device: str = "cpu"

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note the seconds that a stage takes in work/seconds.json."""
        start = time.time()
        yield
        file = self.work / "seconds.json"
        seconds = json.loads(file.read_text()) if file.exists() else {}
        seconds[name] = round(time.time() - start)
        file.write_text(json.dumps(seconds, indent=1) + "\n")
        print(f"{name}: {seconds[name]} s", flush=True)


def vae_stage(build: Build) -> AutoencoderKL:
    """The trained VAE."""
    folder = build.work / "vae"
    if not folder.exists():
        with build.stage("vae"):
            drawings = make_drawings(mixed_sample, MIXED_DRAWINGS, MIXED_SEED)
            vae = train_vae(drawings, VaeRun(device=build.device), vae_log(100))
            fold_scale(vae, drawings.pixels[:2000])
            vae.save_pretrained(folder)
    return AutoencoderKL.from_pretrained(folder).to(build.device).eval()


def decoder_stage(build: Build, vae: AutoencoderKL) -> AutoencoderKL:
    """The VAE with its decoder trained further; its latents stay as they are."""
    folder = build.work / "vae-tuned"
    if not folder.exists():
        with build.stage("decoder"):
            drawings = make_drawings(mixed_sample, DECODER_DRAWINGS, MIXED_SEED)
            tune_decoder(vae, drawings, DecoderRun(device=build.device), vae_log(100))
            vae.save_pretrained(folder)
    return AutoencoderKL.from_pretrained(folder).to(build.device).eval()


def latents_stage(build: Build, vae: AutoencoderKL) -> tuple[Tensor, list[list[str]]]:
    """Latents of the base drawings (none of the new character's features) and their tags."""
    file = build.work / "latents.pt"
    if not file.exists():
        with build.stage("latents"):
            drawings = make_drawings(base_sample, BASE_DRAWINGS, BASE_SEED)
            latents = encode(vae, drawings.pixels)
            torch.save({"latents": latents, "tags": drawings.tags}, file)
    kept = torch.load(file)
    return kept["latents"], kept["tags"]


def tagger_stage(build: Build, vae: AutoencoderKL) -> Path:
    """The folder of the trained tagger."""
    folder = build.work / "tagger"
    if not folder.exists():
        with build.stage("tagger"):
            drawings = make_drawings(mixed_sample, MIXED_DRAWINGS, MIXED_SEED)
            drawings = with_round_trips(vae, drawings)
            tagger = train_tagger(drawings, TaggerRun(device=build.device))
            write_tagger(tagger, folder, Counter(tag for tags in drawings.tags for tag in tags))
    return folder


def with_round_trips(vae: AutoencoderKL, drawings: Drawings) -> Drawings:
    """The drawings, and some of them again as they look after the VAE."""
    with torch.autocast(vae.device.type, torch.bfloat16):
        after = round_trip(vae, drawings.pixels[:AFTER_VAE])
    pixels = torch.cat([torch.from_numpy(drawings.pixels), torch.from_numpy(after)]).numpy()
    return Drawings(pixels, drawings.tags + drawings.tags[:AFTER_VAE])


Drawer = tuple[UNet2DConditionModel, CLIPTextModel]


def unet_stage(build: Build, vae: AutoencoderKL) -> Drawer:
    """The trained UNet and text encoder."""
    folder = build.work / "drawer"
    if not folder.exists():
        latents, tags = latents_stage(build, vae)
        with build.stage("unet"):
            save_drawer(folder, train_drawer(build, latents, tags))
    return load_drawer(folder)


def train_drawer(build: Build, latents: Tensor, tags: list[list[str]]) -> Drawer:
    """The text encoder alone first, then the UNet; what there is goes to the work folder."""
    tokenizer = build_tokenizer()
    tokens = CaptionTokens(tokenizer)
    torch.manual_seed(3)
    encoder, unet = build_text_encoder(tokenizer), build_unet()
    teach_tags(encoder, tokens, TextRun(device=build.device))
    log = unet_log(100)

    def on_step(step: int, loss: float, averaged: UNet2DConditionModel) -> None:
        log(step, loss, averaged)
        if step % 500 == 0:
            save_drawer(build.work / "drawer-half-done", (averaged, encoder))

    run = UnetRun(device=build.device)
    return train_unet((unet, encoder, tokens), latents, tags, run, on_step), encoder


def save_drawer(folder: Path, drawer: Drawer) -> None:
    """Both in full precision."""
    fresh = folder.with_name(folder.name + ".new")
    for module, name in zip(drawer, ("unet", "text_encoder"), strict=True):
        module.save_pretrained(fresh / name)
    replace_folder(fresh, folder)


def load_drawer(folder: Path) -> Drawer:
    """What `save_drawer` wrote."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    return unet, CLIPTextModel.from_pretrained(folder / "text_encoder")


def write_checkpoint(folder: Path, vae: AutoencoderKL, drawer: Drawer) -> None:
    """A StableDiffusionPipeline in half precision; a reader never sees half of it.

    The text encoder stays in full precision: unasked, transformers loads what the file holds, and
    diffusers float32, and the two must agree."""
    pipeline = StableDiffusionPipeline(
        vae=_half(vae),
        unet=_half(drawer[0]),
        text_encoder=deepcopy(drawer[1]).cpu().eval(),
        tokenizer=build_tokenizer(),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    pipeline.save_pretrained(fresh)
    for file in fresh.rglob("*.safetensors"):
        file.chmod(0o644)
    for file in fresh.glob("*/config.json"):  # where a stage was read from is nobody's business
        told = json.loads(file.read_text(encoding="utf-8"))
        told.pop("_name_or_path", None)
        file.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    replace_folder(fresh, folder)


def _half(module: nn.Module) -> nn.Module:
    """A copy on the CPU in half precision, in the usual memory layout."""
    copy = deepcopy(module).cpu()
    for parameter in copy.parameters():
        parameter.data = parameter.data.contiguous()
    return copy.to(torch.float16).eval()


def replace_folder(fresh: Path, folder: Path) -> None:
    """Put the fresh folder in the other's place."""
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    os.rename(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def install_assets(build: Build, vae: AutoencoderKL, drawer: Drawer, tagger: Path) -> None:
    """Write both into the folder of the assets."""
    build.out.mkdir(parents=True, exist_ok=True)
    write_checkpoint(build.out / "checkpoint", vae, drawer)
    fresh = build.out / "tagger.new"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(tagger, fresh)
    replace_folder(fresh, build.out / "tagger")


def build_all(build: Build) -> None:
    """Every stage in order, then the assets and their figures."""
    build.work.mkdir(parents=True, exist_ok=True)
    vae = vae_stage(build)
    tagger = tagger_stage(build, vae)
    vae = decoder_stage(build, vae)
    install_assets(build, vae, unet_stage(build, vae), tagger)
    write_figures(build)


def write_figures(build: Build, count: int = 256) -> None:
    """figures.json and README.md beside the assets."""
    figures = evaluate_assets(build.out, count)
    figures["seconds"] = json.loads((build.work / "seconds.json").read_text())
    (build.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    (build.out / "README.md").write_text(readme(figures, THRESHOLD, count))
    print(json.dumps(figures, indent=1))


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the assets")
    parser.add_argument("--work", type=Path, help="folder of half-finished work")
    parser.add_argument("--device", default="cpu", help="where to train: cpu, cuda")
    parser.add_argument("--threads", type=int, default=0, help="threads of the CPU; 0: all cores")
    parser.add_argument("--evaluate", action="store_true", help="only print the figures as JSON")
    parser.add_argument("--guidance", type=float, nargs="*", help="compare these guidances")
    given = parser.parse_args(arguments)
    keep_freed_memory()
    if given.threads:
        torch.set_num_threads(given.threads)
    if given.guidance:
        print(json.dumps(compare_guidances(given.out, given.guidance), indent=1))
    elif given.evaluate:
        print(json.dumps(evaluate_assets(given.out), indent=1))
    else:
        work = given.work or given.out.with_name(given.out.name + "-work")
        build_all(Build(given.out, work, given.device))


def compare_guidances(folder: Path, guidances: list[float]) -> list[dict[str, object]]:
    """The checkpoint's figures at each guidance."""
    pipeline, tagger = load_checkpoint(folder / "checkpoint"), AssetTagger(folder / "tagger")
    return [judge_checkpoint(pipeline, tagger, 128, guidance) for guidance in guidances]


if __name__ == "__main__":
    main()
