"""The taggers that a WebUI runs itself, as ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from modules import shared

from ..captioning.base import Tagger, Tags
from ..errors import UserError

DEEPBOORU, INTERROGATOR = "DeepBooru", "BLIP (a sentence)"
SIDE = 512
"""Pixels of a picture as DeepBooru sees it."""
Lock = AbstractContextManager[Any]


def webui_taggers(lock: Lock) -> dict[str, Tagger]:
    """The host's own by name, and those of the wd14-tagger extension where it is installed.

    Forge Classic and Forge Neo have neither DeepBooru nor an interrogator.
    """
    found: dict[str, Tagger] = {}
    deepbooru = sys.modules.get("modules.deepbooru")  # imported by the host's own page
    if deepbooru is not None:
        found[DEEPBOORU] = Deepbooru(lock, deepbooru.model)
    if getattr(shared, "interrogator", None) is not None:
        found[INTERROGATOR] = Interrogator(lock)
    extension = sys.modules.get("tagger.utils")
    if extension is not None:
        extension.refresh_interrogators()
        for name, interrogator in extension.interrogators.items():
            found[name] = Wd14(lock, interrogator)
    return found


@dataclass(frozen=True)
class Deepbooru:
    """TorchDeepDanbooru; the host fetches its weights at the first use."""

    lock: Lock
    booru: Any

    def predict(self, images: Sequence[Any]) -> list[Tags]:
        """The tags of each picture."""
        with self.lock:
            try:
                self.booru.start()
            except Exception as error:  # no weights, and no network to fetch them
                raise UserError(
                    f"DeepBooru could not be loaded ({type(error).__name__}: {error})", "",
                    "See the WebUI's console, or choose another tagger.",
                ) from error  # fmt: skip
            try:
                return [seen_by_deepbooru(self.booru.model, image) for image in images]
            finally:
                self.booru.stop()


@torch.no_grad()
def seen_by_deepbooru(model: Any, image: Any) -> Tags:
    """Every tag's probability in one picture, which is fitted into a square of 512 pixels."""
    from modules import images as host_images

    picture = host_images.resize_image(2, image.convert("RGB"), SIDE, SIDE)
    weight = next(model.parameters())
    pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    pixels = pixels.view(1, SIDE, SIDE, 3).to(weight.device, weight.dtype) / 255
    tags = Tags()
    for name, probability in zip(model.tags, model(pixels)[0].tolist(), strict=True):
        group = tags.rating if name.startswith("rating:") else tags.general
        group[name.removeprefix("rating:")] = probability
    return tags


@dataclass(frozen=True)
class Interrogator:
    """BLIP's sentence, as one sure tag; the host adds artists and media where it is set to."""

    lock: Lock

    def predict(self, images: Sequence[Any]) -> list[Tags]:
        """One sentence a picture."""
        with self.lock:
            said = [shared.interrogator.interrogate(image.convert("RGB")) for image in images]
        if any(it.endswith("<error>") for it in said):
            raise UserError(
                "The WebUI's interrogator failed", "", "See its console, or choose another tagger."
            )
        return [Tags(general={it.strip(): 1.0}) for it in said]


@dataclass(frozen=True)
class Wd14:
    """One model of the wd14-tagger extension."""

    lock: Lock
    interrogator: Any

    def predict(self, images: Sequence[Any]) -> list[Tags]:
        """The tags of each picture; the extension does not tell characters from the rest."""
        with self.lock:
            seen = [self.interrogator.interrogate(image.convert("RGB")) for image in images]
        return [Tags(general=dict(general), rating=dict(rating)) for rating, general, *_ in seen]
