"""The forward process against sd-scripts' numbers, the papers' formulas and its order of draws."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from lib_lora_cook.config import LossConfig
from lib_lora_cook.training.noise import NoiseSchedule, draw_noise, draw_timesteps, perturbed

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
VARIATIONS = json.loads((Path(__file__).parent / "variations.json").read_text())
TIMES = torch.tensor(GOLDEN["timesteps"])
LATENTS = torch.randn(3, 4, 24, 20, generator=torch.Generator().manual_seed(5))


def close(found: Tensor, expected: list[float]) -> None:
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-6, atol=0)


def test_schedule_is_that_of_sd_scripts() -> None:
    schedule = NoiseSchedule.scaled_linear()
    assert schedule.alphas_cumprod.shape == schedule.snr.shape == (1000,)
    close(schedule.alphas_at(TIMES), GOLDEN["alphas_cumprod"])
    close(schedule.snr_at(TIMES), GOLDEN["snr"])


def test_zero_terminal_schedule_is_that_of_sd_scripts() -> None:
    schedule = NoiseSchedule.scaled_linear(zero_terminal_snr=True)
    close(schedule.alphas_at(TIMES), GOLDEN["zero_terminal_alphas_cumprod"])
    # Its loss weights see the SNR from before the rescale.
    close(schedule.snr_at(TIMES), GOLDEN["snr"])


def named(values: Any) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items()) or "plain"


def schedule_of(case: dict[str, Any], **options: Any) -> NoiseSchedule:
    """sd-scripts' own scheduler of a case, from diffusers."""
    names = ("beta_schedule", "beta_start", "beta_end")
    made: Any = DDPMScheduler(num_train_timesteps=1000, **{name: case[name] for name in names})
    return NoiseSchedule.of(made.alphas_cumprod, **options)


@pytest.mark.parametrize("case", VARIATIONS["schedules"], ids=lambda it: str(it["beta_end"]))
def test_other_schedules_are_those_of_sd_scripts_too(case: dict[str, Any]) -> None:
    times = torch.tensor(VARIATIONS["timesteps"])
    close(schedule_of(case, v_prediction=True).snr_at(times), case["snr"])
    rescaled = schedule_of(case, v_prediction=True, zero_terminal_snr=True)
    close(rescaled.alphas_at(times), case["zero_terminal"])


@pytest.mark.parametrize("case", VARIATIONS["noises"], ids=lambda it: named(it["settings"]))
def test_noise_and_timesteps_are_those_of_sd_scripts_under_the_same_seeds(
    case: dict[str, Any],
) -> None:
    latents = torch.randn(3, 4, 24, 20, generator=torch.Generator().manual_seed(5)) * 2 + 0.3
    config, schedule = LossConfig(**case["settings"]), NoiseSchedule.scaled_linear()
    torch.manual_seed(31)
    noise = draw_noise(latents, config, None, random.Random(8))
    times = draw_timesteps(3, config, None)
    noisy = schedule.add_noise(latents, perturbed(noise, config, None), times)
    assert times.tolist() == case["timesteps"]
    for name, found in (("noise", noise), ("noisy", noisy)):
        expected = torch.tensor(case[name])
        torch.testing.assert_close(found[:, 1, ::9, 7].flatten(), expected, rtol=1e-5, atol=1e-6)
    assert float(noise.std()) == pytest.approx(case["std"], rel=1e-5)


def test_zero_terminal_ends_in_pure_noise_and_begins_as_before() -> None:
    plain = NoiseSchedule.scaled_linear()
    schedule = NoiseSchedule.of(plain.alphas_cumprod, True, zero_terminal_snr=True)
    assert schedule.alphas_cumprod[-1] == 0
    torch.testing.assert_close(schedule.alphas_cumprod[0], plain.alphas_cumprod[0])
    assert (schedule.alphas_cumprod.diff() < 0).all()
    noise, last = torch.randn_like(LATENTS), torch.full((3,), 999)
    assert torch.equal(schedule.add_noise(LATENTS, noise, last), noise)
    assert torch.equal(schedule.target(LATENTS, noise, last), -LATENTS)


