"""The training loop: a stream of events. To stop it, stop asking."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ..config import TrainingConfig, learning_rates
from ..errors import UserError
from ..models.trainable import Conditioning, PictureSize, TrainableModel
from ..networks.attach import Network
from ..networks.convolutions import quick_convolutions
from .batches import Batch, Batches
from .distributed import ALONE, Crew
from .groups import GradientCheck, parameter_groups
from .loss import diffusion_loss
from .memory import OUT_OF_MEMORY, TooLargeError
from .noise import NoiseSchedule, draw_noise, draw_timesteps, perturbed
from .optimizers import (
    effective_learning_rates,
    learning_rate_factor,
    make_optimizer,
    set_learning_rates,
)
from .plan import steps_of
from .state import Loop
from .texts import EncodedTexts

PATIENCE = 8
"""Steps in a row without a finite loss before the run gives up."""
AUTOCAST = {"fp16": torch.float16, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Step:
    """One optimizer step is done."""

    step: int
    epoch: int
    loss: float
    learning_rates: dict[str, float]


@dataclass(frozen=True)
class EpochEnd:
    """All batches of an epoch are done."""

    epoch: int
    step: int


Event = Step | EpochEnd


@dataclass
class Trainer:
    """All that a step needs and that stays the same from step to step."""

    config: TrainingConfig
    model: TrainableModel
    batches: Batches
    schedule: NoiseSchedule
    loop: Loop
    total_steps: int
    epochs: int
    factor: Callable[[int], float]
    warn: Callable[[str], None]
    gradients: GradientCheck
    part: int
    """Pictures computed at once: the batch size, or less where memory ran out."""
    crew: Crew = ALONE
    """The processes that compute every batch together."""
    texts: EncodedTexts = field(init=False)
    """What captions say, kept while the text encoder is not trained."""

    def __post_init__(self) -> None:
        on_cpu = self.model.device.type == "cpu"
        self.layers = [it.module for it in self.model.layers()] if on_cpu else []
        self.texts = EncodedTexts(self.model)


def make_trainer(
    config: TrainingConfig, model: TrainableModel, network: Network, batches: Batches,
    warn: Callable[[str], None],
) -> Trainer:  # fmt: skip
    """A trainer at its first step."""
    steps, epochs = steps_of(batches.per_epoch, config.loop)
    if config.loop.full_bf16:
        network.to(torch.bfloat16)
    groups = parameter_groups(config, network)
    optimizer = make_optimizer(config.optimizer, groups, model.device, warn)
    schedule = NoiseSchedule.of(
        model.alphas_cumprod, model.v_prediction, config.loss.zero_terminal_snr
    ).to(model.device)
    factor = learning_rate_factor(config.optimizer, steps)
    loop = Loop(network, optimizer, make_scaler(config, model.device))
    check = GradientCheck.of(network, config, model)
    part = config.loop.train_batch_size
    return Trainer(
        config, model, batches, schedule, loop, steps, epochs, factor, warn, check, part
    )  # fmt: skip


def make_scaler(config: TrainingConfig, device: torch.device) -> Any:
    """fp16's gradient scaler, which does nothing at any other precision; torch 2.1 has CUDA's."""
    on = config.loop.mixed_precision == "fp16"
    if hasattr(torch.amp, "GradScaler"):
        return torch.amp.GradScaler(device.type, enabled=on)
    return torch.cuda.amp.GradScaler(enabled=on)


def train(trainer: Trainer) -> Iterator[Event]:
    """Steps and epoch ends until the run is done; goes on from where `trainer.loop` stands."""
    loop, config = trainer.loop, trainer.config
    trainer.model.train(config.loop.gradient_checkpointing)
    loop.network.train()
    # A run that was stopped between its last step and its last epoch's end still owes that end.
    while loop.step < trainer.total_steps or loop.ended < loop.step:
        rest = trainer.batches.epoch(loop.epoch, loop.batch)
        while loop.step < trainer.total_steps:
            batches = list(islice(rest, config.loop.gradient_accumulation_steps))
            if not batches:
                break
            loss = optimizer_step(trainer, batches)
            loop.step += 1
            loop.batch += len(batches)
            yield Step(loop.step, loop.epoch, loss, effective_learning_rates(loop.optimizer))
        done, loop.ended = loop.epoch, loop.step
        if loop.batch >= trainer.batches.per_epoch:  # Else a longer run goes on inside it.
            loop.epoch, loop.batch = loop.epoch + 1, 0
        yield EpochEnd(done, loop.step)


def optimizer_step(trainer: Trainer, batches: Sequence[Batch]) -> float:
    """One step over the accumulated batches; returns their mean loss.

    A GPU is waited for once: where the loss and the gradient's norm are asked for together.
    """
    loop, config = trainer.loop, trainer.config
    set_learning_rates(loop.optimizer, trainer.factor(loop.step))
    loss = accumulate(trainer, batches)
    parameters = [it for group in loop.optimizer.param_groups for it in group["params"]]
    loss = trainer.crew.sum_gradients(parameters, loss)
    trainer.gradients.look(loop.network)
    loop.scaler.unscale_(loop.optimizer)
    longest = config.optimizer.max_grad_norm or math.inf
    norm = torch.nn.utils.clip_grad_norm_(parameters, longest)
    total, length = torch.stack([loss, norm.to(loss)]).tolist()
    if not math.isfinite(length) and math.isfinite(total) and loop.scaler.get_scale() > 1:
        length = 0.0  # fp16's scaler leaves such steps out itself, and scales less from there on.
    if not _is_finite(loop, total + length):
        loop.scaler.update()
        return float(total)
    loop.scaler.step(loop.optimizer)
    loop.scaler.update()
    if config.network.scale_weight_norms:
        loop.network.limit_norms(config.network.scale_weight_norms)
    return float(total)


def accumulate(trainer: Trainer, batches: Sequence[Batch]) -> Tensor:
    """Gradients of the mean loss over the batches, and that loss.

    When memory runs out, the same pictures with the same noise are taken in smaller parts, from
    here to the end of the run: the sum is the same.
    """
    key = f"{trainer.config.loop.seed}:{trainer.loop.step}"
    while True:
        trainer.loop.optimizer.zero_grad(set_to_none=True)
        try:
            quick = quick_convolutions(trainer.layers)
            with quick, fixed_seed(key, trainer.model.device) as (generator, rng):
                total, rows = torch.zeros((), device=trainer.model.device), 0
                for batch in batches:
                    mixed = mix(trainer, batch, generator, rng)
                    total += backward(trainer, mixed, rows, len(batches))
                    rows += len(mixed.noisy)
                return total
        except OUT_OF_MEMORY:
            shrink_parts(trainer)


def shrink_parts(trainer: Trainer) -> None:
    """Halve how many pictures are computed at once; TooLargeError where it is one already."""
    if trainer.part == 1:
        raise TooLargeError(
            "Memory ran out with one picture at a time", "training",
            "Turn on gradient_checkpointing, or lower the resolution or network_dim.",
        )  # fmt: skip
    trainer.part = -(-trainer.part // 2)
    free_memory(trainer)
    trainer.warn(f"memory ran out: the batch is computed {trainer.part} pictures at a time")


def free_memory(trainer: Trainer) -> None:
    """Give back what an attempt that ran out of memory has left."""
    trainer.loop.optimizer.zero_grad(set_to_none=True)
    if trainer.model.device.type == "cuda":
        torch.cuda.empty_cache()


@dataclass(frozen=True)
class Mixed:
    """A batch with its noise: tensors [B, 4, h, w] and timesteps [B]."""

    batch: Batch
    noisy: Tensor
    target: Tensor
    timesteps: Tensor


def mix(trainer: Trainer, batch: Batch, generator: torch.Generator, rng: random.Random) -> Mixed:
    """Draw noise and timesteps, and add the one by the other (Ho et al. 2020, arXiv 2006.11239)."""
    config, schedule, device = trainer.config.loss, trainer.schedule, trainer.model.device
    latents = batch.latents.to(device, non_blocking=True)
    noise = draw_noise(latents, config, generator, rng)
    timesteps = draw_timesteps(len(latents), config, generator).to(device, non_blocking=True)
    noisy = schedule.add_noise(latents, perturbed(noise, config, generator), timesteps)
    return Mixed(batch, noisy, schedule.target(latents, noise, timesteps), timesteps)


def backward(trainer: Trainer, mixed: Mixed, before: int, batches: int) -> Tensor:
    """Add a batch's share to the gradients, part by part; returns its share of the loss.

    `before` it came so many rows of the same step's other batches.
    """
    count, total = len(mixed.noisy), torch.zeros((), device=mixed.noisy.device)
    for rows in trainer.crew.rows(before, count, trainer.part):
        loss = losses(trainer, mixed, rows).sum() / (count * batches)
        trainer.loop.scaler.scale(loss).backward()
        total += loss.detach()
    return total


def losses(trainer: Trainer, mixed: Mixed, rows: slice) -> Tensor:
    """The weighed loss of some pictures of a batch, [B]: predict, compare, weigh."""
    model, config = trainer.model, trainer.config
    noisy, target, timesteps = mixed.noisy[rows], mixed.target[rows], mixed.timesteps[rows]
    with autocast(config, model.device):
        told = conditioning(trainer, mixed.batch.captions[rows], mixed.batch.sizes[rows])
        prediction = model.predict(noisy.to(model.dtype), timesteps, told)
    masks = mixed.batch.masks
    return diffusion_loss(
        prediction, target, timesteps, trainer.schedule, config.loss, mixed.batch.weights[rows],
        None if masks is None else masks[rows],
    )  # fmt: skip


def conditioning(
    trainer: Trainer, captions: Sequence[str], sizes: Sequence[PictureSize]
) -> Conditioning:
    """What the captions say; encoded once a caption when the text encoder is not trained."""
    if any(learning_rates(trainer.config.optimizer)[1:]):
        return trainer.model.encode_text(captions, sizes)
    if trainer.config.loop.cache_text_encoder_outputs:
        return trainer.texts.of(captions, sizes)
    with torch.no_grad():
        return trainer.model.encode_text(captions, sizes)


def autocast(config: TrainingConfig, device: torch.device) -> AbstractContextManager[object]:
    """The run's mixed precision; the adapters stay in fp32 but for full_bf16."""
    dtype = AUTOCAST.get(config.loop.mixed_precision)
    return torch.autocast(device.type, dtype) if dtype else nullcontext()


@contextmanager
def fixed_seed(key: str, device: torch.device) -> Iterator[tuple[torch.Generator, random.Random]]:
    """Randomness made of a key alone: the same before and after a resume, and on any machine.

    PyTorch's own generators, which dropout draws from, are given back as they were.
    """
    rng = random.Random(key)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(rng.getrandbits(63))
        yield torch.Generator(device).manual_seed(rng.getrandbits(63)), rng


def _is_finite(loop: Loop, value: float) -> bool:
    """Count steps whose loss or gradient is not finite; UserError after too many in a row."""
    if math.isfinite(value):
        loop.refused = 0
        return True
    loop.refused += 1
    if loop.refused >= PATIENCE:
        raise UserError(
            f"The loss or its gradient was no number for {PATIENCE} steps in a row",
            f"step {loop.step}",
            "Lower the learning rate, or train in bf16 or fp32 instead of fp16.",
        )  # fmt: skip
    return False
