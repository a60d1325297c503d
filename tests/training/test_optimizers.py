"""Optimizers by kohya's names: made, stepped, logged; wrong settings named before a run."""

from __future__ import annotations

import copy
import math
import sys
from typing import Any

import pytest
import torch
from torch.optim import Optimizer

from lib_lora_cook.config import OptimizerConfig
from lib_lora_cook.errors import UserError
from lib_lora_cook.training.optimizer_kinds import OPTIMIZERS, factory_of
from lib_lora_cook.training.optimizers import (
    averaged_weights,
    effective_learning_rates,
    make_optimizer,
    optimizer_text,
    parse_optimizer_args,
    problems,
    set_learning_rates,
)

HERE = [name for name in OPTIMIZERS if name != "ProdigyPlusScheduleFree"]
"""All whose package the tests have."""


def make(
    name: str, *arguments: str, rates: tuple[float, float] = (1.0, 1.0), **settings: Any
) -> tuple[Optimizer, list[str]]:
    torch.manual_seed(0)
    groups = [
        {"params": [torch.nn.Parameter(torch.randn(4, 3))], "lr": rate, "name": part}
        for part, rate in zip(("text_encoder", "unet"), rates, strict=True)
    ]
    config = OptimizerConfig(optimizer_type=name, optimizer_args=list(arguments), **settings)
    warnings: list[str] = []
    return make_optimizer(config, groups, "cpu", warnings.append), warnings


def parameters(optimizer: Optimizer) -> list[torch.Tensor]:
    return [it for group in optimizer.param_groups for it in group["params"]]


def take_steps(optimizer: Optimizer, count: int = 3) -> list[float]:
    losses = []
    for _ in range(count):
        optimizer.zero_grad(set_to_none=True)
        loss = torch.stack([(it - 2).square().mean() for it in parameters(optimizer)]).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning:pytorch_optimizer")
@pytest.mark.parametrize("name", [*HERE, "NAdam", "RMSprop", "Adagrad", "torch.optim.Adam"])
def test_every_optimizer_moves_both_groups(name: str) -> None:
    optimizer, _ = make(name, rates=(0.05, 0.05))
    before = [it.detach().clone() for it in parameters(optimizer)]
    losses = take_steps(optimizer, 8)  # RAdam waits for a few.
    assert all(map(math.isfinite, losses))
    assert not any(torch.equal(a, b) for a, b in zip(before, parameters(optimizer), strict=True))
    rates = effective_learning_rates(optimizer)
    assert {"lr/text_encoder", "lr/unet"} <= rates.keys()
    assert all(math.isfinite(rate) for rate in rates.values())


@pytest.mark.parametrize("name", ["AdamW", "Prodigy", "Adafactor", "SGDNesterov"])
def test_state_goes_through_a_checkpoint(name: str) -> None:
    whole, _ = make(name)
    take_steps(whole, 3)
    first, _ = make(name)
    take_steps(first, 2)
    second, _ = make(name)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    with torch.no_grad():
        for new, old in zip(parameters(second), parameters(first), strict=True):
            new.copy_(old)
    take_steps(second, 1)
    assert all(
        torch.equal(a, b) for a, b in zip(parameters(second), parameters(whole), strict=True)
    )
    assert [group["name"] for group in second.param_groups] == ["text_encoder", "unet"]


def test_adamw_is_torchs() -> None:
    optimizer, warnings = make("AdamW", "weight_decay=0.1", "betas=[0.9,0.99]", rates=(0.1, 0.2))
    assert type(optimizer) is torch.optim.AdamW and warnings == []
    first, second = optimizer.param_groups
    assert (first["lr"], second["lr"]) == (0.1, 0.2)
    assert (first["weight_decay"], list(first["betas"])) == (0.1, [0.9, 0.99])
    assert first["fused"] and second["fused"]


