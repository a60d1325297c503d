"""A toy LDM model whose modules are named as the hosts name theirs."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, TIME = 16, 2, 16


class ResBlock(nn.Module):
    def __init__(self, linear: Any, wide: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(4, wide), nn.SiLU(), nn.Conv2d(wide, WIDTH, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), linear(TIME, WIDTH))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(4, WIDTH), nn.SiLU(), nn.Identity(), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        )
        same = wide == WIDTH
        self.skip_connection = nn.Identity() if same else nn.Conv2d(wide, WIDTH, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.in_layers(x) + self.emb_layers(emb)[..., None, None]
        return self.skip_connection(x) + self.out_layers(h)


class CrossAttention(nn.Module):
    def __init__(self, linear: Any, context: int) -> None:
        super().__init__()
        self.heads = HEADS
        self.to_q = linear(WIDTH, WIDTH, bias=False)
        self.to_k = linear(context, WIDTH, bias=False)
        self.to_v = linear(context, WIDTH, bias=False)
        self.to_out = nn.Sequential(linear(WIDTH, WIDTH), nn.Dropout(0.0))
        self.kernel: list[Callable[..., Tensor]] = []

    def forward(self, x: Tensor, context: Tensor | None = None, **rest: Any) -> Tensor:
        return attend(self, x, context, self.kernel[0])


def attend(layer: Any, x: Tensor, context: Tensor | None, kernel: Callable[..., Tensor]) -> Tensor:
    context = x if context is None else context
    q, k, v = layer.to_q(x), layer.to_k(context), layer.to_v(context)
    return layer.to_out(kernel(q, k, v, layer.heads))


def with_gradient(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Any = None) -> Tensor:
    q, k, v = (it.unflatten(-1, (heads, -1)).transpose(1, 2) for it in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def without_gradient(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Any = None) -> Tensor:
    """A kernel of another language, of which autograd knows nothing."""
    return with_gradient(q.detach(), k.detach(), v.detach(), heads)


class BasicTransformerBlock(nn.Module):
    """x += n where in_place, as Forge writes it."""

    def __init__(self, linear: Any, context: int, in_place: bool) -> None:
        super().__init__()
        self.attn1, self.attn2 = CrossAttention(linear, WIDTH), CrossAttention(linear, context)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(WIDTH) for _ in range(3))
        self.ff = nn.Sequential(linear(WIDTH, WIDTH), nn.GELU(), linear(WIDTH, WIDTH))
        self.ff_in, self.is_res, self.disable_self_attn = False, True, False
        self.in_place = in_place

    def forward(self, x: Tensor, context: Tensor, transformer_options: Any = None) -> Tensor:
        return self._forward(x, context, transformer_options)

    def _forward(self, x: Tensor, context: Tensor, transformer_options: Any = None) -> Tensor:
        parts = [
            lambda it: self.attn1(self.norm1(it)),
            lambda it: self.attn2(self.norm2(it), context=context),
            lambda it: self.ff(self.norm3(it)),
        ]
        for part in parts:
            n = part(x)
            x = x.add_(n) if self.in_place else x + n
        return x


class SpatialTransformer(nn.Module):
    def __init__(self, linear: Any, context: int, in_place: bool, use_linear: bool) -> None:
        super().__init__()
        self.use_linear = use_linear
        project = linear if use_linear else (lambda a, b: nn.Conv2d(a, b, 1))
        self.norm = nn.GroupNorm(4, WIDTH)
        self.proj_in, self.proj_out = project(WIDTH, WIDTH), project(WIDTH, WIDTH)
        self.transformer_blocks = nn.ModuleList([BasicTransformerBlock(linear, context, in_place)])

    def forward(self, x: Tensor, context: Tensor, transformer_options: Any = None) -> Tensor:
        size, h = x.shape[-2:], self.norm(x)
        if not self.use_linear:
            h = self.proj_in(h)
        h = h.flatten(2).transpose(1, 2)
        if self.use_linear:
            h = self.proj_in(h)
        h = self.transformer_blocks[0](h.contiguous(), context, transformer_options)
        if self.use_linear:
            h = self.proj_out(h)
        h = h.transpose(1, 2).unflatten(2, size)
        return x + (h if self.use_linear else self.proj_out(h))


class Downsample(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.op = nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Upsample(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2))


class UNet(nn.Module):
    """Two levels of one resnet each, all with attention."""

    def __init__(
        self, context: int, vector: int = 0, linear: Any = nn.Linear, in_place: bool = False,
        use_linear: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        flat = use_linear or bool(vector)
        res = lambda wide: ResBlock(linear, wide)  # noqa: E731
        att = lambda: SpatialTransformer(linear, context, in_place, flat)  # noqa: E731
        blocks = lambda *rows: nn.ModuleList(nn.ModuleList(row) for row in rows)  # noqa: E731
        first = nn.Conv2d(4, WIDTH, 3, padding=1)
        self.time_embed = nn.Sequential(linear(TIME, TIME), nn.SiLU(), linear(TIME, TIME))
        if vector:
            self.label_emb = nn.Sequential(nn.Sequential(linear(vector, TIME)))
        self.input_blocks = blocks(
            [first], [res(WIDTH), att()], [Downsample()], [res(WIDTH), att()]
        )
        self.middle_block = nn.ModuleList([res(WIDTH), att(), res(WIDTH)])
        self.output_blocks = blocks(
            [res(2 * WIDTH), att()], [res(2 * WIDTH), att(), Upsample()],
            [res(2 * WIDTH), att()], [res(2 * WIDTH), att()],
        )  # fmt: skip
        self.out = nn.Sequential(nn.GroupNorm(4, WIDTH), nn.SiLU(), nn.Conv2d(WIDTH, 4, 3, 1, 1))

    def forward(
        self, x: Tensor, timesteps: Tensor, context: Tensor, y: Tensor | None = None,
        transformer_options: Any = None,
    ) -> Tensor:  # fmt: skip
        rates = torch.exp(-torch.arange(TIME // 2, dtype=torch.float32))
        angles = timesteps.float()[:, None] * rates
        emb = self.time_embed(torch.cat([angles.cos(), angles.sin()], -1))
        emb = emb if y is None else emb + self.label_emb(y)
        kept, h = [], x
        for row in self.input_blocks:
            h = self._run(row, h, emb, context)
            kept.append(h)
        h = self._run(self.middle_block, h, emb, context)
        for row in self.output_blocks:
            h = self._run(row, torch.cat([h, kept.pop()], 1), emb, context)
        return self.out(h)

    def _run(self, row: Any, h: Tensor, emb: Tensor, context: Tensor) -> Tensor:
        for layer in row:
            if isinstance(layer, ResBlock):
                h = layer(h, emb)
            elif isinstance(layer, SpatialTransformer):
                h = layer(h, context, {})
            else:
                h = layer(h)
        return h


def use_kernel(unet: nn.Module, kernel: Callable[..., Tensor]) -> None:
    """Attention computed by one kernel in every layer."""
    for module in unet.modules():
        if isinstance(module, CrossAttention):
            module.kernel[:] = [kernel]


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 8, 8, stride=8)
        self.quant_conv = nn.Conv2d(8, 8, 1)
        self.decoder = nn.ConvTranspose2d(4, 3, 8, stride=8)
        self.scaling_factor = 0.18215


class ResidualAttentionBlock(nn.Module):
    """open_clip's: fused attention, sequence first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, HEADS)
        self.mlp = nn.Module()
        self.mlp.c_fc, self.mlp.c_proj = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, attn_mask: Tensor) -> Tensor:
        n = self.ln_1(x)
        x = x + self.attn(n, n, n, need_weights=False, attn_mask=attn_mask)[0]
        return x + self.mlp.c_proj(F.gelu(self.mlp.c_fc(self.ln_2(x))))


