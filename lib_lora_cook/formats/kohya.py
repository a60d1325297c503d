"""sd-scripts' own files: `--config_file` with or without sections, and `--dataset_config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..config_file import parse_toml
from ..errors import UserError
from .base import Foreign, Table, is_asked

DEFAULTS: Table = {
    "network_dim": 4, "network_alpha": 1.0, "train_batch_size": 1, "learning_rate": 2e-6,
    "max_token_length": 75, "caption_extension": ".caption", "vae_batch_size": 1,
}  # fmt: skip
"""What sd-scripts takes where its file says nothing, and we would take something else."""
FOLDERS = ("train_data_dir", "reg_data_dir")
_DATASET_KEYS = {
    "batch_size", "resolution", "enable_bucket", "min_bucket_reso", "max_bucket_reso",
    "bucket_reso_steps", "bucket_no_upscale", "max_token_length", "prior_loss_weight",
    "validation_split", "validation_seed", "network_multiplier", "resize_interpolation",
}  # fmt: skip
"""What a `[[datasets]]` says of itself; the rest of it holds for its subsets."""


def is_dataset(table: Table) -> bool:
    """Whether a parsed TOML is a dataset file."""
    return "datasets" in table or "general" in table


def read_training(table: Table, folder: Path) -> Foreign:
    """A training file; sections are only there to be read by people, as in sd-scripts."""
    foreign = Foreign()
    for key, value in table.items():
        foreign.arguments |= value if isinstance(value, dict) else {key: value}
    ours = foreign.arguments.pop("version", None) is not None
    foreign.arguments = foreign.arguments if ours else DEFAULTS | foreign.arguments
    add_dataset_file(foreign, folder)
    for key in FOLDERS:
        path = foreign.arguments.get(key)
        if is_asked(path):
            foreign.subsets += folders_of(str(path), folder, is_reg=key == "reg_data_dir")
    return foreign


def add_dataset_file(foreign: Foreign, folder: Path) -> None:
    """Read the dataset file that a training file names, if it is there."""
    name = foreign.arguments.get("dataset_config")
    if not is_asked(name):
        return
    path = folder / Path(str(name).replace("\\", "/"))
    for there in (path, folder / path.name):
        if there.is_file():
            text = there.read_text(encoding="utf-8-sig")
            add_datasets(foreign, parse_toml(text, there))
            return
    foreign.unknown.append(f"dataset_config = {name} (there is no such file)")


def read_dataset(table: Table) -> Foreign:
    """A dataset file alone."""
    foreign = Foreign()
    add_datasets(foreign, table)
    return foreign


def add_datasets(foreign: Foreign, table: Table) -> None:
    """`[general]`, `[[datasets]]` and their subsets; what is further inside wins.

    A run here has one resolution and one batch size: those of the first dataset, and what another
    one wants otherwise is listed.
    """
    general = table.get("general", {})
    foreign.unknown += [key for key in table if key not in ("general", "datasets")]
    for index, dataset in enumerate(tables_of(table, "datasets"), 1):
        own = {**general, **dataset}
        subsets = tables_of(own, "subsets")
        own.pop("subsets", None)
        for key in _DATASET_KEYS & own.keys():
            value = own.pop(key)
            if foreign.arguments.get(key, value) != value and index > 1:
                foreign.unknown.append(f"datasets[{index}].{key} = {value}")
            else:
                foreign.arguments[key] = value
        foreign.subsets += [{**own, **subset} for subset in subsets]


def tables_of(table: Table, key: str) -> list[Table]:
    """A list of tables, one for what was written as [key] for [[key]]; UserError for another."""
    found = table.get(key, [])
    found = [found] if isinstance(found, dict) else found
    if not isinstance(found, list) or not all(isinstance(it, dict) for it in found):
        raise UserError(f"{key} must be tables", f"[[{key}]]", "Write each below its own head.")
    return found


def folders_of(path: str, folder: Path, *, is_reg: bool) -> list[Table]:
    """The `3_name` folders of a train_data_dir; where it is not here, the folder itself."""
    there = folder / path
    mark: dict[str, Any] = {"is_reg": True} if is_reg else {}
    inside = sorted(it for it in there.iterdir() if repeats_of(it.name)) if there.is_dir() else []
    if not inside:
        return [{"image_dir": path, **mark}]
    return [{"image_dir": str(Path(path) / it.name), **class_of(it.name), **mark} for it in inside]


def repeats_of(name: str) -> int:
    """3 of `3_name`, 0 where a name says no repeats."""
    head, mark, _ = name.partition("_")
    return int(head) if mark and head.isdecimal() else 0


def class_of(name: str) -> Table:
    """Repeats and class tokens of a `3_name` folder, as sd-scripts reads them."""
    return {"num_repeats": repeats_of(name), "class_tokens": name.partition("_")[2]}
