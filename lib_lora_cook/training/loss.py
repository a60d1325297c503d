"""The training loss, one number a sample, and what weighs it by timestep."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import LossConfig, out_of_bounds
from .noise import TIMESTEPS, NoiseSchedule

MOST_SNR = 1000.0
"""Where sd-scripts caps the SNR for the weights that would vanish or blow up at timestep 0."""


def diffusion_loss(
    prediction: Tensor,
    target: Tensor,
    timesteps: Tensor,
    schedule: NoiseSchedule,
    config: LossConfig,
    weights: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """w(SNR_t) * mean |prediction - target|^2: [B] in fp32; the caller takes the plain mean over B.

    prediction, target: [B, C, h, w]. weights: [B], prior_loss_weight for regularisation pictures.
    mask: [B, H, W] or [B, 1, H, W] in 0..1, of any size.
    """
    error = prediction.float() - target.float()
    distance = _distance(error, timesteps, schedule, config)
    if mask is not None:
        distance = distance * _fitted(mask, distance)
    loss = distance.mean(dim=tuple(range(1, distance.ndim)))
    if weights is not None:
        loss = loss * weights.to(loss, non_blocking=True)
    return loss * timestep_weight(timesteps, schedule, config).to(loss.device)


def timestep_weight(timesteps: Tensor, schedule: NoiseSchedule, config: LossConfig) -> Tensor:
    """w(SNR_t) [B]: the product of what is switched on, in sd-scripts' order."""
    snr = schedule.snr_at(timesteps)
    weight = torch.ones_like(snr)
    if config.min_snr_gamma:
        weight = weight * min_snr(snr, config.min_snr_gamma, schedule.v_prediction)
    if config.scale_v_pred_loss_like_noise_pred:
        weight = weight * like_noise(snr)
    if config.v_pred_like_loss:
        weight = weight * (1 + config.v_pred_like_loss / like_noise(snr))
    if config.debiased_estimation_loss:
        weight = weight * debiased(snr, schedule.v_prediction)
    return weight


def min_snr(snr: Tensor, gamma: float, v_prediction: bool) -> Tensor:
    """min(SNR, gamma) / SNR for noise, / (SNR + 1) for velocity (Min-SNR, arXiv 2303.09556)."""
    return snr.clamp(max=gamma) / (snr + 1 if v_prediction else snr)


def like_noise(snr: Tensor) -> Tensor:
    """SNR / (SNR + 1): turns a loss of velocity into one of noise."""
    snr = snr.clamp(max=MOST_SNR)
    return snr / (snr + 1)


def debiased(snr: Tensor, v_prediction: bool) -> Tensor:
    """1 / sqrt(SNR) for noise (arXiv 2310.08442), 1 / (SNR + 1) for velocity."""
    snr = snr.clamp(max=MOST_SNR)
    return 1 / (snr + 1) if v_prediction else 1 / snr.sqrt()


def huber_threshold(timesteps: Tensor, schedule: NoiseSchedule, config: LossConfig) -> Tensor:
    """c [B], where huber turns from square to straight at each timestep (arXiv 2403.16728)."""
    c, kept = config.huber_c, schedule.alphas_at(timesteps)
    if config.huber_schedule == "exponential":
        time = timesteps.to(kept.device, non_blocking=True)
        return c ** (time.float() / TIMESTEPS) * config.huber_scale
    if config.huber_schedule == "snr":  # sd-scripts leaves huber_scale out of this one.
        sigma = ((1 - kept) / kept).sqrt()
        return (1 - c) / (1 + sigma) ** 2 + c
    return torch.full_like(kept, c * config.huber_scale)


def problems(config: LossConfig, v_prediction: bool | None = None) -> list[str]:
    """What is wrong, in words that say what to do; v_prediction None: the model is not known."""
    wrong = out_of_bounds(config)
    if config.min_timestep > config.max_timestep:
        wrong.append(
            f"min_timestep {config.min_timestep} is above max_timestep {config.max_timestep}: "
            "swap them"
        )
    if not config.noise_offset:
        for name in ("adaptive_noise_scale", "noise_offset_random_strength"):
            if getattr(config, name):
                wrong.append(f"{name} does nothing without noise_offset: set it (0.1 is usual)")
    if config.ip_noise_gamma_random_strength and not config.ip_noise_gamma:
        wrong.append(
            "ip_noise_gamma_random_strength does nothing without ip_noise_gamma: set it "
            "(0.1 is usual)"
        )
    if config.multires_noise_iterations and not 0 < config.multires_noise_discount <= 1:
        wrong.append(
            f"multires_noise_discount is {config.multires_noise_discount}: with "
            "multires_noise_iterations give more than 0 and at most 1 (0.3 is usual)"
        )
    curved = config.loss_type in ("huber", "smooth_l1")
    if curved and min(config.huber_c, config.huber_scale) <= 0:
        wrong.append(f"loss_type {config.loss_type} needs huber_c and huber_scale above 0")
    return wrong + _of_the_target(config, v_prediction)


def _of_the_target(config: LossConfig, v_prediction: bool | None) -> list[str]:
    """What does not go with the model's kind of prediction; sd-scripts refuses the same."""
    if v_prediction is False and config.scale_v_pred_loss_like_noise_pred:
        return [
            "scale_v_pred_loss_like_noise_pred is for v-prediction models: turn it off, or set "
            "v_parameterization if this model is one"
        ]
    if v_prediction and config.v_pred_like_loss:
        return ["v_pred_like_loss is for models that predict noise: leave it out for this one"]
    return []


def _distance(
    error: Tensor, timesteps: Tensor, schedule: NoiseSchedule, config: LossConfig
) -> Tensor:
    """The error of every latent pixel, [B, C, h, w]."""
    if config.loss_type == "l2":
        return error**2
    if config.loss_type == "l1":
        return error.abs()
    c = huber_threshold(timesteps, schedule, config).to(error.device)
    c = c.view(-1, *[1] * (error.ndim - 1))
    pseudo_huber = 2 * ((error**2 + c**2).sqrt() - c)
    return c * pseudo_huber if config.loss_type == "huber" else pseudo_huber


def _fitted(mask: Tensor, distance: Tensor) -> Tensor:
    """The mask [B, 1, h, w] at the latents' size, by area."""
    if mask.ndim == 3:
        mask = mask.unsqueeze(1)
    return F.interpolate(mask.to(distance, non_blocking=True), size=distance.shape[2:], mode="area")
