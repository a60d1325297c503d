"""The driver of live LDM modules, against the diffusers one and sd-scripts' numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lib_lora_cook.config import ModelConfig, NetworkConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.models.diffusers import DiffusersModel
from lib_lora_cook.models.ldm import LdmModel, LdmParts, check_attention, size_embedding
from lib_lora_cook.models.ldm_layers import SharedLinear, SplitAttention
from lib_lora_cook.models.ldm_text import (
    IdTokenizer,
    RepaddedTokenizer,
    clip_encoder,
    open_clip_encoder,
)
from lib_lora_cook.models.text import caption_chunks
from lib_lora_cook.models.trainable import SD1, SDXL, PictureSize, size_ids
from lib_lora_cook.networks.attach import attached, make_adapter, make_network
from lib_lora_cook.networks.targets import Target
from tests.hosts.standins import forge, ldm
from tests.tiny_models import tiny_sd1, tiny_sdxl, tokenizer

CPU = torch.device("cpu")
SIZE = PictureSize((451, 300), (15, 0), (320, 192))
GOLDEN = [
    case
    for name in ("golden", "variations")
    for case in json.loads(
        (Path(__file__).parent.parent / "training" / f"{name}.json").read_text()
    )["sdxl_size_embedding"]
]


def parts(unet: nn.Module | None = None, **changes: Any) -> LdmParts:
    """A toy SD1 model without text encoders."""
    torch.manual_seed(0)
    live, vae = unet or ldm.UNet(16), ldm.Vae()
    ldm.use_kernel(live, ldm.with_gradient)
    made = LdmParts(
        SD1, live, lambda x, t, c, y: live(x, t, c, y=y), (), vae,
        lambda pixels: vae.quant_conv(vae.encoder(pixels)), 0.18215, ldm.alphas(), False,
        CPU, torch.float32, torch.float32, "toy.safetensors", "", lambda: None,
    )  # fmt: skip
    return replace(made, **changes)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda it: str(it["original_height_width"]))
def test_the_size_embedding_is_sd_scripts_own(case: dict[str, Any]) -> None:
    size = PictureSize(
        *(tuple(case[name]) for name in ("original_height_width", "crop_top_left")),
        tuple(case["target_height_width"]),
    )
    vector = size_embedding(size_ids([size], CPU))
    assert vector.shape == (1, case["length"])
    assert vector[0, ::256].tolist() == pytest.approx(case["first_of_each_256"], abs=1e-6)
    found = {place: float(vector[0, int(place)]) for place in case["values_at"]}
    assert found == pytest.approx(case["values_at"], abs=1e-6)


def test_sd1_text_is_read_as_by_the_diffusers_driver(tmp_path: Path) -> None:
    pipeline = tiny_sd1(tmp_path)
    for config in (ModelConfig(), ModelConfig(clip_skip=2, max_token_length=75)):
        encoder = clip_encoder(pipeline.text_encoder, pipeline.tokenizer, "lora_te")
        mine = LdmModel(parts(encoders=(encoder,)), config).encode_text(["a girl", "red"])
        theirs = DiffusersModel(pipeline, config).encode_text(["a girl", "red"])
        assert torch.equal(mine.hidden, theirs.hidden)
        assert (mine.pooled, mine.size_ids) == (None, None)


def test_sdxl_text_is_read_as_by_the_diffusers_driver(tmp_path: Path) -> None:
    pipeline = tiny_sdxl(tmp_path)
    encoders = (
        clip_encoder(pipeline.text_encoder, pipeline.tokenizer, "lora_te1"),
        clip_encoder(
            pipeline.text_encoder_2, RepaddedTokenizer(pipeline.tokenizer, pad_of(pipeline)),
            "lora_te2", pipeline.text_encoder_2.text_projection,
        ),
    )  # fmt: skip
    captions, sizes = ["a girl", ", ".join(["red hair"] * 60)], [SIZE, SIZE]
    mine = LdmModel(parts(family=SDXL, encoders=encoders), ModelConfig())
    theirs = DiffusersModel(pipeline, ModelConfig()).encode_text(captions, sizes)
    found = mine.encode_text(captions, sizes)
    # another row of the batch may be summed in another order
    assert torch.allclose(found.hidden, theirs.hidden, atol=1e-5)
    assert torch.allclose(found.pooled, theirs.pooled, atol=1e-5)
    assert torch.equal(found.size_ids, theirs.size_ids)


def pad_of(pipeline: Any) -> int:
    """The padding of a pipeline's second tokenizer."""
    pad: int = pipeline.tokenizer_2.pad_token_id
    return pad


