"""Pictures drawn while a run goes on."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import setting

SAMPLERS = (
    "ddim", "pndm", "lms", "euler", "euler_a", "heun", "dpm_2", "dpm_2_a", "dpmsolver",
    "dpmsolver++", "dpmsingle", "k_lms", "k_euler", "k_euler_a", "k_dpm_2", "k_dpm_2_a",
)  # fmt: skip
"""kohya's names."""


@dataclass(frozen=True, kw_only=True)
class SampleConfig:
    """Pictures drawn while a run goes on, with the LoRA as it is at weight 1."""

    sample_every_n_epochs: int | None = setting(
        None, "Draw sample pictures every N epochs; before sample_every_n_steps", low=1
    )
    sample_every_n_steps: int | None = setting(None, "Draw sample pictures every N steps", low=1)
    sample_at_first: bool = setting(False, "Draw sample pictures before the first step too")
    sample_prompts: tuple[str, ...] = setting(
        (),
        "Prompts, one a line, or a .txt file of them; each may end in "
        "--n what to keep out --w 512 --h 768 --d 42 (seed) --l 7.5 (scale) --s 20 (steps)",
    )
    sample_sampler: str = setting(
        "host", "The sampler of sample pictures; host: what the WebUI's txt2img tab uses",
        choices=("host", *SAMPLERS),
    )  # fmt: skip
    score_every_n_epochs: int | None = setting(
        None, "Score every Nth epoch at weight 1 as a sheet does, by prompts made of the captions",
        low=1,
    )  # fmt: skip
    score_patience: int | None = setting(
        None, "Stop when N scores in a row were no better than the best before them", low=1
    )
    score_tagger: str = setting(
        "", "Who scores: a tagger's folder, or one of the WebUI's by name; the first if left out"
    )
    score_seeds: int = setting(4, "Pictures a prompt that an epoch is scored by", low=1)
    score_steps: int = setting(
        0, "Sampling steps of such a picture; 0: what the WebUI's txt2img tab uses", low=0
    )
