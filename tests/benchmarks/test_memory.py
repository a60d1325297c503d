"""The counting of a step's memory, against the same step on tensors with contents."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.cases import Case
from benchmarks.memory import count
from benchmarks.train import SameBatch, config_of_case, make_pipeline
from lib_lora_cook.cook import build_network
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.training.memory import Living
from lib_lora_cook.training.train import accumulate, make_trainer


def counted_for_real(case: Case) -> int:
    """The most bytes alive in the second of two computed steps."""
    living, config = Living(), config_of_case(case)
    with living:
        model: Any = DiffusersModel(make_pipeline(case), config.model)
        network = build_network(config, model)
        batches: Any = SameBatch(case)
        trainer = make_trainer(config, model, network, batches, lambda message: None)
        model.train(config.loop.gradient_checkpointing)
        network.train()
        with network:
            for _ in range(2):
                living.most = living.bytes
                accumulate(trainer, [batches.batch])
                trainer.loop.optimizer.step()
    return living.most


@pytest.mark.parametrize("checkpointing", ["off", "on"])
def test_a_step_without_contents_takes_what_a_computed_one_does(checkpointing: str) -> None:
    case = Case("sd1", "LoRA", "no", checkpointing, 64, 2, 2, "on", True)
    counted = count(case)
    assert counted.peak == pytest.approx(counted_for_real(case), rel=0.02)
    assert counted.forecast == pytest.approx(counted.peak, rel=0.1)