def test_latents_are_drawn_from_each_picture_s_own_generator() -> None:
    model = LdmModel(parts(), ModelConfig())
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1
    both = model.encode_images(pixels, [torch.Generator().manual_seed(it) for it in (1, 2)])
    alone = model.encode_images(pixels[1:], [torch.Generator().manual_seed(2)])
    assert both.shape == (2, 4, 8, 8)
    assert torch.allclose(both[1:], alone, atol=1e-6)


def test_a_vae_that_overflows_in_halves_is_asked_again_in_fp32() -> None:
    asked = list[torch.dtype]()

    def moments(pixels: torch.Tensor) -> torch.Tensor:
        asked.append(pixels.dtype)
        value = torch.nan if pixels.dtype == torch.float16 else 0.5
        return torch.full((len(pixels), 8, 8, 8), value, dtype=pixels.dtype)

    lent = replace(parts(), moments=moments, vae_dtype=torch.float16)
    lent.vae.half()
    latents = LdmModel(lent, ModelConfig()).encode_images(
        torch.zeros(1, 3, 64, 64), [torch.Generator().manual_seed(1)]
    )
    assert asked == [torch.float16, torch.float32]
    assert latents.isfinite().all()
    assert {it.dtype for it in lent.vae.parameters()} == {torch.float16}


def test_names_are_kohya_s_for_both_families() -> None:
    sd1 = [layer.name for layer in LdmModel(parts(), ModelConfig()).layers()]
    unet = ldm.UNet(16, 32)
    sdxl = [layer.name for layer in LdmModel(parts(unet, family=SDXL), ModelConfig()).layers()]
    for name in (
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
        "lora_unet_down_blocks_0_downsamplers_0_conv",
        "lora_unet_mid_block_resnets_1_conv2",
        "lora_unet_up_blocks_0_upsamplers_0_conv",
        "lora_unet_up_blocks_1_resnets_0_conv_shortcut",
        "lora_unet_time_embedding_linear_2",
    ):
        assert name in sd1
    for name in (
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q",
        "lora_unet_input_blocks_2_0_op",
        "lora_unet_middle_block_2_out_layers_3",
        "lora_unet_output_blocks_1_2_conv",
        "lora_unet_label_emb_0_0",
    ):
        assert name in sdxl


def test_a_linear_that_is_none_takes_an_adapter_and_is_left_as_it_was() -> None:
    live = forge.Linear(4, 4)
    x, before = torch.randn(2, 4), "a patch of the host"
    base = live(x)
    target = Target("toy", SharedLinear(live), "unet", 2, 2.0)
    network = make_network([target], NetworkConfig())
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(0.5)
    with attached(network):
        worn = live(x)
    assert not torch.allclose(worn, base)
    assert torch.equal(live(x), base)
    assert "forward" not in vars(live)
    live.__dict__["forward"] = before
    with attached(network):
        assert live.forward is not before
    assert live.forward is before


def test_fused_attention_is_the_same_when_it_is_split() -> None:
    torch.manual_seed(0)
    live = nn.MultiheadAttention(16, 2)
    mask = torch.full((5, 5), float("-inf")).triu(1)
    x = torch.randn(5, 3, 16)
    fused = live(x, x, x, need_weights=False, attn_mask=mask)[0]
    split = SplitAttention(live)
    assert torch.equal(live(x, x, x, need_weights=False, attn_mask=mask)[0], fused)
    adapters = [
        make_adapter(Target(name, layer, "text_encoder", 2, 2.0), NetworkConfig())
        for name, layer in split.layers()
    ]
    for (_, layer), adapter in zip(split.layers(), adapters, strict=True):
        layer.forward = adapter.forward  # type: ignore[method-assign]
    found = live(x, x, x, need_weights=False, attn_mask=mask)[0]
    assert torch.allclose(found, fused, atol=1e-6)
    found.square().sum().backward()
    assert all(adapter.lora_up.weight.grad.any() for adapter in adapters)
    for _, layer in split.layers():
        del layer.forward
    split.release()
    assert "forward" not in vars(live)


