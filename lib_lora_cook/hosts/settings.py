"""Our section in the WebUI's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules import paths, shared

SECTION = ("lora_cook", "LoRA Cook")


@dataclass(frozen=True)
class Setting:
    """One of the person's choices, kept with the WebUI's own."""

    key: str
    default: Any
    label: str
    info: str = ""

    def value(self) -> Any:
        """What is chosen now."""
        return getattr(shared.opts, self.key, self.default)


SERVE = Setting(
    "lora_cook_serve", True, "Serve Generate while a run goes on",
    "between two steps; the run is none the worse for it",
)  # fmt: skip
TRY = Setting(
    "lora_cook_try", True, "Have the WebUI load each epoch's file and draw with it",
    "two small pictures an epoch; one becomes the file's preview",
)  # fmt: skip
SUBFOLDER = Setting("lora_cook_subfolder", "", "Folder for new files, inside the LoRA folder")
API_FOLDERS = Setting(
    "lora_cook_api_folders", "", "Folders of pictures that the API may read, one a line",
    "beside the WebUI's own folder; needs Reload UI",
)  # fmt: skip


def add_section() -> None:
    """Have the WebUI show the section and keep what is chosen."""
    for it in (SERVE, TRY, SUBFOLDER, API_FOLDERS):
        info = shared.OptionInfo(it.default, it.label, section=SECTION)
        if it is API_FOLDERS:
            info.component_args = {"lines": 3}
        shared.opts.add_option(it.key, info.info(it.info) if it.info else info)


def first_values(lora_dir: Path) -> dict[str, str]:
    """What the page shows at first, by kohya's names: new files go into the folder named here."""
    folder = lora_dir / str(SUBFOLDER.value()).strip()
    inside = folder.resolve().is_relative_to(lora_dir.resolve())
    return {"output_dir": str(folder if inside else lora_dir)}


def allowed_folders() -> list[Path]:
    """Where the API may read and write: the WebUI's folder, and those that the person named."""
    named = [line.strip() for line in str(API_FOLDERS.value()).splitlines()]
    return [Path(paths.data_path), *(Path(line).expanduser() for line in named if line)]
