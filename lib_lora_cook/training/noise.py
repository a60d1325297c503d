"""The forward process: how noise is drawn and mixed into latents. Latents are [B, C, h, w].

Nothing here waits for the GPU: no value is read back from it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import LossConfig

TIMESTEPS = 1000


@dataclass(frozen=True, eq=False)
class NoiseSchedule:
    """How much of the picture is left at each of 1000 timesteps.

    `snr` is that of the schedule before any zero-terminal rescale: sd-scripts stores it first and
    rescales then, so its loss weights never see an SNR of 0. We keep that order.
    """

    alphas_cumprod: Tensor
    snr: Tensor
    v_prediction: bool = False

    @classmethod
    def scaled_linear(
        cls, v_prediction: bool = False, zero_terminal_snr: bool = False
    ) -> NoiseSchedule:
        """Stable Diffusion's own: sqrt(beta) runs from sqrt(0.00085) to sqrt(0.012)."""
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, TIMESTEPS, dtype=torch.float32) ** 2
        return cls.of((1 - betas).cumprod(0), v_prediction, zero_terminal_snr)

    @classmethod
    def of(
        cls, alphas_cumprod: Tensor, v_prediction: bool, zero_terminal_snr: bool = False
    ) -> NoiseSchedule:
        """From a model's alphas_cumprod [1000], not rescaled."""
        kept = alphas_cumprod.detach().float()
        # A model's schedule may end in pure noise already; weights divide by its SNR.
        snr = ((kept.sqrt() / (1 - kept).sqrt()) ** 2).clamp(min=1e-8)
        return cls(_zero_terminal(kept) if zero_terminal_snr else kept, snr, v_prediction)

    def to(self, device: torch.device | str) -> NoiseSchedule:
        """The same schedule on another device."""
        return replace(self, alphas_cumprod=self.alphas_cumprod.to(device), snr=self.snr.to(device))

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise (DDPM, arXiv 2006.11239, eq. 4)."""
        signal, sigma = self._mix(latents, timesteps)
        return signal * latents + sigma * noise

    def velocity(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """v = sqrt(a_t) noise - sqrt(1 - a_t) x_0 (progressive distillation, arXiv 2202.00512)."""
        signal, sigma = self._mix(latents, timesteps)
        return signal * noise - sigma * latents

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the model should predict: the noise, or the velocity."""
        return self.velocity(latents, noise, timesteps) if self.v_prediction else noise

    def alphas_at(self, timesteps: Tensor) -> Tensor:
        """alphas_cumprod [B] at these timesteps [B]."""
        return _at(self.alphas_cumprod, timesteps)

    def snr_at(self, timesteps: Tensor) -> Tensor:
        """SNR [B] at these timesteps [B], for loss weights."""
        return _at(self.snr, timesteps)

    def _mix(self, latents: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(a_t) and sqrt(1 - a_t), each [B, 1, 1, 1] in the latents' dtype."""
        kept = self.alphas_at(timesteps).to(latents.device).view(-1, *[1] * (latents.ndim - 1))
        return kept.sqrt().to(latents.dtype), (1 - kept).sqrt().to(latents.dtype)


def draw_noise(
    latents: Tensor, config: LossConfig, generator: torch.Generator | None, rng: random.Random
) -> Tensor:
    """Noise like the latents, in sd-scripts' order of draws: normal, offset, multi-resolution."""
    noise = _randn(latents.shape, latents, generator)
    if config.noise_offset:
        noise = noise + _offset(latents, config, generator)
    if config.multires_noise_iterations:
        noise = _multires(noise, config, generator, rng)
    return noise


def draw_timesteps(batch: int, config: LossConfig, generator: torch.Generator | None) -> Tensor:
    """[B] int64 in [min_timestep, max_timestep), where the generator lives, or on the CPU."""
    low, high = config.min_timestep, config.max_timestep
    device = generator.device if generator else None
    if low >= high:  # As in sd-scripts, where 1000 would be past the end.
        return torch.full((batch,), min(high, TIMESTEPS - 1), device=device)
    return torch.randint(low, high, (batch,), generator=generator, device=device)


def perturbed(noise: Tensor, config: LossConfig, generator: torch.Generator | None) -> Tensor:
    """The noise to mix in under input perturbation (arXiv 2301.11706); the target is clean."""
    if not config.ip_noise_gamma:
        return noise
    gamma: float | Tensor = config.ip_noise_gamma
    if config.ip_noise_gamma_random_strength:
        gamma = gamma * _rand(noise, generator)
    return noise + gamma * _randn(noise.shape, noise, generator)


def _offset(latents: Tensor, config: LossConfig, generator: torch.Generator | None) -> Tensor:
    """[B, C, 1, 1] a constant by channel, so that pictures can be dark (N. Guttenberg, 2023)."""
    strength: float | Tensor = config.noise_offset or 0.0
    if config.noise_offset_random_strength:  # One for the whole batch.
        strength = strength * _rand(latents, generator)
    if config.adaptive_noise_scale is not None:
        mean = latents.mean(dim=(2, 3), keepdim=True).abs()
        strength = (strength + config.adaptive_noise_scale * mean).clamp(min=0)
    return strength * _randn((*latents.shape[:2], 1, 1), latents, generator)


def _multires(
    noise: Tensor, config: LossConfig, generator: torch.Generator | None, rng: random.Random
) -> Tensor:
    """Adds ever coarser noise, then scales to a deviation of 1 (J. Whitaker, pyramid noise)."""
    height, width = noise.shape[-2:]
    for level in range(config.multires_noise_iterations):
        shrink = (rng.random() * 2 + 2) ** level
        size = max(1, int(height / shrink)), max(1, int(width / shrink))
        coarse = _randn((*noise.shape[:2], *size), noise, generator)
        fine = F.interpolate(coarse, size=(height, width), mode="bilinear")
        noise = noise + fine * config.multires_noise_discount**level
        if 1 in size:
            break
    return noise / noise.std()


def _zero_terminal(alphas_cumprod: Tensor) -> Tensor:
    """The schedule shifted and scaled to end in pure noise (arXiv 2305.08891, algorithm 1)."""
    root = alphas_cumprod.sqrt()
    first, last = root[0].clone(), root[-1].clone()
    kept = ((root - last) * (first / (first - last))) ** 2
    # By way of the betas, as sd-scripts goes: the rounding is then the same.
    betas = 1 - torch.cat([kept[:1], kept[1:] / kept[:-1]])
    return (1 - betas).cumprod(0)


def _at(values: Tensor, timesteps: Tensor) -> Tensor:
    """values[timesteps] on the values' device; a small copy to the GPU does not wait for it."""
    return values.index_select(0, timesteps.to(values.device, non_blocking=True))


def _randn(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Normal noise in `like`'s dtype, drawn where the generator lives, moved to `like`'s device."""
    device = like.device if generator is None else generator.device
    drawn = torch.randn(shape, generator=generator, device=device, dtype=like.dtype)
    return drawn.to(like.device, non_blocking=True)


def _rand(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """One number in [0, 1), [1], on `like`'s device."""
    device = like.device if generator is None else generator.device
    return torch.rand(1, generator=generator, device=device).to(like.device, non_blocking=True)
