"""The walls of the house: who imports whom, how large things grow, what every setting says.

ARCHITECTURE's table is `LAYERS` here. A new arrow is a decision: it needs its line in the table.
"""

from __future__ import annotations

import ast
import dataclasses
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_type_hints

import pytest

from lib_lora_cook import config

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "lib_lora_cook"
HOST_MODULES = {"modules", "modules_forge", "backend", "ldm_patched", "networks", "ldm", "sgm"}
"""What only a WebUI brings."""
HOSTED = " ".join(HOST_MODULES) + " torch PIL"


@dataclasses.dataclass(frozen=True)
class Layer:
    """What one layer may import beside the standard library, `errors` and `jobs`."""

    own: str = ""
    third: str = ""


ABOVE = (
    "config config_file formats recipes dataset gather captioning models networks training "
    "hosts.base cook runs compare"
)
"""What the page, the routes, the shell and the demo stand below."""
LAYERS = {
    "errors": Layer(),
    "jobs": Layer(),
    "config": Layer(),
    "config_file": Layer("config", "toml"),
    "recipes": Layer("config_file"),
    "formats": Layer("config config_file", "toml"),
    "gather": Layer("config dataset", "PIL"),
    # torch: where it is there, its resize is what decides how fast a dataset is tagged
    "captioning": Layer("dataset", "onnxruntime numpy PIL huggingface_hub torch"),
    "dataset": Layer("config", "PIL numpy cv2 pillow_avif pillow_jxl"),
    "models": Layer("config", "torch safetensors lycoris"),
    "models.diffusers": Layer("config", "torch safetensors diffusers transformers"),
    "networks": Layer("config", "torch safetensors lycoris"),
    # numpy and Pillow: a batch is made of the dataset's pictures; safetensors: the latents on disk.
    "training": Layer(
        "config dataset models networks", "torch prodigyopt bitsandbytes numpy PIL safetensors"
    ),
    # a host hands back pictures, lends taggers, and shows a file's card
    "hosts.base": Layer("config captioning.base models.trainable networks.card", "PIL"),
    "hosts.detect": Layer("hosts"),  # the one that knows them all
    # webui, patched, blocks and borrow hold what the WebUIs share; a host does not know another.
    "hosts": Layer(
        "hosts.base hosts.webui hosts.patched hosts.blocks hosts.borrow hosts.dressed hosts.refuse "
        "hosts.settings hosts.taggers hosts.txt2img config captioning models networks",
        HOSTED,
    ),
    "hosts.neo": Layer("hosts.forge hosts.patched hosts.borrow hosts.refuse", HOSTED),  # a Forge
    "hosts.upscaling": Layer(third="torch PIL numpy spandrel"),
    "hosts.standalone": Layer(
        "hosts.base hosts.upscaling config captioning models networks",
        "torch diffusers transformers safetensors PIL numpy spandrel",
    ),
    "runs": Layer("config config_file", "toml"),
    # an epoch is scored by the prompts and measures of a sheet
    "cook": Layer(
        "config config_file dataset captioning models networks training hosts.base compare",
        "torch PIL",
    ),
    # the captions say what to try, the training pictures what was copied
    "compare": Layer("config dataset captioning hosts.base networks.card", "PIL numpy"),
    "demo": Layer(
        ABOVE + " hosts.detect",
        "torch diffusers transformers tokenizers safetensors onnx onnxruntime PIL numpy",
    ),
    "ui": Layer(ABOVE, "gradio PIL"),
    # The routes start and watch the same run as the page; what they share knows no gradio.
    "api": Layer(ABOVE + " ui.texts ui.work ui.form ui.runner", "fastapi pydantic"),
    # A shell has no WebUI around it: its verbs build the host that needs none.
    "commands": Layer(ABOVE + " hosts.detect hosts.standalone demo ui", "toml"),
    "cli": Layer("commands"),
    "__main__": Layer("cli"),
    "__init__": Layer(),
}
FREE = {"errors", "jobs"}
"""Everyone may import these."""

NAMES_NOT_USED = {"utils", "util", "common", "helper", "helpers", "manager", "misc"}
TESTS_OF_THE_WHOLE = {"test_house", "test_packaging"}
"""Tests that belong to no single file: of the walls, and of what is installed."""


@cache
def modules() -> dict[str, Path]:
    """Dotted name inside the package ("models.text") -> its file."""
    folder = ROOT / PACKAGE
    return {
        ".".join(path.relative_to(folder).with_suffix("").parts): path
        for path in sorted(folder.rglob("*.py"))
        if "assets" not in path.parts
    }


def layer_of(module: str, layers: dict[str, Layer]) -> str:
    """The longest entry of the table that `module` is, or is inside of."""
    parts = module.split(".")
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((name for name in names if name in layers), module)


