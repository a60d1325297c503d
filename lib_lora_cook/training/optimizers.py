"""What moves the adapters: the optimizer of a run, its arguments, and what it logs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch.optim import Optimizer

from ..config import OptimizerConfig, learning_rates, out_of_bounds
from ..errors import UserError
from . import learning_rate
from .optimizer_kinds import Arguments, Groups, Warn, factory_of, relative_step


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
    if is_adaptive(config.optimizer_type) and max(rates) <= 0.1:
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


def optimizer_text(optimizer: Optimizer, arguments: list[str]) -> str:
    """`torch.optim.adamw.AdamW(weight_decay=0.1,betas=[0.9, 0.99])`: what trains, by sd-scripts."""
    kind = type(optimizer)
    told = ",".join(f"{key}={value}" for key, value in parse_optimizer_args(arguments).items())
    return f"{kind.__module__}.{kind.__qualname__}" + (f"({told})" if told else "")


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
    if _has_own_rate(config):
        return lambda step: 1.0
    return learning_rate.schedule(config, total_steps)


def _has_own_rate(config: OptimizerConfig) -> bool:
    """Whether the optimizer has a schedule of its own."""
    name = config.optimizer_type.rpartition(".")[2].casefold()
    if name != "adafactor":
        return name.endswith("schedulefree")
    try:
        return relative_step(parse_optimizer_args(config.optimizer_args))
    except UserError:  # told where the arguments are looked at
        return True


def problems(config: OptimizerConfig) -> list[str]:
    """What is wrong, in words that say what to do; tries the optimizer on one number."""
    rates = list(learning_rates(config))
    wrong = out_of_bounds(config)
    if not any(rates):
        wrong.append("unet_lr and text_encoder_lr are both 0, nothing is trained: raise one")
    wrong += learning_rate.problems(config) + _of_adaptive(config.optimizer_type, rates)
    if config.lr_scheduler == "adafactor" and not _has_own_rate(config):
        wrong.append("lr_scheduler adafactor is for Adafactor with relative_step: choose constant")
    if config.optimizer_type.casefold() == "dadaptsgd" and config.lr_warmup_steps > 0:
        wrong.append(  # it divides by what it sees of the first step
            "DAdaptSGD cannot begin at a rate of 0: set lr_warmup_steps to 0, or choose DAdaptAdam"
        )
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


def is_adaptive(optimizer_type: str) -> bool:
    """Whether the optimizer finds one step size for all groups."""
    return optimizer_type.rpartition(".")[2].casefold().startswith(("prodigy", "dadapt"))


def _of_adaptive(optimizer_type: str, rates: list[float]) -> list[str]:
    different = sorted({rate for rate in rates if rate})
    if not is_adaptive(optimizer_type) or len(different) < 2:
        return []
    listed = " and ".join(f"{rate:g}" for rate in different)
    return [
        f"{optimizer_type} needs one learning rate for all parts, not {listed}: set unet_lr and "
        "text_encoder_lr to the same (1 is usual), or one of them to 0"
    ]
