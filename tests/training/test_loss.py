"""The loss and its weights against sd-scripts' numbers and formulas."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lib_lora_cook.config import LossConfig
from lib_lora_cook.training.loss import (
    debiased,
    diffusion_loss,
    huber_threshold,
    like_noise,
    min_snr,
    problems,
    timestep_weight,
)
from lib_lora_cook.training.noise import NoiseSchedule
from tests.training.test_noise import schedule_of

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
VARIATIONS = json.loads((Path(__file__).parent / "variations.json").read_text())
TIMES = torch.tensor(GOLDEN["timesteps"])
EPSILON, VELOCITY = NoiseSchedule.scaled_linear(), NoiseSchedule.scaled_linear(v_prediction=True)
PREDICTION = torch.randn(11, 4, 6, 5, generator=torch.Generator().manual_seed(1))
TARGET = torch.randn(11, 4, 6, 5, generator=torch.Generator().manual_seed(2))


def close(found: Tensor, expected: list[float] | Tensor) -> None:
    torch.testing.assert_close(found, torch.as_tensor(expected), rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", sorted(GOLDEN["min_snr_weight"]))
def test_min_snr_weight_is_that_of_sd_scripts(kind: str) -> None:
    schedule = VELOCITY if kind.startswith("v_") else EPSILON
    config = LossConfig(min_snr_gamma=float(kind.rpartition("gamma")[2]))
    close(timestep_weight(TIMES, schedule, config), GOLDEN["min_snr_weight"][kind])


@pytest.mark.parametrize(("kind", "schedule"), [("epsilon", EPSILON), ("v", VELOCITY)])
def test_debiased_weight_is_that_of_sd_scripts(kind: str, schedule: NoiseSchedule) -> None:
    config = LossConfig(debiased_estimation_loss=True)
    close(timestep_weight(TIMES, schedule, config), GOLDEN["debiased"][kind])


def test_v_scale_is_that_of_sd_scripts() -> None:
    config = LossConfig(scale_v_pred_loss_like_noise_pred=True)
    weight = timestep_weight(TIMES, VELOCITY, config)
    close(weight, GOLDEN["scale_v_pred_loss_like_noise_pred"])


WEIGHTS = [(it, row) for it in VARIATIONS["schedules"] for row in it["weights"]]


@pytest.mark.parametrize(
    ("case", "row"), WEIGHTS,
    ids=[f"{it['beta_end']} {row['settings']} {row['v']}" for it, row in WEIGHTS],
)  # fmt: skip
def test_other_gammas_and_schedules_weigh_as_in_sd_scripts(
    case: dict[str, Any], row: dict[str, Any]
) -> None:
    schedule = schedule_of(case, v_prediction=row["v"])
    times = torch.tensor(VARIATIONS["timesteps"])
    close(timestep_weight(times, schedule, LossConfig(**row["settings"])), row["weight"])


@pytest.mark.parametrize(
    "case", VARIATIONS["losses"],
    ids=lambda it: f"{it['settings']['loss_type']} {it['settings']['huber_schedule']}",
)  # fmt: skip
def test_the_whole_loss_is_that_of_sd_scripts_with_mask_and_prior(case: dict[str, Any]) -> None:
    drawn = torch.Generator().manual_seed(11)
    prediction, target = (torch.randn(12, 4, 6, 5, generator=drawn) for _ in range(2))
    mask, prior = torch.rand(12, 48, 40, generator=drawn), torch.rand(12, generator=drawn)
    times = torch.tensor(VARIATIONS["timesteps"])
    for masks in (mask, torch.nn.functional.avg_pool2d(mask[None], 8)[0]):
        found = diffusion_loss(
            prediction, target, times, EPSILON, LossConfig(**case["settings"]), prior, masks
        )
        torch.testing.assert_close(found, torch.tensor(case["loss"]), rtol=1e-5, atol=1e-8)


def test_weights_multiply() -> None:
    config = LossConfig(
        min_snr_gamma=5, scale_v_pred_loss_like_noise_pred=True, v_pred_like_loss=0.5,
        debiased_estimation_loss=True,
    )  # fmt: skip
    snr = VELOCITY.snr_at(TIMES)
    expected = min_snr(snr, 5, True) * like_noise(snr)
    expected = (expected + expected / like_noise(snr) * 0.5) * debiased(snr, True)
    torch.testing.assert_close(timestep_weight(TIMES, VELOCITY, config), expected)


def test_no_weight_without_settings() -> None:
    weight = timestep_weight(TIMES, EPSILON, LossConfig(min_snr_gamma=0.0, v_pred_like_loss=0.0))
    assert torch.equal(weight, torch.ones(11))


def test_zero_terminal_weights_use_the_snr_from_before_the_rescale() -> None:
    rescaled = NoiseSchedule.scaled_linear(v_prediction=True, zero_terminal_snr=True)
    config = LossConfig(min_snr_gamma=5)
    weight = timestep_weight(TIMES, rescaled, config)
    close(weight, GOLDEN["min_snr_weight"]["v_gamma5"])
    assert weight[-1] > 0


def test_l2_is_the_plain_mean_of_each_sample() -> None:
    loss = diffusion_loss(PREDICTION, TARGET, TIMES, EPSILON, LossConfig())
    assert loss.shape == (11,) and loss.dtype == torch.float32
    torch.testing.assert_close(loss.mean(), torch.nn.functional.mse_loss(PREDICTION, TARGET))


def test_half_precision_is_measured_in_fp32() -> None:
    loss = diffusion_loss(PREDICTION.half(), TARGET.half(), TIMES, EPSILON, LossConfig())
    expected = (PREDICTION.half().float() - TARGET.half().float()).square().mean((1, 2, 3))
    torch.testing.assert_close(loss, expected)


def test_l1() -> None:
    loss = diffusion_loss(PREDICTION, TARGET, TIMES, EPSILON, LossConfig(loss_type="l1"))
    torch.testing.assert_close(loss, (PREDICTION - TARGET).abs().mean((1, 2, 3)))


@pytest.mark.parametrize("schedule", ["constant", "exponential", "snr"])
def test_huber_threshold_at_each_timestep(schedule: str) -> None:
    config = LossConfig(huber_schedule=schedule, huber_c=0.1, huber_scale=2.0)
    found = huber_threshold(TIMES, EPSILON, config).tolist()
    for time, c in zip(GOLDEN["timesteps"], found, strict=True):
        kept = EPSILON.alphas_cumprod[time].item()
        expected = {
            "constant": 0.1 * 2,
            "exponential": math.exp(math.log(0.1) / 1000 * time) * 2,
            "snr": 0.9 / (1 + math.sqrt((1 - kept) / kept)) ** 2 + 0.1,
        }[schedule]
        assert c == pytest.approx(expected, rel=1e-5)


def test_huber_threshold_is_finite_in_pure_noise() -> None:
    rescaled = NoiseSchedule.scaled_linear(zero_terminal_snr=True)
    assert huber_threshold(torch.tensor([999]), rescaled, LossConfig()).tolist() == [
        pytest.approx(0.1)
    ]


@pytest.mark.parametrize("kind", ["huber", "smooth_l1"])
def test_huber_and_smooth_l1_formulas(kind: str) -> None:
    config = LossConfig(loss_type=kind)
    c = huber_threshold(TIMES, EPSILON, config).view(-1, 1, 1, 1)
    root = ((PREDICTION - TARGET) ** 2 + c**2).sqrt() - c
    expected = (2 * c * root if kind == "huber" else 2 * root).mean((1, 2, 3))
    loss = diffusion_loss(PREDICTION, TARGET, TIMES, EPSILON, config)
    torch.testing.assert_close(loss, expected)


def test_prior_weights_come_before_the_mean() -> None:
    weights = torch.linspace(0, 1, 11)
    plain = diffusion_loss(PREDICTION, TARGET, TIMES, EPSILON, LossConfig())
    found = diffusion_loss(PREDICTION, TARGET, TIMES, EPSILON, LossConfig(), weights=weights)
    torch.testing.assert_close(found, plain * weights)


@pytest.mark.parametrize("shape", [(11, 48, 40), (11, 1, 48, 40)])
def test_mask_is_shrunk_by_area(shape: tuple[int, ...]) -> None:
    mask = torch.zeros(shape)
    mask[..., :24, :] = 1.0
    mask[..., 24:28, :] = 1.0  # Half of the fourth row of latents, which is 8 pixels high.
    found = diffusion_loss(PREDICTION, TARGET, TIMES, EPSILON, LossConfig(), mask=mask)
    by_row = (PREDICTION - TARGET).square().mean((1, 3))
    expected = (by_row * torch.tensor([1, 1, 1, 0.5, 0, 0])).sum(1) / 6
    torch.testing.assert_close(found, expected)


def test_everything_in_sd_scripts_order() -> None:
    config = LossConfig(loss_type="huber", min_snr_gamma=8, debiased_estimation_loss=True)
    weights = torch.rand(11)
    c = huber_threshold(TIMES, EPSILON, config).view(-1, 1, 1, 1)
    error = 2 * c * (((PREDICTION - TARGET) ** 2 + c**2).sqrt() - c)
    expected = error.mean((1, 2, 3)) * weights
    expected = expected * torch.tensor(GOLDEN["min_snr_weight"]["epsilon_gamma8"])
    expected = expected * torch.tensor(GOLDEN["debiased"]["epsilon"])
    found = diffusion_loss(PREDICTION, TARGET, TIMES, EPSILON, config, weights)
    torch.testing.assert_close(found, expected)


def test_gradient_is_that_of_the_weighted_error() -> None:
    prediction = PREDICTION.clone().requires_grad_()
    config = LossConfig(min_snr_gamma=5)
    diffusion_loss(prediction, TARGET, TIMES, EPSILON, config).mean().backward()
    weight = timestep_weight(TIMES, EPSILON, config).view(-1, 1, 1, 1)
    expected = 2 * (PREDICTION - TARGET) * weight / PREDICTION.numel()
    torch.testing.assert_close(prediction.grad, expected)


@pytest.mark.gpu
def test_loss_on_the_gpu_does_not_wait() -> None:
    config = LossConfig(loss_type="huber", min_snr_gamma=5, debiased_estimation_loss=True)
    schedule, prediction, target = EPSILON.to("cuda"), PREDICTION.cuda(), TARGET.cuda()
    times, weights, mask = TIMES.cuda(), torch.ones(11).cuda(), torch.ones(11, 48, 40).cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = diffusion_loss(prediction, target, times, schedule, config, weights, mask)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    expected = diffusion_loss(PREDICTION, TARGET, TIMES, EPSILON, config)
    torch.testing.assert_close(found.cpu(), expected)


@pytest.mark.parametrize(
    ("config", "v_prediction", "says"),
    [
        (LossConfig(min_snr_gamma=-1), None, "min_snr_gamma is -1: give 0 or more"),
        (LossConfig(min_snr_gamma=math.nan), None, "min_snr_gamma is nan"),
        (LossConfig(loss_type="l3"), None, "loss_type is 'l3': choose one of l2, l1"),
        (LossConfig(max_timestep=1001), None, "max_timestep is 1001: give 1000 or less"),
        (LossConfig(min_timestep=900, max_timestep=100), None, "swap them"),
        (LossConfig(adaptive_noise_scale=0.1), None, "without noise_offset"),
        (LossConfig(noise_offset_random_strength=True), None, "without noise_offset"),
        (LossConfig(ip_noise_gamma_random_strength=True), None, "without ip_noise_gamma"),
        (
            LossConfig(multires_noise_iterations=6, multires_noise_discount=0),
            None,
            "multires_noise_discount is 0",
        ),
        (LossConfig(loss_type="huber", huber_c=0.0), None, "huber_c"),
        (LossConfig(scale_v_pred_loss_like_noise_pred=True), False, "v_parameterization"),
        (LossConfig(v_pred_like_loss=0.1), True, "v_pred_like_loss"),
    ],
)
def test_problems_say_what_to_do(config: LossConfig, v_prediction: bool | None, says: str) -> None:
    found = problems(config, v_prediction)
    assert len(found) == 1 and says in found[0], found


def test_good_settings_have_no_problems() -> None:
    good = LossConfig(
        noise_offset=0.1, adaptive_noise_scale=-0.1, multires_noise_iterations=6,
        min_snr_gamma=5, loss_type="huber", scale_v_pred_loss_like_noise_pred=True,
    )  # fmt: skip
    assert problems(good) == problems(good, True) == problems(LossConfig(), False) == []
