"""What must be right before the first step: the settings, the output folder, the disk."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryFile

from ..config import SaveConfig, TrainingConfig, learning_rates
from ..config_file import wrong_values
from ..errors import UserError
from ..models import checkpoints
from ..training import buckets, groups, loss, optimizers, pictures
from . import critic, samples

SPARE_BYTES = 64 * 1024 * 1024
"""Room on the disk beyond the files themselves, without which no run is begun."""


def problems_of(config: TrainingConfig) -> list[str]:
    """All that is wrong with a run before a picture is read or a model is touched."""
    found = [*wrong_values(config), *buckets.problems(config.bucket)]
    found += optimizers.problems(config.optimizer)
    found += loss.problems(config.loss, config.model.v_parameterization or None)
    found += [*pictures.problems(config), *groups.problems(config), *samples.problems(config)]
    found += critic.problems(config)
    found += checkpoints.problems(config.model)
    if all(subset.is_reg for subset in config.subsets):
        found.append("there is no [[subsets]] with an image_dir and without is_reg")
    for number, subset in enumerate(config.subsets, 1):
        if not subset.image_dir:
            found.append(f"subset {number} has no image_dir")
    if config.loop.full_bf16 and config.loop.mixed_precision != "bf16":
        found.append("full_bf16 goes with mixed_precision bf16 only: set that too")
    if config.model.medvram and any(learning_rates(config.optimizer)[1:]):
        found.append("medvram puts the text encoders away: set text_encoder_lr = 0 too")
    if config.model.blocks_to_swap and not config.loop.gradient_checkpointing:
        found.append("blocks_to_swap saves nothing without gradient_checkpointing: turn it on too")
    if config.model.max_token_length not in (75, 150, 225):
        found.append("max_token_length must be 75, 150 or 225")
    if Path(config.save.output_name).name != config.save.output_name:
        found.append("output_name is a name without folders: put those into output_dir")
    return list(dict.fromkeys(found))


def check_target(config: TrainingConfig, v_prediction: bool) -> None:
    """UserError if the loss is not for what the model turns out to predict."""
    if found := loss.problems(config.loss, v_prediction):
        raise UserError("; ".join(found), "the run's settings", "Correct them.")


def check_writable(save: SaveConfig) -> None:
    """UserError if no file can be made in a run's folders, or no such folder; leaves nothing."""
    wanted = {"output_dir": save.output_dir, "output_dir_fallback": save.output_dir_fallback}
    for setting, folder in wanted.items():
        if not folder:
            continue
        there = next(it for it in (Path(folder), *Path(folder).resolve().parents) if it.exists())
        try:
            with TemporaryFile(dir=there):
                pass
        except OSError as error:
            raise UserError(
                f"Nothing can be written here ({error.strerror})", folder,
                f"Choose another {setting}.",
            ) from None  # fmt: skip


def check_room(folder: Path, need: int) -> None:
    """UserError if a folder's disk has not `need` bytes free and some to spare."""
    free, need = shutil.disk_usage(folder).free, need + SPARE_BYTES
    if free < need:
        raise UserError(
            f"The disk has {free >> 20} MiB free, and the run needs {need >> 20} MiB",
            folder, "Free some room, or choose another output_dir.",
        )  # fmt: skip


def check_memory(need: int, free: int | None) -> None:
    """UserError if gradients and the optimizer's state alone do not fit into what is free."""
    if free is not None and free < need:
        raise UserError(
            f"There are {free >> 20} MiB of memory free, and the adapters' gradients and optimizer "
            f"alone need {need >> 20} MiB", "training",
            "Lower network_dim or conv_dim, or close what else takes memory.",
        )  # fmt: skip
