"""The UNet with its text encoder: epsilon prediction on cached latents, min-SNR 5, EMA."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel

from .text import CaptionTokens
from .vae import one_cycle


@dataclass(frozen=True)
class UnetRun:
    """How long and how hard the UNet is trained."""

    steps: int = 3800
    batch: int = 32
    learning_rate: float = 1e-3
    seed: int = 55
    device: str = "cpu"
    min_snr_gamma: float = 5.0
    ema_decay: float = 0.998
    face_weight: float = 2.5
    """Weight of the latent cells where eyes and mouth lie: these small parts are learnt last."""


def build_scheduler() -> DDIMScheduler:
    """SD1's noise schedule."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="epsilon",
    )


def build_unet(text_width: int = 128) -> UNet2DConditionModel:
    """SD1's UNet with three levels of one layer a block; latents of 8 x 8."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        cross_attention_dim=text_width,
        attention_head_dim=4,
        norm_num_groups=16,
    )


def training_tags(tags: list[str], rng: random.Random) -> list[str]:
    """What a caption names of the true tags: shuffled; a tenth empty, a quarter with gaps."""
    chance = rng.random()
    if chance < 0.1:
        return []
    if chance < 0.35:
        kept = rng.uniform(0.3, 1)
        tags = [tag for tag in tags if rng.random() < kept]
    else:
        tags = list(tags)
    if chance < 0.85:
        rng.shuffle(tags)
    return tags


def cell_weights(face_weight: float) -> Tensor:
    """Weight of each latent cell, (1, 1, 8, 8), of mean 1: more where a face lies."""
    weights = torch.ones(1, 1, 8, 8)
    weights[..., 2:6, 2:6] = face_weight
    return weights / weights.mean()


class Ema:
    """An exponential moving average of a module's parameters, slower as training goes on."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = deepcopy(module).eval().requires_grad_(False)
        self.decay = decay
        self.mine: list[Tensor] = list(self.module.parameters())

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards the module's present parameters."""
        decay = min(self.decay, (1 + step) / (10 + step))
        theirs: list[Tensor] = list(module.parameters())
        torch._foreach_lerp_(self.mine, theirs, 1 - decay)


def denoising_loss(
    unet: UNet2DConditionModel, latents: Tensor, hidden: Tensor, alphas: Tensor, run: UnetRun
) -> Tensor:
    """Weighted squared error of the predicted noise; weight min(SNR, gamma) / SNR."""
    timesteps = torch.randint(0, len(alphas), (len(latents),), device=latents.device)
    alpha = alphas[timesteps].view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    predicted = unet(noisy, timesteps, hidden).sample
    snr = (alpha / (1 - alpha)).view(-1)
    cells = cell_weights(run.face_weight).to(latents.device)
    error = ((predicted - noise).square() * cells).mean((1, 2, 3))
    return (error * snr.clamp(max=run.min_snr_gamma) / snr).mean()


OnStep = Callable[[int, float, UNet2DConditionModel], None]


def train_unet(
    models: tuple[UNet2DConditionModel, CLIPTextModel, CaptionTokens],
    latents: Tensor,
    tags: list[list[str]],
    run: UnetRun,
    on_step: OnStep,
) -> UNet2DConditionModel:
    """The moving average of the UNet; the text encoder stays as its lesson left it (its backward
    pass would cost a fifth of the time). on_step(step, loss, averaged UNet)."""
    unet, encoder, tokens = models
    torch.manual_seed(run.seed)
    rng, picks = random.Random(run.seed), np.random.default_rng(run.seed)
    unet.to(run.device, memory_format=torch.channels_last).train()
    encoder.to(run.device).eval()
    average = Ema(unet, run.ema_decay)
    alphas = build_scheduler().alphas_cumprod.to(run.device)
    optimizer = torch.optim.AdamW(
        unet.parameters(), betas=(0.9, 0.99), weight_decay=1e-3, fused=True
    )
    for step in range(run.steps):
        for group in optimizer.param_groups:
            group["lr"] = run.learning_rate * one_cycle(step, run.steps, 100)
        chosen = picks.integers(len(latents), size=run.batch)
        rows = [tokens.row(training_tags(tags[index], rng))[0] for index in chosen]
        with torch.no_grad():
            hidden = encoder(torch.tensor(rows, device=run.device)).last_hidden_state
        batch = latents[chosen].to(run.device, memory_format=torch.channels_last)
        loss = denoising_loss(unet, batch, hidden, alphas, run)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        average.update(unet, step)
        on_step(step + 1, float(loss.detach()), average.module)
    return average.module


def timed_log(every: int) -> OnStep:
    """An on_step that prints the mean loss now and then."""
    start, losses = time.time(), []

    def on_step(step: int, loss: float, unet: nn.Module) -> None:
        losses.append(loss)
        if step % every == 0:
            recent = sum(losses[-every:]) / every
            print(f"unet step {step} loss {recent:.5f} {time.time() - start:.0f} s", flush=True)

    return on_step