def test_a_schedule_that_ends_in_noise_already_gives_finite_snr() -> None:
    ended = NoiseSchedule.scaled_linear(zero_terminal_snr=True).alphas_cumprod
    schedule = NoiseSchedule.of(ended, v_prediction=True, zero_terminal_snr=True)
    assert (schedule.snr > 0).all() and schedule.snr.isfinite().all()
    torch.testing.assert_close(schedule.alphas_cumprod, ended, rtol=1e-4, atol=1e-7)


def test_noisy_latents_and_velocity_follow_the_papers() -> None:
    schedule = NoiseSchedule.scaled_linear(v_prediction=True)
    noise, times = torch.randn_like(LATENTS), torch.tensor([0, 500, 999])
    kept = schedule.alphas_cumprod[times].double().view(3, 1, 1, 1)
    noisy = kept.sqrt() * LATENTS + (1 - kept).sqrt() * noise
    velocity = kept.sqrt() * noise - (1 - kept).sqrt() * LATENTS
    torch.testing.assert_close(schedule.add_noise(LATENTS, noise, times), noisy.float())
    torch.testing.assert_close(schedule.velocity(LATENTS, noise, times), velocity.float())
    assert torch.equal(
        schedule.target(LATENTS, noise, times), schedule.velocity(LATENTS, noise, times)
    )
    # The latents come back out of both, which is what v is for.
    back = kept.sqrt() * noisy - (1 - kept).sqrt() * velocity
    torch.testing.assert_close(back.float(), LATENTS)


def test_target_of_a_noise_model_is_the_noise() -> None:
    noise = torch.randn_like(LATENTS)
    assert NoiseSchedule.scaled_linear().target(LATENTS, noise, TIMES[:3]) is noise


def test_dtype_of_the_latents_is_kept() -> None:
    schedule, half = NoiseSchedule.scaled_linear(), LATENTS.bfloat16()
    assert schedule.add_noise(half, half, TIMES[:3]).dtype == torch.bfloat16
    assert schedule.to("cpu").v_prediction is False


def ours(config: LossConfig) -> Tensor:
    torch.manual_seed(7)
    return draw_noise(LATENTS, config, None, random.Random(3))


def test_plain_noise_is_torchs() -> None:
    found = ours(LossConfig())
    torch.manual_seed(7)
    assert torch.equal(found, torch.randn_like(LATENTS))


def test_noise_offset_is_one_number_a_channel() -> None:
    torch.manual_seed(7)
    plain = torch.randn_like(LATENTS)
    offset = torch.randn(3, 4, 1, 1)
    torch.testing.assert_close(ours(LossConfig(noise_offset=0.1)), plain + 0.1 * offset)


def test_noise_offset_of_random_strength_draws_it_first() -> None:
    config = LossConfig(noise_offset=0.1, noise_offset_random_strength=True)
    found = ours(config)
    torch.manual_seed(7)
    plain, strength, offset = torch.randn_like(LATENTS), torch.rand(1), torch.randn(3, 4, 1, 1)
    torch.testing.assert_close(found, plain + 0.1 * strength * offset)


@pytest.mark.parametrize("scale", [0.5, -5.0])
def test_adaptive_noise_scale_follows_the_latents_mean(scale: float) -> None:
    found = ours(LossConfig(noise_offset=0.1, adaptive_noise_scale=scale))
    torch.manual_seed(7)
    plain, offset = torch.randn_like(LATENTS), torch.randn(3, 4, 1, 1)
    mean = LATENTS.mean(dim=(2, 3), keepdim=True).abs()
    torch.testing.assert_close(found, plain + (0.1 + scale * mean).clamp(min=0) * offset)


