"""What a saved state belongs to: the settings, pictures and model that change its numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..config import GROUPS, TrainingConfig, settings_of
from ..dataset.images import content_hash
from ..errors import UserError
from ..models.trainable import TrainableModel
from ..training.pictures import Picture

FREE = {
    "pretrained_model_name_or_path", "network_weights", "image_dir", "num_repeats",
    "class_tokens", "caption_extension", "max_train_epochs", "max_train_steps",
    "gradient_checkpointing", "vae_batch_size", "cache_latents_to_disk",
    "cache_text_encoder_outputs",
}  # fmt: skip
"""Settings that may differ: they change no number, or what they lead to is compared itself."""
FREE_GROUPS = {"save", "sample"}
TOLD = 4
"""Differences named in one sentence."""


def identity_of(
    config: TrainingConfig, pictures: Sequence[Picture], model: TrainableModel, steps: int
) -> dict[str, Any]:
    """All that decides a run's numbers, whatever folders it lies in."""
    groups = [getattr(config, group) for group in GROUPS if group not in FREE_GROUPS]
    settings = {name: value for group in groups for name, value in _settings(group)}
    for number, subset in enumerate(config.subsets, 1):
        settings |= {f"{name} of subset {number}": value for name, value in _settings(subset)}
    return {
        "settings": settings, "steps": steps, "checkpoint": model.checkpoint,
        "checkpoint_hash": model.checkpoint_hash or "",
        "pictures": [_facts(picture) for picture in pictures],
    }  # fmt: skip


def identity_text(identity: dict[str, Any]) -> str:
    """An identity as a state keeps it."""
    return json.dumps(identity)


def check_identity(text: str, now: dict[str, Any], where: object) -> dict[str, Any]:
    """The saved identity; UserError with what differs where a run would not go on as it began."""
    saved, now = json.loads(text), json.loads(identity_text(now))
    if found := differences(saved, now):
        more = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
        raise UserError(
            f"The saved state belongs to a run with other settings ({', '.join(found[:TOLD])}"
            f"{more})", where,
            "Put them back, or start without resume: the new run gets a name of its own.",
        )  # fmt: skip
    return dict(saved)


def differences(saved: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """`unet_lr was 0.01 and is 0.5`, for whatever differs between two identities."""
    old, new = saved["settings"], now["settings"]
    found = [
        f"{name} was {old[name]} and is {new[name]}"
        for name in new if name in old and old[name] != new[name]
    ]  # fmt: skip
    hashes = saved["checkpoint_hash"], now["checkpoint_hash"]
    known = "checkpoint_hash" if all(hashes) else "checkpoint"
    if saved[known] != now[known]:
        found.append(f"the checkpoint was {saved['checkpoint']} and is {now['checkpoint']}")
    return found + _other_pictures(saved["pictures"], now["pictures"])


def _other_pictures(saved: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    if len(saved) != len(now):
        return [f"it had {len(saved)} pictures and has {len(now)}"]
    for old, new in zip(saved, now, strict=True):
        different = [key for key in new if key != "name" and old[key] != new[key]]
        if different:
            return [f"the {different[0]} of {new['name']} is another"]
    return []


def _settings(group: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, _, value in settings_of(group) if name not in FREE]


def _facts(picture: Picture) -> dict[str, Any]:
    fit = picture.fit
    return {
        "name": picture.image.path.name, "content": content_hash(picture.image.path),
        "caption": picture.caption, "bucket": [fit.bucket, fit.resized, fit.crop_box],
        "repeats": picture.subset.num_repeats,
        "mask": content_hash(picture.mask) if picture.mask else None,
    }  # fmt: skip
