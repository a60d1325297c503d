"""The WebUI's own pictures into the dataset that the page works on, by one click below them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..dataset.images import is_picture_name
from ..errors import UserError
from ..gather.local_files import save_generation
from ..hosts.base import Host
from . import show, texts
from .bench import Bench, folder_of, several
from .components import ask_with
from .runner import RUNNER, Runner, short_home

Read = Callable[[str, Sequence[Any] | None, int], tuple[Any, str]]
"""(the host's facts, its pictures, the one that is looked at) -> (Pillow picture, infotext)."""


def connect(host: Host, read: Read, runner: Runner = RUNNER) -> Callable[[Any], None]:
    """What makes a host's panel send its picture; a panel has button, inputs, told and script."""
    bench = Bench(host, runner)

    def on_send(info: str, pictures: Sequence[Any] | None, index: Any) -> str:
        try:
            return show.note(send(bench, *read(info, pictures, int(index))))
        except UserError as error:
            return show.problem(short_home(str(error)))

    def wire(panel: Any) -> None:
        ask_with(panel.button.click, on_send, panel.script, panel.inputs, [panel.told])

    return wire


def send(bench: Bench, image: Any, infotext: str) -> str:
    """Save a picture into the page's dataset, its prompt as caption; a sentence."""
    name = bench.first_folder()
    if not name:
        raise UserError(texts.NO_DATASET, "", texts.SEND_WHERE)
    folder = folder_of(name)
    folder.mkdir(parents=True, exist_ok=True)
    if not save_generation(image, infotext, folder):
        return texts.SENT_BEFORE.format(folder=short_home(str(folder)))
    bench.forget_look(folder)
    count = sum(is_picture_name(it.name) for it in folder.iterdir())
    pictures = several(count, "picture", "pictures")
    return texts.SENT.format(folder=short_home(str(folder)), pictures=pictures)
