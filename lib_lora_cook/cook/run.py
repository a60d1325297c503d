"""The straight way of a run: pictures, latents, network, steps, a file an epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config import TrainingConfig
from ..errors import UserError
from ..hosts.base import Host
from ..jobs import Job
from ..models.trainable import TrainableModel
from ..models.waiting import place_of
from ..networks.attach import make_network
from ..networks.continued import continued_network, with_ranks_of_file
from ..networks.targets import network_targets
from ..training.batches import Batches, as_wanted
from ..training.distributed import joined
from ..training.latents import LatentStore
from ..training.pictures import read_pictures
from ..training.state import share_loop
from ..training.train import fixed_seed, make_trainer
from .checks import check_target, check_writable, problems_of
from .files import run_name
from .kitchen import Cooked, Kitchen, Watcher, follow
from .larder import Larder
from .preflight import check_fit, is_tried, largest_batch


@dataclass(frozen=True)
class Options:
    """How one call of `cook` runs."""

    resume: bool = False
    """Go on with the newest run of that name, if one was stopped."""
    watch: Watcher = lambda event: None


def cook(config: TrainingConfig, host: Host, job: Job, options: Options | None = None) -> Cooked:
    """Train, and write a LoRA file an epoch; a stop keeps what was reached.

    UserError before anything is written when the settings, the pictures, the model or the output
    folder are not as they must be.
    """
    options = options or Options()
    if problems := problems_of(config):
        raise UserError("; ".join(problems), "the run's settings", "Correct them.")
    started = time.time()
    pictures = read_pictures(config)
    with joined() as crew:
        if crew.leads:
            check_writable(config.save)
            config = under_a_free_name(config, options.resume, job)
        config = replace(config, network=with_ranks_of_file(config.network))
        with host.borrow_model(config.model, config.loop.mixed_precision) as model:
            check_target(config, model.v_prediction)
            network = build_network(config, model)
            folder, several = latents_folder(config, host), config.loop.vae_batch_size
            if crew.size > 1 and folder:  # Each encodes its share, and then finds the others'.
                LatentStore(pictures[crew.rank :: crew.size], model, folder, several, job).fill()
                crew.any(False)
            wanted = as_wanted(pictures, config)
            store = LatentStore(wanted, model, folder, several, job)
            if crew.size > 1 or take_turns(model):
                store.fill()
            else:  # The first step encodes what it needs, and the kitchen behind it what is left.
                store.check()
            batches = Batches(pictures, store, config)
            with network:
                trainer = make_trainer(config, model, network, batches, job.log)
                trainer.crew = crew
                if is_tried(model.device):
                    tried = largest_batch(pictures, config.loop.train_batch_size)
                    check_fit(trainer, next(Batches(tried, store, config).epoch(1)), job)
                larder = Larder(config, model, pictures, trainer, job, started)
                cooked = at_work(larder, host, options)
    cooked.seconds = time.time() - started
    return cooked


def at_work(larder: Larder, host: Host, options: Options) -> Cooked:
    """The steps: with files and samples in the process that leads, else without."""
    trainer, job = larder.trainer, larder.job
    if trainer.crew.leads:
        larder.prepare(options.resume)
    share_loop(trainer.loop, trainer.crew)
    if trainer.crew.leads:
        return Kitchen(larder, host, options.watch).run()
    return follow(trainer, lambda: host.interrupted() or job.cancelled)


def under_a_free_name(config: TrainingConfig, resume: bool, job: Job) -> TrainingConfig:
    """The run, renamed and told so where an earlier one has files under its name."""
    name, wanted = run_name(config.save, resume), config.save.output_name
    if name != wanted:
        job.log(f"there are files named {wanted} already, so this run's are named {name}")
    return replace(config, save=replace(config.save, output_name=name))


def build_network(config: TrainingConfig, model: TrainableModel) -> Any:
    """The run's network: fresh, from its seed, or going on from `network_weights`."""
    with fixed_seed(f"{config.loop.seed}:network", model.device):
        layers = model.layers()
        if config.network.network_weights:
            network = continued_network(layers, config.network, config.optimizer)
        else:
            targets = network_targets(layers, config.network, config.optimizer)
            network = make_network(targets, config.network)
    return network.to(model.device)  # its layer may wait elsewhere


def take_turns(model: TrainableModel) -> bool:
    """Whether parts of the model wait in main memory while others work."""
    return any(place_of(it).type != model.device.type for it in model.movable()["medvram"])


def latents_folder(config: TrainingConfig, host: Host) -> Path | None:
    """Where encoded pictures are kept, or None."""
    return host.cache_dir / "latents" if config.loop.cache_latents_to_disk else None
