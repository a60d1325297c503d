"""What moves the adapters: optimizers under kohya's names, and the learning rate of each step.

Importing this needs torch only; an optimizer's own package is imported when it is asked for.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from torch.optim import Optimizer

from ..config import OptimizerConfig, learning_rates, out_of_bounds
from ..errors import UserError
from . import learning_rate

Groups = list[dict[str, Any]]
Arguments = dict[str, Any]
Warn = Callable[[str], None]
Factory = Callable[[Groups, Arguments, torch.device, Warn], Optimizer]

PACKAGES = (
    "bitsandbytes", "came_pytorch", "dadaptation", "lion_pytorch", "prodigyopt", "prodigyplus",
    "pytorch_optimizer", "schedulefree", "torch", "transformers",
)  # fmt: skip
"""What a dotted optimizer_type may import: a run file from elsewhere names nothing else."""

ONLY_8BIT = {"optim_bits", "args", "min_8bit_size", "percentile_clipping", "block_wise", "is_paged"}
"""Arguments of bitsandbytes that its stand-ins in torch do not have."""


def make_optimizer(
    config: OptimizerConfig, groups: Groups, device: torch.device | str, warn: Warn
) -> Optimizer:
    """The optimizer over groups {"params", "lr", and "name" for the log}, ready to train.

    A group keeps its full rate as "initial_lr". UserError for a name, a package or an argument that
    is not there.
    """
    factory = factory_of(config.optimizer_type)
    arguments = parse_optimizer_args(config.optimizer_args)
    rates = [float(group["lr"]) for group in groups]
    if not any(rates):
        raise UserError("Nothing is trained", "unet_lr and text_encoder_lr", "Raise one above 0")
    for problem in _of_adaptive(config.optimizer_type, rates):
        raise UserError(problem)
    if _is_adaptive(config.optimizer_type) and max(rates) <= 0.1:
        warn(f"{config.optimizer_type} finds the rate itself: a learning rate of 1 is usual")
    if "lr" in arguments:
        raise UserError("lr is no optimizer argument here", "optimizer_args", "Set learning_rate")
    full = [{**group, "initial_lr": rate} for group, rate in zip(groups, rates, strict=True)]
    optimizer = factory(full, {"lr": max(rates), **arguments}, torch.device(device), warn)
    if hasattr(optimizer, "train"):  # Schedule-free ones train on other weights than they show.
        optimizer.train()
    return optimizer


def set_learning_rates(optimizer: Optimizer, factor: float) -> None:
    """Every group's rate becomes its full one times the schedule's factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor


@contextmanager
def averaged_weights(optimizer: Optimizer) -> Iterator[None]:
    """Puts a schedule-free optimizer's average in place, to save or sample; others have none."""
    if not (hasattr(optimizer, "eval") and hasattr(optimizer, "train")):
        yield
        return
    optimizer.eval()
    try:
        yield
    finally:
        optimizer.train()


def effective_learning_rates(optimizer: Optimizer) -> dict[str, float]:
    """{"lr/unet": ..., and "lr/d*lr/unet" where the optimizer finds d}, as sd-scripts logs them."""
    rates = {}
    for index, group in enumerate(optimizer.param_groups):
        name, rate = group.get("name", f"group{index}"), group["lr"]
        if group.get("relative_step"):  # Adafactor has a rate of its own.
            state = optimizer.state.get(group["params"][0])
            rate = optimizer._get_lr(group, state) if state else 0.0  # type: ignore[attr-defined]
        rates[f"lr/{name}"] = float(rate)
        if "d" in group:
            rates[f"lr/d*lr/{name}"] = float(group["d"]) * float(rate)
    return rates


