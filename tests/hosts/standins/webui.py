"""The modules of a WebUI that its relatives share, with the traps of the real ones."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from .ldm import picture


class OnceLock:
    """A FIFO lock that hangs for ever when its own thread asks again: here it says so."""

    def __init__(self) -> None:
        self._lock, self.owner = threading.Lock(), 0
        self._pending_threads: list[int] = []

    def acquire(self, blocking: bool = True) -> bool:
        me = threading.get_ident()
        assert self.owner != me, "the host would hang: its lock is held by us"
        if not blocking:
            return self._lock.acquire(False)
        self._pending_threads.append(me)
        self._lock.acquire()
        self._pending_threads.remove(me)
        self.owner = me
        return True

    def release(self) -> None:
        self.owner = 0
        self._lock.release()

    def __enter__(self) -> OnceLock:
        self.acquire()
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


class State:
    """modules.shared.state."""

    job, textinfo, interrupted, stopping_generation = "", None, False, False
    server_command = ""

    def interrupt(self) -> None:
        self.interrupted = True

    def request_restart(self) -> None:
        self.interrupt()
        self.server_command = "restart"

    def begin(self, job: str = "") -> None:
        self.job, self.textinfo = job, None
        self.interrupted = self.stopping_generation = False

    def end(self) -> None:
        self.job = ""


class OptionInfo:
    """modules.options.OptionInfo."""

    def __init__(self, default: Any, label: str, section: tuple[str, str]) -> None:
        self.default, self.label, self.section, self.comment_after = default, label, section, ""
        self.component_args: Any = None

    def info(self, text: str) -> OptionInfo:
        self.comment_after += text
        return self


class Opts(SimpleNamespace):
    """modules.shared.opts."""

    def add_option(self, key: str, info: OptionInfo) -> None:
        vars(self).setdefault("templates", {})[key] = info
        vars(self).setdefault(key, info.default)


def parsed(text: str, skipped: list[str]) -> dict[str, str]:
    """The prompt, and the line of settings below it."""
    prompt, _, line = text.rpartition("\n")
    pairs = (it.partition(": ") for it in line.split(", "))
    return {"Prompt": prompt, **{name: value for name, colon, value in pairs if colon}}


class Deepbooru:
    """modules.deepbooru.model: red pictures are red."""

    model: Any = None

    def start(self) -> None:
        net: Any = nn.Linear(1, 1)
        net.tags = ["red", "rating:safe"]
        net.forward = lambda x: torch.stack([x[..., 0].mean((1, 2)), 1 - x[..., 0].mean((1, 2))], 1)
        self.model = net

    def stop(self) -> None:
        self.model = None


@dataclass
class Lent:
    """A stand-in host, and how a test looks at it."""

    host: Any
    live: Callable[[], list[nn.Module]]
    shared: Any
    lock: OnceLock
    draw: Callable[[str], Any]
    """The host's own picture of a prompt, which may hold `<lora:name:weight>`."""
    classes: tuple[type, ...] = ()
    """Classes whose methods the host swaps."""
    switch: Callable[[], None] = lambda: None
    """The host changes its checkpoint."""

    def snapshot(self) -> dict[str, Any]:
        """All that has to be afterwards as it was."""
        facts: dict[str, Any] = {}
        for part, live in enumerate(self.live()):
            for name, tensor in [*live.named_parameters(), *live.named_buffers()]:
                kind = (type(tensor), tensor.dtype, tensor.device, tensor.requires_grad)
                value = tensor.detach().clone().numpy().tobytes()
                facts[f"{part}.{name}"] = (kind, tensor.is_inference(), value, tensor.data_ptr())
            for name, module in live.named_modules():
                own = sorted(key for key in vars(module) if "forward" in key and "hook" not in key)
                hooks = [len(v) for k, v in vars(module).items() if k.endswith("_hooks")]
                facts[f"{part}.{name}:"] = (module.training, own, hooks)
        for kind in self.classes:
            facts[kind.__name__] = kind.forward  # type: ignore[attr-defined]
        facts["state"] = (self.shared.state.job, self.lock.owner)
        return facts

    def changes(self, before: dict[str, Any], *, values: bool = False) -> list[str]:
        """The names of what differs now; of a weight only its value where that is asked for.

        Some hosts put a frozen copy in a weight's place when they take a LoRA out of it again.
        """
        after = self.snapshot()
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        tensor = lambda name: values and not name.endswith(":") and len(before[name]) == 4  # noqa: E731
        return [it for it in names if not tensor(it) or before[it][2] != after[it][2]]


