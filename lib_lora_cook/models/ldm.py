"""Drives a live LDM-named model: AUTOMATIC1111 and Forge lend one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..config import ModelConfig
from ..errors import UserError
from .ldm_layers import unet_layers
from .ldm_text import TextEncoder
from .swapping import Swapping, blocks_of, spread
from .text import caption_chunks, glue, weighed
from .trainable import SD1, SDXL, Conditioning, Layer, ModelFamily, PictureSize, size_ids
from .vae import encoder_fingerprint, in_float32
from .waiting import at_hand

HALF = (torch.float16, torch.bfloat16)
RECOMPUTED = {"BasicTransformerBlock", "ResBlock", "CLIPEncoderLayer", "ResidualAttentionBlock"}
"""Classes whose forward is run again in the backward pass when checkpointing is on."""
ATTENTION = ("CrossAttention", "MemoryEfficientCrossAttention")


@dataclass(frozen=True)
class LdmParts:
    """All that a host lends of its live model."""

    family: ModelFamily
    unet: nn.Module
    call_unet: Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
    """(noisy [B, 4, h, w], timesteps [B], states [B, T, C], vector [B, V] or None) -> output."""
    encoders: tuple[TextEncoder, ...]
    vae: nn.Module
    moments: Callable[[Tensor], Tensor]
    """Pixels [B, 3, H, W] in -1..1 -> mean and log variance [B, 8, h, w]."""
    latent_scale: float
    alphas_cumprod: Tensor
    v_prediction: bool
    device: torch.device
    dtype: torch.dtype
    """What the UNet computes in."""
    vae_dtype: torch.dtype
    checkpoint: str
    checkpoint_hash: str
    still_there: Callable[[], None]
    """Raises UserError once the host has changed or moved the model."""
    rest: Callable[[], None] = lambda: None
    """Called where no gradient is on its way: the host may use its model in between."""
    must_recompute: bool = False
    """Whether the host casts weights at each call, so that a step would keep a copy of each."""
    medvram: bool = False
    """Whether what the UNet does without waits in main memory."""
    blocks_to_swap: int = 0
    """How many of the UNet's transformer blocks wait there."""

    def lent(self, config: ModelConfig, rest: Callable[[], None]) -> LdmParts:
        """As a run wants them: what waits in main memory, and what is called in between."""
        return replace(
            self, rest=rest, medvram=config.medvram, blocks_to_swap=config.blocks_to_swap
        )

    @property
    def spare(self) -> list[nn.Module]:
        """What waits in main memory while the UNet trains."""
        return self.movable()["medvram"] if self.medvram else []

    @property
    def swapped(self) -> list[nn.Module]:
        """The UNet's blocks that wait there, and come one after another."""
        return spread(self.movable()["blocks_to_swap"], self.blocks_to_swap)

    def movable(self) -> dict[str, list[nn.Module]]:
        """What can wait there, by the setting that asks for it."""
        encoders = [it.module for it in self.encoders]
        return {"medvram": [*encoders, self.vae], "blocks_to_swap": blocks_of(self.unet)}


