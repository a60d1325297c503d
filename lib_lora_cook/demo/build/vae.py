"""The 4-channel VAE with 8x downsampling: training, and folding its scale to SD1's 0.18215."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from .pictures import Drawings, to_pixels, to_unit

SCALING_FACTOR = 0.18215


@dataclass(frozen=True)
class VaeRun:
    """How long and how hard the VAE is trained."""

    steps: int = 5000
    batch: int = 16
    learning_rate: float = 1.5e-3
    seed: int = 11
    device: str = "cpu"
    kl_weight: float = 2e-6
    edge_weight: float = 0.5


def build_vae() -> AutoencoderKL:
    """2.8 M parameters; 8 norm groups, for 32 of them in 32 channels act as instance norm."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 32, 64, 128),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=SCALING_FACTOR,
    )


def edges(batch: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbouring pixels, across and down."""
    return batch[..., :, 1:] - batch[..., :, :-1], batch[..., 1:, :] - batch[..., :-1, :]


def drawing_loss(drawn: Tensor, batch: Tensor, edge_weight: float) -> Tensor:
    """Squared error + squared error of the edges, per value."""
    error = (drawn - batch).square().mean()
    for mine, true in zip(edges(drawn), edges(batch), strict=True):
        error = error + edge_weight * (mine - true).square().mean()
    return error


def vae_loss(vae: AutoencoderKL, batch: Tensor, run: VaeRun) -> Tensor:
    """The drawing's loss + KL of the latents to the unit normal."""
    with torch.autocast(batch.device.type, torch.bfloat16):
        posterior = vae.encode(batch).latent_dist
        drawn = vae.decode(posterior.sample()).sample.float()
    error = drawing_loss(drawn, batch, run.edge_weight)
    mean, variance = posterior.mean.float(), posterior.var.float()
    kl = 0.5 * (mean.square() + variance - 1 - variance.log()).sum((1, 2, 3)).mean()
    return error + run.kl_weight * kl


def one_cycle(step: int, steps: int, warmup: int = 100, floor: float = 0.02) -> float:
    """Factor of the learning rate: a short linear rise, then half a cosine down to the floor."""
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


OnStep = Callable[[int, AutoencoderKL, float], None]


def train_vae(drawings: Drawings, run: VaeRun, on_step: OnStep) -> AutoencoderKL:
    """A VAE trained on the drawings, half of them mirrored; on_step(step, vae, loss)."""
    torch.manual_seed(run.seed)
    rng = np.random.default_rng(run.seed)
    vae = build_vae().to(run.device)
    optimizer = torch.optim.AdamW(
        vae.parameters(), run.learning_rate, (0.9, 0.99), weight_decay=1e-4
    )
    for step in range(run.steps):
        for group in optimizer.param_groups:
            group["lr"] = run.learning_rate * one_cycle(step, run.steps)
        batch = to_unit(drawings.pixels[rng.integers(len(drawings.pixels), size=run.batch)])
        if rng.random() < 0.25:
            batch = batch.flip(3)
        loss = vae_loss(vae, batch.to(run.device), run)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        on_step(step + 1, vae, float(loss.detach()))
    return vae.eval()


@dataclass(frozen=True)
class DecoderRun:
    """The decoder's second helping, with the encoder and so the latents as they are."""

    steps: int = 1200
    batch: int = 16
    learning_rate: float = 1e-3
    seed: int = 12
    device: str = "cpu"
    edge_weight: float = 0.5
    latent_noise: float = 0.03
    """Deviation of the noise on scaled latents, for what the UNet makes is not exact."""


def tune_decoder(
    vae: AutoencoderKL, drawings: Drawings, run: DecoderRun, on_step: OnStep
) -> AutoencoderKL:
    """The VAE with its decoder trained further on cached latents of the drawings."""
    torch.manual_seed(run.seed)
    rng = np.random.default_rng(run.seed)
    latents = encode(vae.eval(), drawings.pixels)
    decoder = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
    optimizer = torch.optim.AdamW(decoder, run.learning_rate, (0.9, 0.99), weight_decay=1e-4)
    for step in range(run.steps):
        for group in optimizer.param_groups:
            group["lr"] = run.learning_rate * one_cycle(step, run.steps)
        chosen = rng.integers(len(latents), size=run.batch)
        kept = latents[chosen].to(run.device)
        kept = (kept + run.latent_noise * torch.randn_like(kept)) / SCALING_FACTOR
        with torch.autocast(kept.device.type, torch.bfloat16):
            drawn = vae.decode(kept).sample.float()
        batch = to_unit(drawings.pixels[chosen]).to(run.device)
        loss = drawing_loss(drawn, batch, run.edge_weight)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder, 1.0)
        optimizer.step()
        on_step(step + 1, vae, float(loss.detach()))
    return vae.eval()


@torch.no_grad()
def fold_scale(vae: AutoencoderKL, pixels: NDArray[np.uint8]) -> float:
    """Make 0.18215 * latents of unit deviation by scaling the two 1x1 convolutions; the factor."""
    mean = encode(vae, pixels) / SCALING_FACTOR
    factor = float(1 / (mean.std() * SCALING_FACTOR))
    conv, back = vae.quant_conv, vae.post_quant_conv
    channels = conv.out_channels // 2
    conv.weight[:channels] *= factor
    conv.bias[:channels] *= factor
    conv.bias[channels:] += 2 * math.log(factor)
    back.weight /= factor
    return factor


def _chunks(pixels: NDArray[np.uint8], size: int) -> list[NDArray[np.uint8]]:
    return [pixels[start : start + size] for start in range(0, len(pixels), size)]


@torch.no_grad()
def encode(vae: AutoencoderKL, pixels: NDArray[np.uint8]) -> Tensor:
    """Scaled latents (mean of the posterior), float32 (n, 4, h/8, w/8)."""
    parts = [
        vae.encode(to_unit(part).to(vae.device)).latent_dist.mean.float().cpu()
        for part in _chunks(pixels, 64)
    ]
    return torch.cat(parts) * SCALING_FACTOR


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor) -> NDArray[np.uint8]:
    """Scaled latents -> uint8 NHWC."""
    parts = [
        to_pixels(vae.decode(part.to(vae.device) / SCALING_FACTOR).sample)
        for part in latents.split(64)
    ]
    return np.concatenate(parts)


def round_trip(vae: AutoencoderKL, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pictures after the VAE."""
    return decode(vae, encode(vae, pixels))


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Mean over pictures of the peak signal-to-noise ratio, dB."""
    error = (one.astype(np.float64) - other.astype(np.float64)) ** 2
    per_picture = error.reshape(len(error), -1).mean(1)
    return float(np.mean(10 * np.log10(255**2 / np.maximum(per_picture, 1e-9))))


def timed_log(every: int) -> OnStep:
    """An on_step that prints the mean loss now and then."""
    start, losses = time.time(), []

    def on_step(step: int, vae: AutoencoderKL, loss: float) -> None:
        losses.append(loss)
        if step % every == 0:
            recent = sum(losses[-every:]) / every
            print(f"vae step {step} loss {recent:.5f} {time.time() - start:.0f} s", flush=True)

    return on_step
