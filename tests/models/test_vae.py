"""The VAE's name follows each weight that latents depend on; its precision comes back exactly."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lib_lora_cook.models.vae import encoder_fingerprint, in_float32
from tests import tiny_models


@pytest.fixture
def vae() -> nn.Module:
    torch.manual_seed(0)
    return tiny_models.vae()


def test_equal_weights_have_equal_names(vae: nn.Module) -> None:
    torch.manual_seed(0)
    assert encoder_fingerprint(vae, 0.18215) == encoder_fingerprint(tiny_models.vae(), 0.18215)


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_value_anywhere_in_the_encoder_changes_the_name(vae: nn.Module, place: int) -> None:
    before = encoder_fingerprint(vae, 0.18215)
    vae.get_parameter("encoder.mid_block.resnets.1.conv2.weight").data.view(-1)[place] += 1e-6
    assert encoder_fingerprint(vae, 0.18215) != before


def test_the_scale_and_the_precision_change_it_too(vae: nn.Module) -> None:
    names = {encoder_fingerprint(vae, 0.18215), encoder_fingerprint(vae, 0.13025)}
    names |= {encoder_fingerprint(vae.to(dtype), 0.18215) for dtype in (torch.half, torch.bfloat16)}
    assert len(names) == 4


def test_the_decoder_does_not_count(vae: nn.Module) -> None:
    before = encoder_fingerprint(vae, 0.18215)
    for name, weight in vae.named_parameters():
        if name.startswith(("decoder.", "post_quant_conv.")):
            weight.data += 1
    assert encoder_fingerprint(vae, 0.18215) == before


@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16, torch.float32])
def test_float32_for_a_while(vae: nn.Module, dtype: torch.dtype) -> None:
    vae.to(dtype)
    before = {name: it.clone() for name, it in vae.state_dict().items()}
    with pytest.raises(ZeroDivisionError), in_float32(vae, dtype):
        assert next(vae.parameters()).dtype == torch.float32
        raise ZeroDivisionError
    assert all(torch.equal(before[name], it) for name, it in vae.state_dict().items())
