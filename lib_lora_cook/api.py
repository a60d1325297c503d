"""JSON routes over the functions that the page calls.

    POST /lora-cook/train   a run as in a run file, flat, under kohya's names -> the status
    GET  /lora-cook/status  how the present or the last work stands
    POST /lora-cook/stop    -> {"stopping": true}, or false if nothing goes on; with
                            {"discard": true} what the run has written is removed
    POST /lora-cook/pause   -> {"paused": true}; with {"paused": false} it goes on
    GET  /lora-cook/loras   -> {"loras": [{"name", "path", "bytes", "modified"}, ...]}

Where the WebUI has --api-auth, its names and passwords are asked for here too. A refusal has its
reasons in {"problems": [...]}: 400 for a mistake, 409 while something else goes on. Files and
folders may lie in the allowed folders only, wherever links lead. docs/api.md has examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from .config import TrainingConfig
from .config_file import PATHS, config_of
from .errors import UserError
from .hosts.base import Host
from .ui import texts, work
from .ui.form import plain_names
from .ui.runner import RUNNER, Runner, Snapshot, short_home

PREFIX = "/lora-cook"
Answer = tuple[int, dict[str, Any]]
"""HTTP status and JSON document."""


def add_routes(
    app: Any,
    host: Host,
    allowed: Sequence[Path],
    auth: Callable[..., Any] | None = None,
    *,
    runner: Runner = RUNNER,
) -> None:
    """Add the routes to a FastAPI app; `auth` is the dependency that lets a request pass."""
    from fastapi import Body, Depends
    from fastapi.responses import JSONResponse

    kitchen = Kitchen(host, tuple(allowed), runner)
    body = Body(default={})

    def train(run: dict[str, Any] = body) -> Any:
        status, document = kitchen.train(run)
        return JSONResponse(document, status_code=status)

    def stop(asked: dict[str, Any] = body) -> dict[str, Any]:
        return kitchen.stop(asked)

    def pause(asked: dict[str, Any] = body) -> dict[str, Any]:
        return kitchen.pause(asked)

    guard = {"dependencies": [Depends(auth)]} if auth else {}
    app.post(f"{PREFIX}/train", **guard)(train)
    app.get(f"{PREFIX}/status", **guard)(kitchen.status)
    app.post(f"{PREFIX}/stop", **guard)(stop)
    app.post(f"{PREFIX}/pause", **guard)(pause)
    app.get(f"{PREFIX}/loras", **guard)(kitchen.loras)


@dataclass(frozen=True)
class Kitchen:
    """What the routes answer, without the web around it."""

    host: Host
    allowed: tuple[Path, ...]
    runner: Runner

    def train(self, table: dict[str, Any]) -> Answer:
        """Begin a run, or tell all that is wrong with it."""
        folder = self.host.lora_dir
        allowed = (*self.allowed, folder)
        config, problems = config_of({"output_dir": str(folder), **table}, allowed[0])
        problems += [*unsafe_names(config), *outside(config, allowed)]
        if not problems:  # nothing outside is touched, not even to see whether it is there
            problems = work.training_problems(config)
        if problems:
            return 400, {"problems": [short_home(it) for it in dict.fromkeys(problems)]}
        title = texts.COOKING.format(name=config.save.output_name)
        try:
            self.runner.start(title, work.cook_work(config, self.host))
        except UserError as error:
            return 409, {"problems": [str(error)]}
        return 200, self.status()

    def status(self) -> dict[str, Any]:
        """The work that goes on, or the last one."""
        return as_json(self.runner.snapshot())

    def stop(self, asked: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask for a stop at the next step; what was reached is kept, or thrown away."""
        return {"stopping": self.runner.stop(discard=(asked or {}).get("discard") is True)}

    def pause(self, asked: dict[str, Any] | None = None) -> dict[str, Any]:
        """Wait behind the next step, or go on."""
        wanted = (asked or {}).get("paused") is not False
        return {"paused": self.runner.pause(wanted) and wanted}

    def loras(self) -> dict[str, Any]:
        """The LoRA files below the host's folder, the newest first."""
        return {"loras": sorted(lora_files(self.host.lora_dir), key=lambda it: -it["modified"])}


def unsafe_names(config: TrainingConfig) -> Iterator[str]:
    """Parts of file names that would lead into another folder."""
    yield from plain_names({"output_name": config.save.output_name})
    for subset in config.subsets:
        yield from plain_names({"caption_extension": subset.caption_extension})


def outside(config: TrainingConfig, allowed: Sequence[Path]) -> Iterator[str]:
    """A sentence for every path of a run that leads out of the allowed folders."""
    for name, path in named_paths(config):
        if path and not is_inside(Path(path), allowed):
            yield texts.OUTSIDE.format(name=name)


def named_paths(config: TrainingConfig) -> Iterator[tuple[str, str]]:
    """(setting, path) of every file and folder that a run names."""
    for part in (*(getattr(config, it.name) for it in fields(config)), *config.subsets):
        for item in fields(part) if is_dataclass(part) else ():
            path = getattr(part, item.name)
            if item.name in PATHS and path != "host":
                yield item.name, path
    for entry in config.sample.sample_prompts:
        if entry.endswith(".txt"):
            yield "sample_prompts", entry


def is_inside(path: Path, allowed: Sequence[Path]) -> bool:
    """Whether a path, its links followed, is one of the folders or lies in one."""
    try:
        real = path.resolve()
        return any(real.is_relative_to(folder.resolve()) for folder in allowed)
    except (OSError, ValueError, RuntimeError):  # a loop of links, a null in the name
        return False


def lora_files(folder: Path) -> Iterator[dict[str, Any]]:
    """Every LoRA file below a folder, its path relative to it, its time in seconds since 1970."""
    for path in sorted(folder.rglob("*.safetensors")) if folder.is_dir() else ():
        try:
            stat = path.stat()
        except OSError:
            continue
        yield {
            "name": path.stem, "path": path.relative_to(folder).as_posix(),
            "bytes": stat.st_size, "modified": stat.st_mtime,
        }  # fmt: skip


def as_json(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as a document, without tracebacks and the home folder's name."""
    document = asdict(snapshot)
    outcome = document.pop("outcome")
    for name in ("details", "strip", "curves", "tray"):
        document.pop(name)
    document["samples"] = [it.name for _, drawn in snapshot.strip[-1:] for it in drawn]
    document["log"] = list(snapshot.log)
    document["loras"] = [it.name for it in outcome["loras"]] if outcome else []
    document["result"] = short_home(outcome["text"]) if outcome else ""
    return document