def install(patch: pytest.MonkeyPatch, name: str, **content: Any) -> ModuleType:
    """A module that anything can import until the test is over."""
    module = ModuleType(name)
    module.__dict__.update(content)
    patch.setitem(sys.modules, name, module)
    parent, _, own = name.rpartition(".")
    if parent:
        patch.setattr(sys.modules[parent], own, module, raising=False)
    return module


def forget_hosts(patch: pytest.MonkeyPatch) -> None:
    """Adapters are imported anew: each holds the modules of the host it was made for."""
    shared = ("webui", "patched", "settings", "taggers", "txt2img", "axes")
    for name in (*shared, "a1111", "forge", "reforge", "neo"):
        patch.delitem(sys.modules, f"lib_lora_cook.hosts.{name}", raising=False)
        patch.delattr(f"lib_lora_cook.hosts.{name}", raising=False)


def install_webui(patch: pytest.MonkeyPatch, folder: Path, run: Callable[..., Any]) -> Any:
    """modules.shared, .paths, .call_queue and .processing; `run` draws one picture."""
    forget_hosts(patch)
    lock = OnceLock()
    shared = install(
        patch, "modules", __path__=[]
    ) and install(
        patch, "modules.shared", state=State(), loaded_hypernetworks=[], OptionInfo=OptionInfo,
        cmd_opts=SimpleNamespace(
            lora_dir=str(folder / "Lora"), ui_config_file=str(folder / "ui-config.json")
        ),
        opts=Opts(
            outdir_samples="", outdir_txt2img_samples="outputs/txt2img",
            outdir_img2img_samples="outputs/img2img", outdir_save="log/images",
            grid_save=True, outdir_grids="", outdir_txt2img_grids=str(folder / "grids"),
            grid_format="jpg", grid_extended_filename=False,
        ),
        sd_upscalers=[], interrogator=SimpleNamespace(),
    )  # fmt: skip
    (folder / "Lora").mkdir(exist_ok=True)
    (folder / "params.txt").write_text("what the person last asked for")
    install(patch, "modules.paths", data_path=str(folder), models_path=str(folder / "models"))
    install(patch, "modules.call_queue", queue_lock=lock)
    runner = lambda: SimpleNamespace(alwayson_scripts=[])  # noqa: E731
    install(patch, "modules.scripts", ScriptRunner=runner, scripts_data=[])
    install(patch, "modules.infotext_utils", parse_generation_parameters=parsed)
    install(patch, "modules.deepbooru", model=Deepbooru())

    def save_image(
        image: Any, path: str, name: str, seed: str | None, prompt: str, extension: str, *,
        info: str, grid: bool, short_filename: bool,
    ) -> Any:  # fmt: skip
        Path(path).mkdir(parents=True, exist_ok=True)
        named = "" if short_filename or seed is None else f"-{seed}-{prompt}"
        saved = Path(path) / f"{name}-0000{named}.{extension}"
        image.save(saved, comment=info.encode())
        return str(saved), None

    install(
        patch, "modules.images", save_image=save_image,
        resize_image=lambda _, image, w, h: image.resize((w, h)),
    )  # fmt: skip

    asked: list[dict[str, Any]] = []

    class StableDiffusionProcessing:
        steps, cfg_scale, sampler_name, scheduler = 50, 7.0, None, None
        cached_c, cached_uc = [None, None], [None, None]

    class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
        def __init__(self, **settings: Any) -> None:
            self.__dict__.update(settings)
            asked.append(settings)
            self.cached_c = StableDiffusionProcessing.cached_c
            self.cached_uc = StableDiffusionProcessing.cached_uc

        def clear_prompt_cache(self) -> None:
            self.cached_c, self.cached_uc = [None, None], [None, None]
            StableDiffusionProcessing.cached_c = [None, None]
            StableDiffusionProcessing.cached_uc = [None, None]

        def setup_conds(self) -> None:
            told = [
                conditioned(self, cached, prompts)
                for cached, prompts in (
                    (self.cached_c, self.prompts),
                    (self.cached_uc, self.negative_prompts),
                )
            ]
            self.c, self.uc = Conditioning((len(self.prompts),), told[0]), told[1]

        def close(self) -> None:
            pass

    def process_images(task: Any) -> Any:
        assert lock.owner == threading.get_ident(), "a picture without the queue's lock"
        assert task.scripts.alwayson_scripts == []  # reForge fails where there is no runner at all
        if shared.state.interrupted:
            return SimpleNamespace(images=[], infotexts=[])
        (folder / "params.txt").write_text(task.prompt[0])
        texts, names = zip(*map(prompted, task.prompt), strict=True)
        task.prompts, task.negative_prompts = list(texts), [""] * len(texts)
        images = run(task, names[0], [torch.Generator().manual_seed(seed) for seed in task.seed])
        line = f"Steps: {task.steps}, Sampler: Euler a, Seed: "
        told = [f"{prompt}\n{line}{it}" for prompt, it in zip(texts, task.seed, strict=True)]
        return SimpleNamespace(images=images, infotexts=told)

    install(
        patch, "modules.processing", StableDiffusionProcessing=StableDiffusionProcessing,
        StableDiffusionProcessingTxt2Img=StableDiffusionProcessingTxt2Img,
        process_images=process_images, need_global_unload=False, asked=asked,
    )  # fmt: skip
    return SimpleNamespace(shared=shared, lock=lock)