def test_where_torch_has_no_fused_adamw_it_is_the_plain_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Old(torch.optim.AdamW):
        def __init__(self, groups: Any, **arguments: Any) -> None:
            super().__init__(groups, **arguments)
            if arguments.get("fused"):  # as torch 2.1 on a CPU, its groups filled in already
                raise RuntimeError("`fused=True` requires all the params to be on CUDA")

    fused, _ = make("AdamW")
    monkeypatch.setattr(torch.optim, "AdamW", Old)
    plain, warnings = make("AdamW")
    assert type(plain) is Old and warnings == []
    assert not plain.param_groups[0]["fused"]
    for optimizer in (fused, plain):
        take_steps(optimizer)
    torch.testing.assert_close(parameters(fused), parameters(plain))


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("AdamW", ["weight_decay=0.1", "betas=[0.9,0.99]"],
         "torch.optim.adamw.AdamW(weight_decay=0.1,betas=[0.9, 0.99])"),
        ("AdamW8bit", [], "torch.optim.adamw.AdamW"),  # what trained in its place
        ("Prodigy", ["decouple=True"], "prodigyopt.prodigy.Prodigy(decouple=True)"),
    ],
)  # fmt: skip
def test_what_trains_is_told_as_sd_scripts_tells_it(
    name: str, arguments: list[str], told: str
) -> None:
    assert optimizer_text(make(name, *arguments)[0], arguments) == told


def test_an_optimizer_of_any_installed_package_is_taken_by_its_dotted_name() -> None:
    optimizer, _ = make("pytorch_optimizer.optimizer.adabelief.AdaBelief", rates=(0.05, 0.05))
    assert type(optimizer).__module__.startswith("pytorch_optimizer")
    assert problems(OptimizerConfig(optimizer_type="pytorch_optimizer.AdaBelief")) == []


def test_the_groups_given_are_not_altered() -> None:
    group = {"params": [torch.nn.Parameter(torch.ones(2))], "lr": 0.1, "name": "unet"}
    make_optimizer(OptimizerConfig(), [group], "cpu", print)
    assert group.keys() == {"params", "lr", "name"}


@pytest.mark.parametrize("name", ["prodigy", "ADAMW", "sgdnesterov", "torch.optim.adamw.AdamW"])
def test_kohyas_names_in_any_case_and_with_dots(name: str) -> None:
    assert factory_of(name) in OPTIMIZERS.values()


def test_sgd_has_nesterovs_momentum() -> None:
    group = make("SGDNesterov")[0].param_groups[0]
    assert group["nesterov"] and group["momentum"] == 0.9
    assert make("SGDNesterov", "momentum=0.5")[0].param_groups[0]["momentum"] == 0.5


@pytest.mark.parametrize("name", ["AdamW8bit", "PagedAdamW8bit"])
def test_8bit_without_a_gpu_is_adamw_and_says_so(name: str) -> None:
    optimizer, warnings = make(name, "weight_decay=0.1", "min_8bit_size=1024")
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.param_groups[0]["weight_decay"] == 0.1
    assert len(warnings) == 1 and name in warnings[0] and "AdamW trains" in warnings[0]


def test_8bit_without_bitsandbytes_is_adamw_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    warnings: list[str] = []
    group = {"params": [torch.nn.Parameter(torch.ones(2))], "lr": 0.1}
    factory = factory_of("AdamW8bit")
    optimizer = factory([group], {"fused": False}, torch.device("cuda"), warnings.append)
    assert type(optimizer) is torch.optim.AdamW
    assert "needs bitsandbytes" in warnings[0]


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["AdamW", "AdamW8bit", "Prodigy"])
def test_steps_on_the_gpu(name: str) -> None:
    if name == "AdamW8bit":
        pytest.importorskip("bitsandbytes")
    group = {"params": [torch.nn.Parameter(torch.ones(64, 128, device="cuda"))], "lr": 0.05}
    config = OptimizerConfig(optimizer_type=name)
    warnings: list[str] = []
    optimizer = make_optimizer(config, [group], "cuda", warnings.append)
    take_steps(optimizer)
    assert parameters(optimizer)[0].isfinite().all()
    assert type(optimizer).__name__ == name and (name == "Prodigy" or warnings == [])


def test_the_rate_moves_below_the_full_one() -> None:
    optimizer, _ = make("AdamW", rates=(0.1, 0.4))
    set_learning_rates(optimizer, 0.5)
    assert effective_learning_rates(optimizer) == {"lr/text_encoder": 0.05, "lr/unet": 0.2}
    set_learning_rates(optimizer, 0.5)
    assert optimizer.param_groups[1]["lr"] == 0.2