class LdmModel:
    """A TrainableModel over a host's own modules; `with` takes off what it put on them."""

    def __init__(self, parts: LdmParts, config: ModelConfig) -> None:
        if config.vae:
            raise UserError(
                "Inside a WebUI a run cannot bring a VAE of its own", config.vae,
                "Choose it in the WebUI's settings (SD VAE), and leave vae empty.",
            )  # fmt: skip
        self.parts, self.config = parts, config
        self.family, self.device, self.dtype = parts.family, parts.device, parts.dtype
        self.checkpoint, self.checkpoint_hash = parts.checkpoint, parts.checkpoint_hash
        self.alphas_cumprod = parts.alphas_cumprod.detach().float().clone()
        self.v_prediction = config.v_parameterization or parts.v_prediction
        self._swapping = Swapping(parts.swapped, parts.device)
        self._shadowed: list[tuple[nn.Module, Any]] = []

    def __enter__(self) -> LdmModel:
        self._swapping.put_on()
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    def layers(self) -> list[Layer]:
        """Every layer that can be adapted, text encoders first."""
        named = [layer for encoder in self.parts.encoders for layer in encoder.layers()]
        return named + unet_layers(self.parts.unet, self.family)

    def encode_text(
        self, captions: Sequence[str], sizes: Sequence[PictureSize] | None = None
    ) -> Conditioning:
        """Captions [B] to conditioning; SDXL needs the pictures' sizes too."""
        self.parts.rest()
        sdxl, glued, pooled = self.family is SDXL, [], None
        skip = (self.config.clip_skip or 1) if self.family is SD1 else 1
        for encoder in self.parts.encoders:
            chunks, weights = caption_chunks(encoder.tokenizer, captions, self.config)
            flat = chunks.flatten(0, 1).to(self.device, non_blocking=True)
            with at_hand([encoder.module], self.device), self._computing():
                states, pooled = encoder.encode(flat, 2 if sdxl else skip, not sdxl)
            glued.append(weighed(glue(states.unflatten(0, chunks.shape[:2])), weights))
        if not sdxl or pooled is None:
            return Conditioning(glued[0])
        told = size_ids(sizes or (), self.device)
        return Conditioning(torch.cat(glued, -1), pooled[:: chunks.shape[1]], told)

    @torch.no_grad()
    def encode_images(self, pixels: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Pixels [B, 3, H, W] in -1..1 to latents, sampled from the posterior and scaled."""
        self.parts.still_there()
        with at_hand([self.parts.vae], self.device):
            moments = self._moments(pixels.to(self.device, self.parts.vae_dtype))
        mean, log_variance = moments.chunk(2, dim=1)
        shape = (1, *mean.shape[1:])
        noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
        deviation = torch.exp(0.5 * log_variance.clamp(-30.0, 20.0))
        return (mean + deviation * noise.to(mean.device)) * self.parts.latent_scale

    def _moments(self, pixels: Tensor) -> Tensor:
        """[B, 8, h, w] in fp32; a VAE that overflows in half precision is asked again in fp32.

        kohya's people set `no_half_vae` for this. A host keeps its VAE in halves as it likes.
        """
        moments = self.parts.moments(pixels).float()
        if pixels.dtype not in HALF or moments.isfinite().all():
            return moments
        with in_float32(self.parts.vae, pixels.dtype):
            return self.parts.moments(pixels.float())

    def encoding(self) -> AbstractContextManager[None]:
        """The VAE is at hand for many pictures."""
        return at_hand([self.parts.vae], self.device)

    def predict(self, noisy: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The UNet's output for noisy latents at timesteps [B]."""
        if not conditioning.hidden.requires_grad:
            self.parts.rest()
        self.parts.still_there()
        vector = None
        if conditioning.pooled is not None and conditioning.size_ids is not None:
            sizes = size_embedding(conditioning.size_ids)
            vector = torch.cat([conditioning.pooled, sizes.to(conditioning.pooled)], -1)
            vector = vector.to(self.dtype)
        states = conditioning.hidden.to(self.dtype)
        with self._computing():
            return self.parts.call_unet(noisy.to(self.dtype), timesteps, states, vector)

    def _computing(self) -> AbstractContextManager[object]:
        """Autocast where the host's weights are halves and the run asks for none: ours are fp32."""
        if self.dtype not in HALF or torch.is_autocast_enabled():
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def vae_fingerprint(self) -> str:
        """A short name of what turns pictures into latents."""
        return encoder_fingerprint(self.parts.vae, self.parts.latent_scale)

    def movable(self) -> dict[str, list[nn.Module]]:
        """What can wait in main memory, by the setting that asks for it."""
        return self.parts.movable()

    def train(self, checkpointing: bool) -> None:
        """Freeze every weight; checkpointing recomputes the blocks in the backward pass."""
        trained = [self.parts.unet, *(encoder.module for encoder in self.parts.encoders)]
        for part in (*trained, self.parts.vae):
            part.requires_grad_(False)
        self._take_off_checkpoints()
        with self._swapping.first_at_hand():
            check_attention(self.parts.unet, self.device, self.dtype)
        if checkpointing or self.parts.must_recompute:
            for part in trained:
                self._recompute(part)

    def _recompute(self, part: nn.Module) -> None:
        for module in part.modules():
            if type(module).__name__ in RECOMPUTED:
                self._shadowed.append((module, module.__dict__.get("forward")))
                module.forward = partial(checkpoint, module.forward, use_reentrant=False)

    def release(self) -> None:
        """Take off all that was put on the host's modules; a network has to be off already."""
        self._take_off_checkpoints()
        self._swapping.take_off()
        for encoder in self.parts.encoders:
            while encoder.splits:
                encoder.splits.pop().release()

    def _take_off_checkpoints(self) -> None:
        for module, before in reversed(self._shadowed):
            del module.forward
            if before is not None:
                module.forward = before
        self._shadowed.clear()


def size_embedding(ids: Tensor, width: int = 256, longest: float = 10000.0) -> Tensor:
    """Numbers [B, 6] to [B, 6 * width]: of each the cosines, then the sines (sgm's Timestep)."""
    steps = torch.arange(width // 2, dtype=torch.float32, device=ids.device)
    frequencies = torch.exp(-math.log(longest) * steps / (width // 2))
    angles = ids.float()[..., None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], -1).flatten(-2)


@torch.enable_grad()
def check_attention(unet: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """UserError where the attention kernel in use gives no gradient."""
    attentions: list[Any] = [it for it in unet.modules() if type(it).__name__ in ATTENTION]
    own = [it for it in attentions if it.to_k.in_features == it.to_q.in_features]
    for attention in own[:1]:
        width = attention.to_q.in_features
        states = torch.linspace(-1, 1, 4 * width, device=device).view(1, 4, width).to(dtype)
        why = _gradient_problem(attention, states.requires_grad_())
        if why:
            raise UserError(
                f"The attention kernel in use gives no gradient ({why})", type(attention).__name__,
                "Choose another cross attention optimization in the WebUI's settings.",
            )  # fmt: skip


def _gradient_problem(attention: nn.Module, states: Tensor) -> str:
    """Why no gradient comes back from an attention layer, or nothing."""
    seen: dict[str, Tensor] = {}

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        seen["queries"] = output = output.detach().requires_grad_()
        return output

    query: Any = attention.to_q
    hook = query.register_forward_hook(keep)
    try:
        attention(states).float().square().sum().backward()
    except (RuntimeError, AssertionError) as error:
        return str(error).strip().splitlines()[0] if str(error).strip() else "it fails"
    finally:
        hook.remove()
    gradient = seen["queries"].grad if "queries" in seen else None
    return "" if gradient is not None and gradient.abs().sum() > 0 else "its queries get none"
