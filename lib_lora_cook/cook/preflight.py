"""Before a run on a GPU: a step of its largest pictures is tried, and whether all of it fits in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import nn

from ..errors import UserError
from ..jobs import Job
from ..training.batches import Batch
from ..training.memory import TooLargeError, bytes_in_use, free_bytes, most_taken
from ..training.optimizers import make_optimizer
from ..training.pictures import Picture
from ..training.train import Trainer, accumulate, free_memory, shrink_parts

MIB = 1 << 20
PROBE = (64, 64)
"""A weight on which an optimizer shows how much it keeps; 8-bit ones begin at 4096 numbers."""
SMALLER = 2
"""What a picture's sides are divided by where a whole one does not fit in."""


@dataclass(frozen=True)
class Forecast:
    """Bytes on the device that the model is on."""

    held: int
    """In use before the first step: the model, the adapters, and on a CPU the program."""
    step: int
    """What a step takes on top at most: what is kept for the backward pass, and gradients."""
    state: int
    """What the optimizer keeps from the first step on."""

    @property
    def on_top(self) -> int:
        """What the run's steps take at most beside what was in use before them."""
        return self.step + self.state

    @property
    def peak(self) -> int:
        """The most at any moment of the run's steps."""
        return self.held + self.on_top


def is_tried(device: torch.device) -> bool:
    """Whether a step is tried there: a GPU's takes a second, a CPU's as long as the run's first."""
    return device.type == "cuda"


def forecast(trainer: Trainer, batch: Batch) -> Forecast:
    """A step is computed and its gradients are thrown away; the network has to be on.

    TooLargeError where memory runs out with one picture at a time; before that the trainer computes
    fewer of them at once from here on.
    """
    trainer.model.train(trainer.config.loop.gradient_checkpointing)
    trainer.loop.network.train()
    held = bytes_in_use(trainer.model.device)
    try:
        with most_taken(trainer.model.device) as taken:
            accumulate(trainer, [batch])
    finally:
        free_memory(trainer)
    return Forecast(held, taken.most, state_bytes(trainer))


def state_bytes(trainer: Trainer) -> int:
    """What the optimizer will keep, by what one of its kind keeps of a small weight."""
    optimizer = trainer.loop.optimizer
    weights = [it for group in optimizer.param_groups for it in group["params"]]
    if optimizer.state or not weights:
        return 0
    probe = nn.Parameter(torch.ones(PROBE, dtype=weights[0].dtype, device=weights[0].device))
    probe.grad = torch.ones_like(probe)
    group = {"params": [probe], "lr": 1.0}
    trial = make_optimizer(trainer.config.optimizer, [group], probe.device, lambda message: None)
    trial.step()
    kept = sum(size_of(state.values()) for state in trial.state.values())
    return int(kept * sum(it.numel() for it in weights) / probe.numel())


def size_of(tensors: Iterable[object]) -> int:
    """Bytes of those that are tensors."""
    return sum(it.nbytes for it in tensors if isinstance(it, torch.Tensor))


def check_fit(trainer: Trainer, batch: Batch, job: Job) -> None:
    """Tell what the run will take of its GPU, with as many pictures at once as that holds.

    UserError, with what to change, where it does not hold a single one.
    """
    free = free_bytes(trainer.model.device)
    try:
        found = forecast(trainer, batch)
        # Windows goes on in shared memory where Linux says that there is none.
        while free is not None and found.on_top > free:
            shrink_parts(trainer)
            found = forecast(trainer, batch)
    except TooLargeError as error:
        raise UserError(
            f"A step of one picture does not fit into the {(free or 0) // MIB} MiB that are free",
            "the graphics card", advice(trainer, batch),
        ) from error  # fmt: skip
    job.log(
        f"a step takes {found.on_top // MIB} MiB of the graphics card beside the "
        f"{found.held // MIB} MiB of the model; {(free or 0) // MIB} MiB were free"
    )


def advice(trainer: Trainer, batch: Batch) -> str:
    """What makes the run smaller, and by how much: measured with a small picture, or counted."""
    savings = [f"{what} ({size // MIB} MiB less)" for what, size in saved(trainer, batch)]
    return f"Change one or more of these: {', '.join(savings)}."


def saved(trainer: Trainer, batch: Batch) -> list[tuple[str, int]]:
    """(what to change, bytes that it saves), the largest first."""
    config, model, found = trainer.config, trainer.model, []
    small, times = smaller(batch)
    trainer.part = 1
    step = forecast(trainer, small)
    kept = (step.step - size_of(weights_of(trainer))) * times
    if not config.loop.gradient_checkpointing:
        loop = replace(config.loop, gradient_checkpointing=True)
        again = forecast(replace(trainer, config=replace(config, loop=loop)), small)
        found.append(("gradient_checkpointing = true", (step.step - again.step) * times))
    movable = {name: [size_of(it.parameters()) for it in parts]
               for name, parts in model.movable().items()}  # fmt: skip
    if not config.model.medvram:
        found.append(("medvram = true with text_encoder_lr = 0", sum(movable["medvram"])))
    blocks = movable["blocks_to_swap"]
    more = len(blocks) - 2 - config.model.blocks_to_swap  # One computes while the next comes.
    if blocks and more > 0:
        found.append((f"blocks_to_swap = {len(blocks)} with gradient_checkpointing",
                      sum(blocks) * more // len(blocks)))  # fmt: skip
    found.append(("a resolution of three quarters", kept * 7 // 16))
    found.append(("half the network_dim", (size_of(weights_of(trainer)) * 2 + step.state) // 2))
    return sorted(found, key=lambda it: -it[1])


def weights_of(trainer: Trainer) -> list[torch.Tensor]:
    """What is trained."""
    return [it for group in trainer.loop.optimizer.param_groups for it in group["params"]]


def smaller(batch: Batch) -> tuple[Batch, int]:
    """A corner of a batch's first picture, and how many of its kind make one picture."""
    height, width = (max(8, side // SMALLER // 8 * 8) for side in batch.latents.shape[-2:])
    masks = None if batch.masks is None else batch.masks[:1, :height, :width]
    corner = batch.latents[:1, :, :height, :width]
    part = Batch(corner, batch.captions[:1], batch.sizes[:1], batch.weights[:1], masks)
    return part, round(prod(batch.latents.shape[-2:]) / prod(corner.shape[-2:]))


def largest_batch(pictures: Sequence[Picture], batch_size: int) -> list[Picture]:
    """A batch of pictures of the largest bucket, as many as there are up to batch_size."""
    largest = max((picture.fit.bucket for picture in pictures), key=prod)
    found = [picture for picture in pictures if picture.fit.bucket == largest][:batch_size]
    times = -(-batch_size // len(found))  # a lone picture stands for a whole batch
    subset = replace(found[0].subset, num_repeats=times)
    return [replace(picture, subset=subset) for picture in found]