def test_prodigy_logs_d_times_lr(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (
        "decouple=True", "weight_decay=0.01", "betas=[0.9,0.999]", "d_coef=2",
        "use_bias_correction=True", "safeguard_warmup=True",
    )  # fmt: skip
    optimizer, warnings = make("Prodigy", *arguments, rates=(0.5, 0.5))
    take_steps(optimizer, 60)
    rates, d = effective_learning_rates(optimizer), float(optimizer.param_groups[0]["d"])
    assert capsys.readouterr().out == ""
    assert warnings == [] and d > 1e-6
    assert rates["lr/unet"] == 0.5 and rates["lr/d*lr/unet"] == pytest.approx(d * 0.5)


def test_prodigy_at_a_low_rate_is_warned_of() -> None:
    assert "learning rate of 1" in make("Prodigy", rates=(1e-4, 1e-4))[1][0]


def test_prodigy_refuses_unequal_rates() -> None:
    with pytest.raises(UserError, match="not 0.5 and 1: set unet_lr"):
        make("Prodigy", rates=(0.5, 1.0))
    make("Prodigy", rates=(0.0, 1.0))


def test_adafactor_finds_its_rate_unless_told_not_to() -> None:
    optimizer, warnings = make("Adafactor", rates=(0.1, 0.1))
    assert "ignores learning rates" in warnings[0]
    assert effective_learning_rates(optimizer)["lr/unet"] == 0.0
    take_steps(optimizer)
    assert 0 < effective_learning_rates(optimizer)["lr/unet"] != 0.1

    arguments = ("scale_parameter=False", "relative_step=False", "warmup_init=False")
    optimizer, warnings = make("Adafactor", *arguments, rates=(0.1, 0.1))
    take_steps(optimizer)
    assert warnings == [] and effective_learning_rates(optimizer)["lr/unet"] == 0.1


def test_adafactors_warmup_init_brings_relative_step_back() -> None:
    optimizer, _ = make("Adafactor", "relative_step=False", "warmup_init=True")
    assert optimizer.param_groups[0]["relative_step"]


def test_schedule_free_saves_its_average() -> None:
    optimizer, _ = make("AdamWScheduleFree", rates=(0.1, 0.1))
    take_steps(optimizer)
    training = [it.detach().clone() for it in parameters(optimizer)]
    with averaged_weights(optimizer):
        assert not torch.equal(training[0], parameters(optimizer)[0])
    torch.testing.assert_close(parameters(optimizer)[0].detach(), training[0])
    take_steps(optimizer)


def test_others_have_no_average() -> None:
    optimizer, _ = make("AdamW")
    before = [it.detach().clone() for it in parameters(optimizer)]
    with averaged_weights(optimizer):
        assert torch.equal(before[0], parameters(optimizer)[0])


def came_step(
    weight: torch.Tensor, grad: torch.Tensor, state: dict[str, torch.Tensor]
) -> torch.Tensor:
    """Algorithm 2 of arXiv 2307.02047 for a matrix, at lr 0.01 and weight decay 0.04."""

    def factored(name: str, square: torch.Tensor, beta: float) -> torch.Tensor:
        for side, dim in (("row", 1), ("column", 0)):
            mean = square.mean(dim)
            key = f"{name}.{side}"
            state[key] = beta * state.get(key, torch.zeros_like(mean)) + (1 - beta) * mean
        row, column = state[f"{name}.row"], state[f"{name}.column"]
        return torch.outer(row, column) / row.mean()

    update = grad / factored("square", grad.square() + 1e-30, 0.999).sqrt()
    update = update / update.square().mean().sqrt().clamp(min=1.0)
    average = 0.9 * state.get("average", torch.zeros_like(update)) + 0.1 * update
    state["average"] = average
    unsure = factored("unsure", (update - average).square() + 1e-16, 0.9999)
    return weight - 0.01 * (0.04 * weight + average / unsure.sqrt())


def test_came_is_the_papers() -> None:
    optimizer, _ = make("CAME", "weight_decay=0.04", rates=(0.01, 0.01))
    weight = parameters(optimizer)[0]
    expected, state = weight.detach().clone(), {}
    for _ in range(3):
        take_steps(optimizer, 1)
        assert weight.grad is not None
        expected = came_step(expected, weight.grad, state)
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-4, atol=1e-5)