def test_multires_noise_in_sd_scripts_order_of_draws() -> None:
    found = ours(LossConfig(noise_offset=0.2, multires_noise_iterations=6))
    torch.manual_seed(7)
    rng = random.Random(3)
    noise = torch.randn_like(LATENTS) + 0.2 * torch.randn(3, 4, 1, 1)
    for level in range(6):
        shrink = (rng.random() * 2 + 2) ** level
        height, width = max(1, int(24 / shrink)), max(1, int(20 / shrink))
        coarse = torch.randn(3, 4, height, width)
        noise += torch.nn.Upsample(size=(24, 20), mode="bilinear")(coarse) * 0.3**level
        if 1 in (height, width):
            break
    assert 1 <= level < 5  # It stops once a side is a single number.
    torch.testing.assert_close(found, noise / noise.std())
    assert found.std().item() == pytest.approx(1, abs=1e-5)


def test_zero_switches_off() -> None:
    config = LossConfig(noise_offset=0.0, multires_noise_iterations=0, ip_noise_gamma=0.0)
    assert torch.equal(ours(config), ours(LossConfig()))
    assert perturbed(LATENTS, config, None) is LATENTS


@pytest.mark.parametrize("random_strength", [False, True])
def test_perturbation_draws_its_strength_first(random_strength: bool) -> None:
    config = LossConfig(ip_noise_gamma=0.1, ip_noise_gamma_random_strength=random_strength)
    torch.manual_seed(9)
    found = perturbed(LATENTS, config, None)
    torch.manual_seed(9)
    strength = torch.rand(1) if random_strength else 1.0
    torch.testing.assert_close(found, LATENTS + 0.1 * strength * torch.randn_like(LATENTS))


def test_a_generator_decides_everything() -> None:
    config = LossConfig(
        noise_offset=0.1, noise_offset_random_strength=True, adaptive_noise_scale=0.1,
        multires_noise_iterations=4, ip_noise_gamma=0.1, ip_noise_gamma_random_strength=True,
    )  # fmt: skip

    def drawn() -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1)
        noise = draw_noise(LATENTS, config, generator, random.Random(1))
        times = draw_timesteps(3, config, generator)
        return noise, times, perturbed(noise, config, generator)

    state = torch.random.get_rng_state()
    first = drawn()
    assert all(torch.equal(a, b) for a, b in zip(first, drawn(), strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_timesteps_are_torchs_and_in_bounds() -> None:
    torch.manual_seed(2)
    expected = torch.randint(100, 300, (500,))
    torch.manual_seed(2)
    found = draw_timesteps(500, LossConfig(min_timestep=100, max_timestep=300), None)
    assert torch.equal(found, expected)
    assert found.dtype == torch.int64 and found.device.type == "cpu"
    assert found.min() >= 100 and found.max() < 300


@pytest.mark.parametrize(("low", "high", "time"), [(400, 400, 400), (500, 400, 400)])
def test_a_closed_interval_is_one_timestep(low: int, high: int, time: int) -> None:
    config = LossConfig(min_timestep=low, max_timestep=high)
    assert draw_timesteps(2, config, None).tolist() == [time, time]


@pytest.mark.gpu
def test_draws_and_mixes_on_the_gpu_without_waiting() -> None:
    config = LossConfig(noise_offset=0.1, multires_noise_iterations=4, ip_noise_gamma=0.1)
    schedule, latents = NoiseSchedule.scaled_linear(True).to("cuda"), LATENTS.cuda()
    generator = torch.Generator("cuda").manual_seed(1)
    torch.cuda.set_sync_debug_mode("error")
    try:
        noise = draw_noise(latents, config, generator, random.Random(1))
        times = draw_timesteps(3, config, generator)
        noisy = schedule.add_noise(latents, perturbed(noise, config, generator), times)
        target = schedule.target(latents, noise, times)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert noisy.isfinite().all() and target.isfinite().all()
