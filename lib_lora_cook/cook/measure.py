"""How long a run will take and how much memory: a few of its own steps, tried on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from math import prod
from statistics import median

from ..config import TrainingConfig
from ..errors import UserError
from ..hosts.base import Host
from ..jobs import Job
from ..training.batches import Batches, repeated
from ..training.latents import LatentStore
from ..training.memory import forget_peak, peak_bytes
from ..training.pictures import Picture, read_pictures
from ..training.train import Step, make_trainer, train
from .checks import problems_of
from .preflight import largest_batch
from .run import build_network

STEPS = 4
"""The first one warms up and is not counted."""


@dataclass(frozen=True)
class Measured:
    """What a run is expected to take."""

    steps: int
    seconds_per_step: float
    """The median of the tried steps, of the largest bucket's pictures."""
    seconds: float
    """All steps; those of smaller buckets by their share of the pixels."""
    peak_bytes: int
    """The most bytes in use so far: on the GPU if there is one, else of the process."""


def measure_run(config: TrainingConfig, host: Host, job: Job) -> Measured:
    """Try a few steps with the pictures of the largest bucket; writes nothing.

    UserError as for the run itself.
    """
    if problems := problems_of(config):
        raise UserError("; ".join(problems), "the run's settings", "Correct them.")
    pictures = read_pictures(config)
    tried = largest_batch(pictures, config.loop.train_batch_size)
    several = replace(config.loop, max_train_epochs=None, max_train_steps=STEPS)
    short = replace(config, loop=several)
    with host.borrow_model(config.model, config.loop.mixed_precision) as model:
        network = build_network(short, model)
        forget_peak(model.device)
        store = LatentStore(tried, model, None, config.loop.vae_batch_size, job)
        store.fill()
        with network:
            trainer = make_trainer(short, model, network, Batches(tried, store, short), job.log)
            times = [time.perf_counter()]
            for event in islice(train(trainer), 3 * STEPS):
                if isinstance(event, Step):
                    times.append(time.perf_counter())
                    job.report(event.step, STEPS, "trying a few steps")
                job.check()
            whole = make_trainer(config, model, network, Batches(pictures, store, config), job.log)
    each = median(after - before for before, after in pairwise(times[1:]))
    share = mean_pixels(pictures) / prod(tried[0].fit.bucket)
    return Measured(whole.total_steps, each, each * share * whole.total_steps, peak_bytes())


def mean_pixels(pictures: Sequence[Picture]) -> float:
    """Pixels of a picture's bucket, in the mean over an epoch."""
    sizes = [prod(picture.fit.bucket) for picture in repeated(pictures)]
    return sum(sizes) / len(sizes)