def test_arguments_are_read_as_sd_scripts_does() -> None:
    given = ["weight_decay=0.1", "betas=[0.9,0.99]", "decouple=True", "x='a=b'", "n=None", "k = 1"]
    assert parse_optimizer_args(given) == {
        "weight_decay": 0.1, "betas": [0.9, 0.99], "decouple": True, "x": "a=b", "n": None, "k": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "argument",
    ["", "decouple", "=1", "decouple=true", "a=[1", "__x__", "a=__import__('os')", "a b=1", "a="],
)
def test_a_wrong_argument_is_named(argument: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_optimizer_args(["weight_decay=0.1", argument])
    assert caught.value.where == argument


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"optimizer_type": "Prodgy"}, "Did you mean Prodigy?"),
        ({"optimizer_type": "adam"}, "Did you mean Adam?"),
        ({"optimizer_type": "xyzzy"}, "Choose one of AdamW, "),
        ({"optimizer_type": "LBFGS"}, "No such optimizer"),
        ({"optimizer_type": "Optimizer"}, "No such optimizer"),
        ({"optimizer_type": ""}, "No such optimizer"),
        ({"optimizer_type": "os.path.join"}, "Install the package os with pip"),
        ({"optimizer_type": "this.Optimizer"}, "Install the package this with pip"),
        ({"lr_scheduler": "adafactor"}, "for Adafactor with relative_step"),
        (
            {"optimizer_type": "ProdigyPlusScheduleFree", "learning_rate": 1.0},
            "pip install -U prodigy-plus-schedule-free",
        ),
        ({"optimizer_type": "torch.nn.Linear"}, "needs the package torch"),
        ({"optimizer_args": ["decouple=True"]}, "AdamW does not take these optimizer_args"),
        ({"optimizer_args": ["betas=[2,0.9]"]}, "Invalid beta parameter"),
        ({"optimizer_args": ["lr=1"]}, "Set learning_rate"),
        ({"optimizer_args": ["decouple"]}, "Write key=value"),
        (
            {"optimizer_type": "Prodigy", "unet_lr": 1.0, "text_encoder_lr": 0.5},
            "needs one learning rate for all parts, not 0.5 and 1",
        ),
        ({"optimizer_type": "DAdaptAdam", "unet_lr": 1.0}, "needs one learning rate"),
        ({"unet_lr": 0, "text_encoder_lr": 0}, "nothing is trained"),
        ({"learning_rate": -1e-4, "unet_lr": 1.0}, "learning_rate is -0.0001: give 0 or more"),
        ({"lr_warmup_steps": 10}, "constant has no warm-up"),
        (
            {
                "optimizer_type": "DAdaptSGD",
                "learning_rate": 1.0,
                "lr_scheduler": "linear",
                "lr_warmup_steps": 5.0,
            },
            "DAdaptSGD cannot begin at a rate of 0",
        ),
        ({"lr_scheduler": "sine"}, "lr_scheduler is 'sine': choose one of"),
    ],
)
def test_problems_say_what_to_do(settings: dict[str, Any], says: str) -> None:
    assert says in "\n".join(problems(OptimizerConfig(**settings)))


def test_all_problems_come_at_once() -> None:
    config = OptimizerConfig(
        optimizer_type="Adamm", optimizer_args=["a", "b=c"], lr_warmup_steps=5, learning_rate=0
    )
    assert len(problems(config)) == 5


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer_type": "AdamW8bit", "optimizer_args": ["weight_decay=0.1", "betas=[0.9,0.99]"]},
        {"optimizer_type": "Prodigy", "learning_rate": 1.0},
        {"optimizer_type": "Prodigy", "learning_rate": 1.0, "text_encoder_lr": 0},
        {"optimizer_type": "Adafactor", "optimizer_args": ["relative_step=False"]},
    ],
)
def test_good_settings_have_no_problems(settings: dict[str, Any]) -> None:
    assert problems(OptimizerConfig(**settings)) == []


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("Prodigy", "prodigyopt"), ("Lion", "lion-pytorch"), ("CAME", "pytorch-optimizer"),
        ("DAdaptAdam", "dadaptation"), ("SGDScheduleFree", "schedulefree"),
    ],
)  # fmt: skip
def test_a_missing_package_is_named(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("prodigyopt", "lion_pytorch", "pytorch_optimizer", "came_pytorch",
                   "dadaptation", "dadaptation.experimental", "schedulefree"):  # fmt: skip
        monkeypatch.setitem(sys.modules, module, None)
    found = problems(OptimizerConfig(optimizer_type=name, learning_rate=1.0))
    assert len(found) == 1 and f"pip install -U {package}" in found[0]


def test_nothing_to_train_is_refused() -> None:
    with pytest.raises(UserError, match="Nothing is trained"):
        make_optimizer(OptimizerConfig(), [], "cpu", print)