class OpenClip(nn.Module):
    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(words, width)
        self.positional_embedding = nn.Parameter(torch.randn(77, width) * 0.1)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(ResidualAttentionBlock(width) for _ in range(3))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, width) * 0.1)
        self.register_buffer("attn_mask", torch.full((77, 77), float("-inf")).triu(1), False)


class PenultimateEmbedder(nn.Module):
    """ldm's FrozenOpenCLIPEmbedder: the last layer is never computed."""

    layer_idx = 1

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.model = OpenClip(words, width)

    def encode_with_transformer(self, ids: Tensor) -> Tensor:
        model: Any = self.model
        x = (model.token_embedding(ids) + model.positional_embedding).permute(1, 0, 2)
        for block in model.transformer.resblocks[: -self.layer_idx]:
            x = block(x, attn_mask=model.attn_mask)
        states: Tensor = model.ln_final(x.permute(1, 0, 2))
        return states


class OpenClipEmbedder(nn.Module):
    """sgm's FrozenOpenCLIPEmbedder2."""

    def __init__(self, words: int, width: int, eos: int) -> None:
        super().__init__()
        self.model, self.eos = OpenClip(words, width), eos

    def encode_with_transformer(self, ids: Tensor) -> dict[str, Tensor]:
        model: Any = self.model
        x = (model.token_embedding(ids) + model.positional_embedding).permute(1, 0, 2)
        *first, last = model.transformer.resblocks
        for block in first:
            x = block(x, attn_mask=model.attn_mask)
        penultimate, x = x, last(x, attn_mask=model.attn_mask)
        end = (ids == self.eos).int().argmax(-1)
        states = model.ln_final(x.permute(1, 0, 2))
        pooled = states[torch.arange(len(ids)), end] @ model.text_projection
        return {"penultimate": penultimate.permute(1, 0, 2), "pooled": pooled}


def checkpoint_info(folder: Any) -> SimpleNamespace:
    """What a host knows of the loaded file."""
    return SimpleNamespace(
        filename=str(folder / "toy.safetensors"), name="toy.safetensors", title="toy.safetensors",
        name_for_extra="toy", sha256="ab" * 32,
    )  # fmt: skip


def alphas() -> Tensor:
    """SD's schedule."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    return (1 - betas).cumprod(0)


def picture(latents: Tensor, decoder: nn.Module) -> Any:
    """Latents [4, h, w] as a picture."""
    from PIL import Image

    pixels = decoder(latents[None])[0].clamp(-1, 1).add(1).mul(127.5).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())
