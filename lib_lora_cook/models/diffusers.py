"""Drives a diffusers model: the standalone host loads one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPTokenizer

from ..config import ModelConfig
from ..errors import UserError
from .checkpoints import vae_folder
from .names import text_layers, unet_layers
from .swapping import Swapping, blocks_of, spread
from .text import (
    caption_chunks,
    final_norm,
    glue,
    hidden_states,
    last_states,
    pooled_at_eos,
    weighed,
)
from .trainable import (
    SD1,
    SD2,
    SDXL,
    Conditioning,
    Layer,
    ModelFamily,
    PictureSize,
    size_ids,
)
from .vae import encoder_fingerprint, in_float32
from .waiting import MAIN, at_hand, bring, pin

CHECKPOINTING = (
    "activation_checkpointing_enable", "gradient_checkpointing_enable",
    "enable_gradient_checkpointing",
)  # fmt: skip
"""What switches it on: in transformers from 5.20 on, before that, and in diffusers."""


class DiffusersModel:
    """A TrainableModel over a diffusers pipeline's own modules."""

    def __init__(self, pipeline: Any, config: ModelConfig, checkpoint: str = "") -> None:
        self.pipeline, self.config = pipeline, config
        self.unet: nn.Module = pipeline.unet
        self.vae: nn.Module = pipeline.vae
        self.family = family_of(pipeline)
        self.device, self.dtype = pipeline.unet.device, pipeline.unet.dtype
        self.checkpoint, self.checkpoint_hash = checkpoint, ""
        self.alphas_cumprod: Tensor = pipeline.scheduler.alphas_cumprod.float()
        predicts_v = pipeline.scheduler.config.prediction_type == "v_prediction"
        self.v_prediction = config.v_parameterization or predicts_v
        self.encoders = [pipeline.text_encoder]
        self.tokenizers = [pipeline.tokenizer]
        if self.family is SDXL:
            self.encoders.append(pipeline.text_encoder_2)
            self.tokenizers.append(pipeline.tokenizer_2)

    @property
    def spare(self) -> list[nn.Module]:
        """What waits in main memory while the UNet trains."""
        return self.movable()["medvram"] if self.config.medvram else []

    @property
    def swapped(self) -> list[nn.Module]:
        """The UNet's blocks that wait there, and come one after another."""
        return spread(self.movable()["blocks_to_swap"], self.config.blocks_to_swap)

    def movable(self) -> dict[str, list[nn.Module]]:
        """What can wait in main memory, by the setting that asks for it."""
        return {"medvram": [*self.encoders, self.vae], "blocks_to_swap": blocks_of(self.unet)}

    def layers(self) -> list[Layer]:
        """Every layer that can be adapted, text encoders first."""
        named: list[Layer] = []
        for encoder, prefix in zip(self.encoders, self.family.text_prefixes, strict=True):
            named.extend(text_layers(encoder, prefix))
        depth = self.pipeline.unet.config.layers_per_block
        return named + unet_layers(self.unet, self.family, depth)

    def encode_text(
        self, captions: Sequence[str], sizes: Sequence[PictureSize] | None = None
    ) -> Conditioning:
        """Captions [B] to conditioning; SDXL needs the pictures' sizes too."""
        with at_hand(self.encoders, self.device):
            return self._encoded(captions, sizes)

    def _encoded(
        self, captions: Sequence[str], sizes: Sequence[PictureSize] | None
    ) -> Conditioning:
        if self.family is SDXL:
            return self._encode_sdxl(captions, sizes or ())
        # SD2's encoder is already cut to 23 layers: kohya ignores clip skip there
        skip = (self.config.clip_skip or 1) if self.family is SD1 else 1
        chunks, weights = caption_chunks(self.tokenizers[0], captions, self.config)
        ids = chunks.flatten(0, 1).to(self.device, non_blocking=True)
        states = last_states(self.encoders[0], ids, skip, norm=True)
        return Conditioning(weighed(glue(states.unflatten(0, chunks.shape[:2])), weights))

    def _encode_sdxl(self, captions: Sequence[str], sizes: Sequence[PictureSize]) -> Conditioning:
        """Penultimate states of both encoders side by side; pooled from the second at EOS."""
        glued = []
        for encoder, tokenizer in zip(self.encoders, self.tokenizers, strict=True):
            chunks, weights = caption_chunks(tokenizer, captions, self.config)
            ids = chunks.flatten(0, 1).to(self.device, non_blocking=True)
            if encoder is self.encoders[0]:
                states = last_states(encoder, ids, 2, norm=False)
            else:
                states, output = hidden_states(encoder, ids, 2, norm=False)
            glued.append(weighed(glue(states.unflatten(0, chunks.shape[:2])), weights))
        last = final_norm(self.encoders[1])(output.hidden_states[-1])
        rows = chunks.shape[1]
        eos = self.tokenizers[1].eos_token_id
        pooled = pooled_at_eos(last[::rows], chunks[:, 0], eos)
        return Conditioning(
            torch.cat(glued, dim=-1),
            self.encoders[1].text_projection(pooled),
            size_ids(sizes, self.device),
        )

    @torch.no_grad()
    def encode_images(self, pixels: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Pixels [B, 3, H, W] in -1..1 to latents, sampled from the posterior and scaled."""
        vae: Any = self.vae
        with at_hand([vae], self.device), in_float32(vae, vae.dtype):
            posterior = vae.encode(pixels.to(vae.device)).latent_dist
            sample: Tensor = posterior.sample(generator=list(generators))
        return sample * float(vae.config.scaling_factor)

    @contextmanager
    def encoding(self) -> Iterator[None]:
        """The VAE is at hand for many pictures; with medvram the UNet waits meanwhile."""
        with ExitStack() as stack:
            if self.config.medvram:
                bring(self.unet, MAIN)
                stack.callback(bring, self.unet, self.device, but=self.swapped)
            stack.enter_context(at_hand([self.vae], self.device))
            yield

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The UNet's output for noisy latents at timesteps [B]."""
        added = None
        if conditioning.pooled is not None:
            added = {"text_embeds": conditioning.pooled, "time_ids": conditioning.size_ids}
        output: Tensor = self.unet(
            noisy, timesteps, conditioning.hidden, added_cond_kwargs=added, return_dict=False
        )[0]
        return output

    def vae_fingerprint(self) -> str:
        """A short name of what turns pictures into latents."""
        return encoder_fingerprint(self.vae, float(self.pipeline.vae.config.scaling_factor))

    def train(self, checkpointing: bool) -> None:
        """Freeze every weight; checkpointing recomputes the blocks in the backward pass."""
        for part in (self.unet, self.vae, *self.encoders):
            part.requires_grad_(False)
        if checkpointing:
            for part in (self.unet, *self.encoders):
                part.train()
                enable = next(getattr(part, it) for it in CHECKPOINTING if hasattr(part, it))
                enable()


def place(pipeline: Any, config: ModelConfig, device: torch.device) -> None:
    """Bring a pipeline to a device, less what waits in main memory: that need never fit in."""
    model = DiffusersModel(pipeline, config)
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            bring(part, device, but=[*model.spare, *model.swapped])
    if device.type == "cuda":
        pin(it for block in model.swapped for it in block.parameters())
    Swapping(model.swapped, device).put_on()


def load_vae(path: Path, own: Any) -> Any:
    """A VAE of a folder or a file, in fp32; a file's shape and scale are the checkpoint's own."""
    if path.is_dir():
        return type(own).from_pretrained(str(vae_folder(path)))
    with TemporaryDirectory() as config:
        own.save_config(config)
        return type(own).from_single_file(str(path), config=config)


def family_of(pipeline: Any) -> ModelFamily:
    """Which family a diffusers pipeline is, by its text encoders."""
    if getattr(pipeline, "text_encoder_2", None) is not None:
        return SDXL
    width = pipeline.unet.config.cross_attention_dim
    return SD2 if width == 1024 else SD1


def tokenizer_of(folder: Path) -> Callable[[str], list[str]]:
    """A text -> its pieces, by the tokenizer in a diffusers folder; UserError without one."""
    try:
        tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"))
    except (OSError, ValueError, TypeError) as error:
        to_do = "Give a diffusers folder of SD1 or SDXL."
        raise UserError("There is no CLIP tokenizer in this", folder, to_do) from error
    return lambda text: list(tokenizer.tokenize(text))
