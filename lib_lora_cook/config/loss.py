"""The equation: noise, target and weight of the loss."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import setting


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """The equation: noise, target and weight of the loss."""

    loss_type: str = setting(
        "l2", "Distance to the target", choices=("l2", "l1", "huber", "smooth_l1")
    )
    huber_schedule: str = setting(
        "snr", "How huber_c moves with the timestep", choices=("constant", "exponential", "snr")
    )
    huber_c: float = setting(0.1, "Where huber turns from square to straight", low=0)
    huber_scale: float = setting(1.0, "Scales huber_c", low=0)
    min_snr_gamma: float | None = setting(None, "Min-SNR weighting, 5 is usual", low=0)
    debiased_estimation_loss: bool = setting(False, "Weigh by 1 / sqrt(SNR)")
    scale_v_pred_loss_like_noise_pred: bool = setting(
        False, "Weigh a v-prediction loss like one of noise"
    )
    v_pred_like_loss: float | None = setting(None, "Add this much of a v-like loss", low=0)
    noise_offset: float | None = setting(
        None, "Offset of the noise by channel; 0.1 is usual", low=0
    )
    noise_offset_random_strength: bool = setting(False, "Between 0 and noise_offset at each step")
    adaptive_noise_scale: float | None = setting(
        None, "Adds |mean of latents| * this to noise_offset"
    )
    multires_noise_iterations: int = setting(
        0, "Levels of multi-resolution noise; 6 is usual", low=0
    )
    multires_noise_discount: float = setting(0.3, "Strength of each level to the last", low=0)
    ip_noise_gamma: float | None = setting(None, "Input perturbation noise; 0.1 is usual", low=0)
    ip_noise_gamma_random_strength: bool = setting(
        False, "Between 0 and ip_noise_gamma at each step"
    )
    zero_terminal_snr: bool = setting(False, "Rescale the schedule to end in pure noise")
    min_timestep: int = setting(0, "The first timestep trained", low=0, high=999)
    max_timestep: int = setting(1000, "One past the last timestep trained", low=1, high=1000)
    masked_loss: bool = setting(False, "Use the masks of each subset's conditioning_data_dir")
    prior_loss_weight: float = setting(1.0, "Weight of regularisation pictures", low=0)