def test_open_clip_gives_states_pooled_and_layers_under_kohya_s_names(tmp_path: Path) -> None:
    words = tokenizer(tmp_path)
    embedder = ldm.OpenClipEmbedder(len(words), 16, words.eos_token_id)
    first = clip_encoder(tiny_sd1(tmp_path).text_encoder, words, "lora_te1")
    second = open_clip_encoder(embedder, RepaddedTokenizer(words), "lora_te2")
    with LdmModel(parts(family=SDXL, encoders=(first, second)), ModelConfig()) as model:
        names = [layer.name for layer in model.layers()]
        assert "lora_te2_text_model_encoder_layers_0_self_attn_q_proj" in names
        assert "lora_te2_text_model_encoder_layers_2_mlp_fc2" in names
        found = model.encode_text(["a girl"], [SIZE])
    assert (found.hidden.shape, found.pooled.shape) == ((1, 227, 32), (1, 16))
    assert not any("forward" in vars(it) for it in embedder.modules())


def test_sd2_s_encoder_has_no_adapter_on_the_layer_that_it_does_not_compute(
    tmp_path: Path,
) -> None:
    words = tokenizer(tmp_path, "!")
    embedder = ldm.PenultimateEmbedder(len(words), 16)
    encoder = open_clip_encoder(embedder, words, "lora_te", embedder.layer_idx)
    ids = words(["a red star"], padding="max_length", max_length=77, return_tensors="pt").input_ids
    states, pooled = encoder.encode(ids, 1, True)
    assert (states.shape, pooled) == ((1, 77, 16), None)
    layers = {it.name.split("_")[6] for it in encoder.layers()}
    assert (layers, len(encoder.splits)) == ({"0", "1"}, 2)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("length", [75, 150])
def test_a_host_s_bare_ids_are_cut_and_padded_as_kohya_s(
    tmp_path: Path, weighted: bool, length: int
) -> None:
    words = tokenizer(tmp_path, "!")
    bare = IdTokenizer(
        lambda texts: [it[1:-1] for it in words(texts).input_ids],
        words.bos_token_id, words.eos_token_id, words.pad_token_id,
    )  # fmt: skip
    config = ModelConfig(max_token_length=length, weighted_captions=weighted)
    captions = ["a (red:1.3) star", "", ", ".join(["a red star"] * 60)]
    theirs, ours = (caption_chunks(it, captions, config) for it in (words, bare))
    assert torch.equal(ours[0], theirs[0])
    assert (ours[1] is None) == (not weighted)
    assert ours[1] is None or torch.equal(ours[1], theirs[1])


@pytest.mark.parametrize("kernel", [ldm.without_gradient])
def test_a_kernel_without_a_gradient_is_refused(kernel: Any) -> None:
    unet = ldm.UNet(16)
    ldm.use_kernel(unet, kernel)
    unet.requires_grad_(False)
    with pytest.raises(UserError, match="gives no gradient"):
        check_attention(unet, CPU, torch.float32)
    ldm.use_kernel(unet, ldm.with_gradient)
    check_attention(unet, CPU, torch.float32)


def test_recomputing_changes_no_gradient_and_leaves_nothing_behind() -> None:
    gradients = []
    for recompute in (False, True):
        model = LdmModel(parts(must_recompute=recompute), ModelConfig())
        with model:
            model.train(checkpointing=False)
            shadowed = [it for it in model.parts.unet.modules() if "forward" in vars(it)]
            assert bool(shadowed) is recompute
            gradients.append(gradient_of_first_adapter(model))
        assert not any("forward" in vars(it) for it in model.parts.unet.modules())
    assert torch.allclose(gradients[0], gradients[1])


def gradient_of_first_adapter(model: LdmModel) -> Tensor:
    """Of `up` after one prediction."""
    layer = next(it for it in model.layers() if it.place == "attention")
    torch.manual_seed(0)
    network = make_network([Target("toy", layer.module, "unet", 2, 2.0)], NetworkConfig())
    conditioning = replace_hidden(torch.ones(1, 77, 16))
    with network:
        output = model.predict(torch.ones(1, 4, 8, 8), torch.tensor([5]), conditioning)
        output.square().sum().backward()
    adapter: Any = network.adapters["toy"]
    gradient: Tensor = adapter.lora_up.weight.grad
    assert gradient.any()
    return gradient


def replace_hidden(hidden: Tensor) -> Any:
    """Conditioning of given states."""
    from lib_lora_cook.models.trainable import Conditioning

    return Conditioning(hidden)
