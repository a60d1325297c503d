"""The README beside the assets, with the figures as measured."""

from __future__ import annotations

from typing import Any

_TEMPLATE = """\
# The toy world's assets

A checkpoint and a tagger for drawn characters of 64 x 64 pixels: small enough to ship, real enough
to train a LoRA on. They know nothing but the drawings of `lib_lora_cook/demo/drawing.py`.

| part | what it is | MB |
|---|---|---|
| `checkpoint/` | a `StableDiffusionPipeline` of the SD1 kind, half precision but for the \
text encoder: CLIP text encoder (width 128, 2 layers) with its own BPE of 624 tokens, UNet \
(64, 128, 128 channels, one layer a \
block, 5.9 M), 4-channel VAE with 8x downsampling (2.8 M), epsilon prediction | {checkpoint_mb} |
| `tagger/` | WD14's contract: `model.onnx` (NHWC float32 BGR 0..255 in, probabilities out) and \
`selected_tags.csv` | {tagger_mb} |

## Who knows what

The new character of `characters.py` has four features of her own: {new_tags}.

- The **VAE** and the **tagger** were trained on drawings with these features, on many characters:
  the one must be able to show them, the other to see them.
- The **UNet** and the **text encoder** were never shown one, and their captions never named one.
  What a LoRA draws of her, it learnt from its pictures.

## Made with

    python -m lib_lora_cook.demo.build_assets --out DIR [--device cpu]

on two CPU cores: {seconds}. Seeds are fixed; another number of threads gives other last digits.
The text encoder learns alone, to name each tag at its last token, and then stays as it is. The
decoder of the VAE is trained further after the encoder. Captions: tags with spaces for underscores,
comma-joined, shuffled, a tenth of them empty, a quarter with gaps. Loss of the UNet: squared error
of the noise, min-SNR 5, more weight on the cells of the face.

## Figures

`python -m lib_lora_cook.demo.build_assets --out DIR --evaluate` measures them again
(`figures.json`); nothing judged here was drawn for training.

Recall of prompted tags over {prompts} prompts of the base world, DDIM {steps} steps, guidance \
{guidance}, seen by the tagger at {threshold}:

| group | recall |
|---|---|
{recall}

The new character's features when a prompt names all four / in pictures of other prompts:

| feature | named | not named |
|---|---|---|
{new_rows}

The VAE's PSNR, and the tagger's micro-F1 before and after the VAE, on {count} drawings of a kind:

| drawings | PSNR, dB | F1 | F1 after the VAE |
|---|---|---|---|
{kinds}

The VAE limits how sharp a picture can be: 4 x 8 x 8 numbers hold the kinds and colours of things
better than the last pixel of an outline.
"""


def readme(figures: dict[str, Any], threshold: float, count: int) -> str:
    """The whole text, from `evaluate_assets` with `seconds` added."""
    drawn = figures["checkpoint"]
    kinds = figures["vae_psnr_db"]
    named, unasked = drawn["new_features_when_named"], drawn["new_features_unasked"]
    return _TEMPLATE.format(
        checkpoint_mb=figures["megabytes"]["checkpoint"],
        tagger_mb=figures["megabytes"]["tagger"],
        new_tags=", ".join(f"`{tag}`" for tag in named),
        seconds=", ".join(f"{name} {s} s" for name, s in figures["seconds"].items()),
        prompts=drawn["prompts"],
        steps=drawn["steps"],
        guidance=drawn["guidance"],
        threshold=threshold,
        count=count,
        recall=_rows((name, value) for name, value in drawn["recall"].items()),
        new_rows=_rows((f"`{tag}`", named[tag], unasked[tag]) for tag in named),
        kinds=_rows(
            (name, kinds[name], figures["tagger_f1"][name], figures["tagger_f1_after_vae"][name])
            for name in kinds
        ),
    )


def _rows(rows: Any) -> str:
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