def imports(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of every import anywhere in the file, functions included.

    `from a import b` gives a.b: b may be a module.
    """
    package = [PACKAGE, *module.split(".")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = ast.unparse(node.func).split(".")[-1]
            if called in ("import_module", "__import__") and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def inside(name: str, allowed: str) -> bool:
    """Whether `name` is one of `allowed`, or lies in one of those folders."""
    return any(name == one or name.startswith(one + ".") for one in allowed.split())


def bad_arrows(source: str, module: str) -> list[str]:
    """One line for every import in `source` that the table does not have."""
    layer = layer_of(module, LAYERS)
    if layer not in LAYERS:
        return [f"{module}: has no line in the table"]
    own, third, bad = LAYERS[layer].own, LAYERS[layer].third, []
    for line, name in imports(ast.parse(source), module):
        first, _, rest = name.partition(".")
        if first in sys.stdlib_module_names or first in ("__future__", "tomllib"):
            continue
        if first != PACKAGE:
            good = first in third.split()
        else:  # hosts do not know each other; elsewhere the files of one folder do
            folder = (
                module.split(".")[0] if "." in module and layer.split(".")[0] != "hosts" else ""
            )
            good = layer_of(rest, LAYERS) in FREE or inside(rest, f"{own} {folder}")
        if not good:
            bad.append(f"{module}:{line}: {layer} may not import {name}")
    return bad


@pytest.mark.parametrize("module", modules())
def test_imports_only_what_stands_above(module: str) -> None:
    assert bad_arrows(modules()[module].read_text(encoding="utf-8"), module) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("dataset.images", "import torch"),
        ("dataset.images", "from ..training import plan"),
        ("dataset.images", "def scan():\n    import gradio"),
        ("dataset.images", "from lib_lora_cook.hosts.base import Host"),
        ("dataset.images", "from .. import training"),
        ("config", "from .config_file import read_run"),
        ("errors", "import numpy"),
        ("models.text", "from diffusers import AutoencoderKL"),
        ("models.text", "from ..networks.attach import attach"),
        ("networks.attach", "from ..models.names import kohya_name"),
        ("training.train", "from modules import shared"),
        ("training.train", "import importlib\nimportlib.import_module('gradio')"),
        ("training.train", "if TYPE_CHECKING:\n    from ..hosts.base import Host"),
        ("hosts.base", "import torch"),
        ("hosts.base", "from ..models.ldm import LdmModel"),
        ("hosts.forge", "from .a1111 import Host"),
        ("hosts.forge", "import gradio"),
        ("compare.render", "from ..hosts.forge import Host"),
        ("compare.render", "from ..hosts import forge"),
        ("commands", "from .hosts.a1111 import Host"),
        ("cli", "import torch"),
        ("ui.tab", "from ..demo import drawing"),
        ("api", "import gradio"),
        ("brand_new", "import os"),
    ],
)
def test_the_rule_sees_a_bad_arrow(module: str, source: str) -> None:
    assert len(bad_arrows(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "dataset.images",
            "from __future__ import annotations\nimport os, numpy\nfrom PIL import Image",
        ),
        (
            "dataset.journal",
            "from ..errors import UserError\nfrom ..jobs import Job\nfrom . import changes",
        ),
        (
            "models.diffusers",
            "from diffusers import UNet2DConditionModel\nfrom .names import kohya_name",
        ),
        ("models.ldm", "from .trainable import TrainableModel"),
        ("training.train", "from ..models.trainable import TrainableModel\nimport torch.nn as nn"),
        ("hosts.forge", "from backend import memory_management\nfrom .webui import WebuiHost"),
        ("hosts.detect", "from importlib.util import find_spec\nfrom .forge import ForgeHost"),
        ("hosts.base", "from ..models.trainable import TrainableModel"),
        (
            "commands",
            "import argparse\nfrom .hosts.detect import detect\nfrom .demo.meal import serve",
        ),
        ("ui.tab", "import gradio as gr\nfrom ..training.plan import plan"),
    ],
)
def test_the_rule_lets_a_good_arrow_pass(module: str, source: str) -> None:
    assert bad_arrows(source, module) == []


def test_the_steps_of_the_page_do_not_know_each_other() -> None:
    steps = ("ui.gather", "ui.clean", "ui.tag", "ui.cook", "ui.taste")
    crossing = [
        f"{module} -> {name}"
        for module, path in modules().items() if module.startswith(steps)
        for _, name in imports(ast.parse(path.read_text(encoding="utf-8")), module)
        for step in steps
        if inside(name, f"{PACKAGE}.{step}") and not module.startswith(step)
    ]  # fmt: skip
    assert crossing == []


def test_the_door_from_the_host_is_thin() -> None:
    door = ROOT / "scripts" / "lora_cook.py"
    if not door.is_file():
        pytest.skip("there is no door yet")
    source = door.read_text(encoding="utf-8")
    names = [name for _, name in imports(ast.parse(source), "")]
    ours = [name for name in names if name.split(".")[0] == PACKAGE]
    doors = ("hosts.detect", "hosts.settings", "hosts.axes", "hosts.send", "ui", "api", *FREE)
    allowed = " ".join(f"{PACKAGE}.{layer}" for layer in doors)
    assert [name for name in ours if not inside(name, allowed)] == []
    assert len(source.splitlines()) <= 60


@cache
def imported_at_the_top() -> dict[str, set[str]]:
    """Module -> what it imports when it is imported itself."""
    top: dict[str, set[str]] = {}
    for module, path in modules().items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in list(ast.walk(tree)):
            checking = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            if checking or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = [ast.Pass()]
        top[module] = {name for _, name in imports(tree, module)}
    return top


@pytest.mark.parametrize("name", ["a1111", "forge", "reforge", "neo"])
def test_what_takes_long_to_import_is_not_imported_when_a_webui_starts(name: str) -> None:
    top, reached = imported_at_the_top(), {"api", "ui.tab", "ui.runs", "ui.sending"}
    reached |= {f"hosts.{it}" for it in ("axes", "detect", "send", "settings", name)}
    while True:
        names = {it.removeprefix(f"{PACKAGE}.") for module in reached for it in top[module]}
        names |= {it.rpartition(".")[0] for it in names}  # from a import b, of something in a
        if names & set(top) <= reached:
            break
        reached |= names & set(top)
    slow = " ".join(("lycoris", "diffusers", "onnxruntime", "gallery_dl", "scipy", "spandrel"))
    assert {m for m in reached if any(inside(it, slow) for it in top[m])} == set()
    assert "ui.taste.tab" in reached and "hosts.webui" in reached


def needs_a_page_or_a_webui() -> set[str]:
    """Modules that cannot be imported without gradio or a WebUI, by what they import at the top."""
    top = imported_at_the_top()
    bound = {m for m, names in top.items() if {n.split(".")[0] for n in names} & HOST_MODULES}
    bound |= {m for m, names in top.items() if any(inside(n, "gradio") for n in names)}
    while True:
        prefixes = " ".join(f"{PACKAGE}.{module}" for module in bound)
        more = {m for m, names in top.items() if any(inside(n, prefixes) for n in names)} - bound
        if not more:
            return bound
        bound |= more


def test_most_lines_need_neither_a_page_nor_a_webui() -> None:
    lines = {m: len(path.read_text(encoding="utf-8").splitlines()) for m, path in modules().items()}
    bound = sum(lines[module] for module in needs_a_page_or_a_webui())
    assert bound <= 0.2 * sum(lines.values())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("module", [m for m in modules() if not m.endswith("texts")])
def test_nothing_grows_too_large(module: str) -> None:
    path = modules()[module]
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
    long = [f.name for f in functions(path) if (f.end_lineno or 0) - f.lineno + 1 > 60]
    assert long == []


@pytest.mark.parametrize("module", modules())
def test_names_say_what_a_thing_does(module: str) -> None:
    assert module.split(".")[-1] not in NAMES_NOT_USED
    assert [f.name for f in functions(modules()[module]) if f.name.startswith("get_")] == []


@pytest.mark.parametrize(
    "test", sorted(ROOT.glob("tests/**/test_*.py")), ids=lambda path: path.stem
)
def test_tests_mirror_the_source(test: Path) -> None:
    if test.parent == ROOT / "tests" and test.stem in TESTS_OF_THE_WHOLE:
        return
    assert source_of(test) is not None


def source_of(test: Path) -> Path | None:
    """tests/a/test_b.py -> a/b.py or the folder a/b; test_b_c.py, an aspect of b, -> a/b.py too."""
    folder = test.parent.relative_to(ROOT / "tests")
    words = test.stem.removeprefix("test_").split("_")
    for count in range(len(words), 0, -1):
        name = folder / "_".join(words[:count])
        for home in (ROOT / PACKAGE / name, ROOT / name):
            if home.is_dir() and count == len(words):
                return home
            if home.with_suffix(".py").is_file():
                return home.with_suffix(".py")
    return None


def test_a_test_of_nothing_is_seen() -> None:
    assert source_of(ROOT / "tests" / "models" / "test_text_clip_skip.py") is not None
    assert source_of(ROOT / "tests" / "test_install.py") == ROOT / "install.py"
    assert source_of(ROOT / "tests" / "models" / "test_nothing.py") is None
    assert source_of(ROOT / "tests" / "models" / "test_install.py") is None


def settings() -> list[tuple[type, dataclasses.Field[object]]]:
    """Every field of every dataclass in config.py."""
    groups = [
        value
        for value in vars(config).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
    ]
    return [(group, field) for group in groups for field in dataclasses.fields(group)]


@pytest.mark.parametrize(("group", "field"), settings(), ids=lambda x: getattr(x, "name", ""))
def test_every_setting_has_a_type_a_default_and_a_help_line(
    group: type, field: dataclasses.Field[object]
) -> None:
    assert get_type_hints(group)[field.name] is not object
    missing = dataclasses.MISSING
    assert (field.default, field.default_factory) != (missing, missing)
    text = field.metadata["help"]
    assert text.strip()
    assert "\n" not in text


def names_read() -> set[str]:
    """Every attribute that a file reads; config_file.py reads them all and does not count."""
    trees = (
        ast.parse(path.read_text(encoding="utf-8"))
        for module, path in modules().items()
        if module != "config_file"
    )
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in nodes if isinstance(node.ctx, ast.Load)}


def test_no_setting_is_dead() -> None:
    read = names_read()
    dead = [f"{g.__name__}.{f.name}" for g, f in settings() if f.name not in read]
    assert dead == []