def lora_files(folder: Path) -> dict[str, Any]:
    """What the built-in Lora extension of every host keeps of its folder, and how it looks anew."""
    available: dict[str, Any] = {}

    def list_available_networks() -> None:
        available.clear()
        for path in sorted((folder / "Lora").rglob("*.safetensors")):
            available[path.stem] = SimpleNamespace(filename=str(path))

    return {
        "available_networks": available, "list_available_networks": list_available_networks,
    }  # fmt: skip


@dataclass
class Conditioning:
    """MulticondLearnedConditioning."""

    shape: tuple[int]
    batch: list[Any]


def conditioned(task: Any, cached: list[Any], prompts: list[str]) -> list[Any]:
    """Each prompt encoded once, and kept by the prompts alone: what is cached is given again."""
    if cached[0] != prompts:
        known = {it: task.encode(it) for it in dict.fromkeys(prompts)}
        cached[0], cached[1] = list(prompts), [known[it] for it in prompts]
    return list(cached[1])


def drawn(task: Any, unet: nn.Module, vae: Any, rngs: list[torch.Generator]) -> list[Any]:
    """Two guided steps from noise, all pictures in one batch with their guidance; the decoder."""
    task.setup_conds()
    told = [*task.c.batch, *task.uc]
    states = torch.cat([it for it, _ in told])
    vector = None if told[0][1] is None else torch.cat([it for _, it in told])
    latents = torch.cat([torch.randn(1, 4, 8, 8, generator=rng) for rng in rngs])
    for timestep in (800, 300):
        both = torch.cat([latents, latents])
        asked, unasked = unet(both, torch.full((len(both),), timestep), states, y=vector).chunk(2)
        latents = latents - 0.5 * (2 * asked - unasked)
    return [picture(it, vae.decoder) for it in latents]


def prompted(prompt: str) -> tuple[str, list[tuple[str, float]]]:
    """(the text, the LoRAs it names)."""
    text, *names = prompt.split("<lora:")
    found = [it.rstrip(" >").split(":") for it in names]
    return text.strip(), [(name, float(weight)) for name, weight in found]


def draws(shared: Any, lock: OnceLock, folder: Path) -> Callable[[str], Any]:
    """The host draws one picture of a prompt as a person would have it."""

    def draw(prompt: str) -> Any:
        processing = sys.modules["modules.processing"]
        task = processing.StableDiffusionProcessingTxt2Img(prompt=[prompt], seed=[7])
        task.scripts = SimpleNamespace(alwayson_scripts=[])
        with lock:
            shared.state.begin(job="txt2img")
            try:
                return processing.process_images(task).images[0]
            finally:
                shared.state.end()

    return draw