def parse_optimizer_args(arguments: list[str]) -> Arguments:
    """["betas=[0.9,0.99]"] -> {"betas": [0.9, 0.99]}, as sd-scripts; UserError names a bad one."""
    parsed = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not (equals and key.strip().isidentifier()):
            raise UserError("Not an optimizer argument", argument, "Write key=value")
        try:
            parsed[key.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise UserError(
                "Not a value for an optimizer argument", argument,
                "Write it as betas=[0.9,0.99], decouple=True or name='text'",
            ) from None  # fmt: skip
    return parsed


def learning_rate_factor(config: OptimizerConfig, total_steps: int) -> Callable[[int], float]:
    """f(s): the share of the full rate at step s, from 0; 1 where the optimizer has no schedule."""
    name = config.optimizer_type.rpartition(".")[2].casefold()
    adafactor = name == "adafactor" and _relative_step(parse_optimizer_args(config.optimizer_args))
    if adafactor or name.endswith("schedulefree"):
        return lambda step: 1.0
    return learning_rate.schedule(config, total_steps)


def problems(config: OptimizerConfig) -> list[str]:
    """What is wrong, in words that say what to do; tries the optimizer on one number."""
    rates = list(learning_rates(config))
    wrong = out_of_bounds(config)
    if not any(rates):
        wrong.append("unet_lr and text_encoder_lr are both 0, nothing is trained: raise one")
    wrong += learning_rate.problems(config) + _of_adaptive(config.optimizer_type, rates)
    heard = _complaint(factory_of, config.optimizer_type)
    for argument in config.optimizer_args:
        heard += _complaint(parse_optimizer_args, [argument])
    if not heard:  # At a rate of 1: what is wrong with the rates is said above.
        group = {"params": [torch.nn.Parameter(torch.ones(1, 1))], "lr": 1.0}
        heard = _complaint(make_optimizer, config, [group], "cpu", lambda message: None)
    return wrong + heard


def _complaint(call: Callable[..., object], *arguments: object) -> list[str]:
    """The UserError of a call as one line, if it raises one."""
    try:
        call(*arguments)
    except UserError as error:
        return [str(error)]
    return []


def factory_of(optimizer_type: str) -> Factory:
    """The maker of an optimizer: kohya's names in any case, torch.optim's as they are written.

    Of a dotted name, which metadata and other trainers have, the last part may be one of kohya's.
    """
    module, _, name = optimizer_type.rpartition(".")
    for known, factory in OPTIMIZERS.items():
        if known.casefold() == name.casefold():
            return factory
    if module.partition(".")[0] in PACKAGES:
        return _imported(name, module)
    if module:
        to_do = f"Its package must be one of {', '.join(PACKAGES)}"
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
    """torch's: one kernel for all tensors on CUDA; one tensor after the other on the CPU."""
    if device.type == "cuda" and not {"foreach", "fused"} & arguments.keys():
        arguments = {**arguments, "fused": True}
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
    arguments = {**arguments, "relative_step": _relative_step(arguments)}
    if arguments["relative_step"]:
        warn("Adafactor ignores learning rates and schedule; relative_step=False keeps them")
        arguments["lr"] = None
    return _imported("Adafactor", "transformers.optimization")(groups, arguments, device, warn)


OPTIMIZERS: dict[str, Factory] = {
    "AdamW": _adamw,
    "AdamW8bit": _8bit("AdamW8bit", "AdamW"),
    "Prodigy": _imported("Prodigy", "prodigyopt"),
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
"""Every name that sd-scripts knows; torch.optim's own names come besides."""


def _relative_step(arguments: Arguments) -> bool:
    """Adafactor's, on unless switched off; warmup_init switches it on again, as in sd-scripts."""
    return bool(arguments.get("relative_step", True) or arguments.get("warmup_init", False))


def _is_adaptive(optimizer_type: str) -> bool:
    """Whether the optimizer finds one step size for all groups."""
    return optimizer_type.rpartition(".")[2].casefold().startswith(("prodigy", "dadapt"))


def _of_adaptive(optimizer_type: str, rates: list[float]) -> list[str]:
    different = sorted({rate for rate in rates if rate})
    if not _is_adaptive(optimizer_type) or len(different) < 2:
        return []
    listed = " and ".join(f"{rate:g}" for rate in different)
    return [
        f"{optimizer_type} needs one learning rate for all parts, not {listed}: set unet_lr and "
        "text_encoder_lr to the same (1 is usual), or one of them to 0"
    ]


def _torch_names() -> list[str]:
    """torch.optim's classes that can train adapters."""
    unfit = ("Optimizer", "LBFGS", "SparseAdam")  # Need a closure, or sparse gradients.
    classes = {name for name, it in vars(torch.optim).items() if inspect.isclass(it)}
    return sorted(classes - set(unfit))


def _nearest(name: str) -> str:
    by_folded = {known.casefold(): known for known in [*_torch_names(), *OPTIMIZERS]}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[near[0]] if near else ""
