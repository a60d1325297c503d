"""Optimizers under kohya's names, and those of other packages under their dotted ones.

Importing this needs torch only; an optimizer's own package is imported when it is asked for.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from importlib.metadata import packages_distributions
from typing import Any

import torch
from torch.optim import Optimizer

from ..errors import UserError

Groups = list[dict[str, Any]]
Arguments = dict[str, Any]
Warn = Callable[[str], None]
Factory = Callable[[Groups, Arguments, torch.device, Warn], Optimizer]

ONLY_8BIT = {"optim_bits", "args", "min_8bit_size", "percentile_clipping", "block_wise", "is_paged"}
"""Arguments of bitsandbytes that its stand-ins in torch do not have."""


def factory_of(optimizer_type: str) -> Factory:
    """The maker of an optimizer: kohya's names in any case, torch.optim's as they are written.

    Of a dotted name, which metadata and other trainers have, the last part may be one of kohya's.
    """
    module, _, name = optimizer_type.rpartition(".")
    for known, factory in OPTIMIZERS.items():
        if known.casefold() == name.casefold():
            return factory
    package = module.partition(".")[0]
    # Of what pip has installed only: a run file from elsewhere runs no other code.
    if module and package in packages_distributions():
        return _imported(name, module)
    if module:
        to_do = f"Install the package {package} with pip, or choose AdamW"
    elif name in _torch_names():
        return _imported(name, "torch.optim")
    else:
        near = _nearest(name)
        to_do = f"Did you mean {near}?" if near else f"Choose one of {', '.join(OPTIMIZERS)}"
    raise UserError("No such optimizer", f"optimizer_type {optimizer_type}", to_do)


def _imported(name: str, *modules: str, **defaults: Any) -> Factory:
    """A maker of `name` out of the first of these modules that is there; UserError if none is."""

    def make(groups: Groups, arguments: Arguments, device: torch.device, warn: Warn) -> Optimizer:
        for module in modules:
            try:
                found = getattr(importlib.import_module(module), name, None)
            except ImportError:
                continue
            if inspect.isclass(found) and issubclass(found, Optimizer):
                return _constructed(found, groups, {**defaults, **arguments})
        package = modules[0].partition(".")[0].replace("_", "-")
        package = PIP_NAMES.get(package, package)
        raise UserError(
            f"{name} needs the package {package}, which is not there or does not have it",
            "optimizer_type", f"pip install -U {package}, or choose AdamW",
        )  # fmt: skip

    return make


def _constructed(kind: type[Optimizer], groups: Groups, arguments: Arguments) -> Optimizer:
    """kind(groups, ...), its complaints about the arguments put as a UserError."""
    try:
        with redirect_stdout(sys.stderr):  # Prodigy greets; a command's output may be JSON.
            return kind(groups, **arguments)
    except (TypeError, ValueError, AssertionError) as error:
        what = f"{kind.__name__} does not take these optimizer_args"
        raise UserError(what, error, "Correct or remove the argument") from error


def _adamw(groups: Groups, arguments: Arguments, device: torch.device, warn: Warn) -> Optimizer:
    """torch's: one kernel for many tensors where there is one, else an operator after the other."""
    if device.type in ("cuda", "cpu") and not {"foreach", "fused"} & arguments.keys():
        with suppress(RuntimeError):  # Before torch 2.4 it is for CUDA alone.
            own = [dict(group) for group in groups]  # It writes into them before it complains.
            return _constructed(torch.optim.AdamW, own, {**arguments, "fused": True})
    return _constructed(torch.optim.AdamW, groups, arguments)


def _8bit(name: str, stand_in: str, **defaults: Any) -> Factory:
    """bitsandbytes' on CUDA; elsewhere, or where it does not load, the stand-in and a word."""

    def make(groups: Groups, arguments: Arguments, device: torch.device, warn: Warn) -> Optimizer:
        reason = "needs an NVIDIA GPU"
        if device.type == "cuda":
            try:
                found = getattr(importlib.import_module("bitsandbytes.optim"), name)
                return _constructed(found, groups, {**defaults, **arguments})
            # Its CUDA library fails to load in many ways.
            except (ImportError, AttributeError, RuntimeError, OSError) as error:
                reason = f"needs bitsandbytes ({error})"
        warn(f"{name} {reason}: {stand_in} trains in its place, in more memory")
        kept = {key: value for key, value in arguments.items() if key not in ONLY_8BIT}
        return OPTIMIZERS[stand_in](groups, kept, device, warn)

    return make


def _adafactor(groups: Groups, arguments: Arguments, device: torch.device, warn: Warn) -> Optimizer:
    """transformers' (arXiv 1804.04235); it ignores learning rates unless relative_step=False."""
    arguments = {**arguments, "relative_step": relative_step(arguments)}
    if arguments["relative_step"]:
        warn("Adafactor ignores learning rates and schedule; relative_step=False keeps them")
        arguments["lr"] = None
    return _imported("Adafactor", "transformers.optimization")(groups, arguments, device, warn)


PIP_NAMES = {"prodigyplus": "prodigy-plus-schedule-free"}
"""Packages that pip knows by another name than Python."""

OPTIMIZERS: dict[str, Factory] = {
    "AdamW": _adamw,
    "AdamW8bit": _8bit("AdamW8bit", "AdamW"),
    "Prodigy": _imported("Prodigy", "prodigyopt"),
    "ProdigyPlusScheduleFree": _imported("ProdigyPlusScheduleFree", "prodigyplus"),
    "Adafactor": _adafactor,
    "Lion": _imported("Lion", "lion_pytorch", "pytorch_optimizer"),
    "CAME": _imported("CAME", "pytorch_optimizer", "came_pytorch"),
    "SGDNesterov": _imported("SGD", "torch.optim", nesterov=True, momentum=0.9),
    "Lion8bit": _8bit("Lion8bit", "Lion"),
    "PagedLion8bit": _8bit("PagedLion8bit", "Lion"),
    "SGDNesterov8bit": _8bit("SGD8bit", "SGDNesterov", nesterov=True, momentum=0.9),
    "DAdaptation": _imported("DAdaptAdamPreprint", "dadaptation.experimental"),
    **{name: _8bit(name, "AdamW") for name in ("PagedAdamW", "PagedAdamW8bit", "PagedAdamW32bit")},
    **{
        f"DAdapt{name}": _imported(f"DAdapt{name}", "dadaptation", "dadaptation.experimental")
        for name in ("Adam", "AdaGrad", "Adan", "Lion", "SGD", "AdamPreprint", "AdanIP")
    },
    **{
        f"{name}ScheduleFree": _imported(f"{name}ScheduleFree", "schedulefree")
        for name in ("AdamW", "RAdam", "SGD")
    },
}
"""Every name that sd-scripts knows, and two more; torch.optim's own names come besides."""


def relative_step(arguments: Arguments) -> bool:
    """Adafactor's, on unless switched off; warmup_init switches it on again, as in sd-scripts."""
    return bool(arguments.get("relative_step", True) or arguments.get("warmup_init", False))


def _torch_names() -> list[str]:
    """torch.optim's classes that can train adapters."""
    unfit = ("Optimizer", "LBFGS", "SparseAdam")  # Need a closure, or sparse gradients.
    classes = {name for name, it in vars(torch.optim).items() if inspect.isclass(it)}
    return sorted(classes - set(unfit))


def _nearest(name: str) -> str:
    by_folded = {known.casefold(): known for known in [*_torch_names(), *OPTIMIZERS]}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[near[0]] if near else ""
