"""The routes: what they answer without the web around them, and over FastAPI where it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.api import Kitchen, add_routes, is_inside
from lib_lora_cook.config import TrainingConfig
from lib_lora_cook.hosts.base import Host
from lib_lora_cook.jobs import Job
from lib_lora_cook.ui import work
from lib_lora_cook.ui.runner import Outcome, Runner, Work

WAIT = 20.0


class FolderHost:
    """A host of which the routes need folders only."""

    def __init__(self, home: Path) -> None:
        self.lora_dir, self.cache_dir = home / "loras", home / "cache"
        self.output_dirs = [home / "outputs"]
        self.lora_dir.mkdir()


def quick_cook(config: TrainingConfig, host: Host) -> Work:
    def cook(job: Job) -> Outcome:
        job.report(1, 1, "epoch 1/1 loss 0.100")
        return Outcome("1 LoRA file", (Path(config.save.output_dir) / "kafka.safetensors",))

    return cook


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kitchen:
    monkeypatch.setattr(work, "cook_work", quick_cook)
    monkeypatch.setattr(work, "training_problems", lambda config: [])
    (tmp_path / "data" / "kafka").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    host: Any = FolderHost(tmp_path)
    return Kitchen(host, (tmp_path / "data",), Runner())


def run(**settings: Any) -> dict[str, Any]:
    return {"output_name": "kafka", "subsets": [{"image_dir": "kafka"}], **settings}


def test_a_run_is_begun_and_its_end_is_seen(kitchen: Kitchen) -> None:
    status, answer = kitchen.train(run(network_dim=8))
    assert (status, answer["title"]) == (200, "Cooking kafka")
    kitchen.runner.wait(WAIT)
    answer = kitchen.status()
    assert json.loads(json.dumps(answer)) == answer
    assert (answer["state"], answer["loras"]) == ("done", ["kafka.safetensors"])
    assert answer["text"] == "epoch 1/1 loss 0.100"


def test_all_mistakes_are_told_at_once(kitchen: Kitchen) -> None:
    status, answer = kitchen.train(run(network_dim="8", unet_rl=1))
    assert status == 400
    assert len(answer["problems"]) == 2
    assert "did you mean unet_lr" in answer["problems"][1]


@pytest.mark.parametrize(
    "settings",
    [
        {"subsets": [{"image_dir": "../secret"}]},
        {"subsets": [{"image_dir": "kafka"}, {"image_dir": "kafka/../../secret"}]},
        {"subsets": [{"image_dir": "/etc"}]},
        {"subsets": [{"image_dir": "~"}]},
        {"subsets": [{"image_dir": "kafka\0"}]},
        {"subsets": [{"image_dir": "kafka", "caption_extension": "/../../secret/x"}]},
        {"output_dir": "../secret"},
        {"network_weights": "../secret/x.safetensors"},
        {"pretrained_model_name_or_path": "../secret/x.safetensors"},
        {"vae": "../secret/x.safetensors"},
        {"subsets": [{"image_dir": "kafka", "conditioning_data_dir": "../secret"}]},
        {"pretrained_model_name_or_path": "kafka/../../host"},
        {"output_name": "../../secret/x"},
        {"output_name": ".."},
        {"output_name": "..\\..\\secret\\x"},
    ],
)
def test_no_path_leads_out_of_the_allowed_folders(
    kitchen: Kitchen, settings: dict[str, Any]
) -> None:
    status, answer = kitchen.train(run(**settings))
    assert status == 400
    assert len(answer["problems"]) == 1
    assert not kitchen.runner.snapshot().busy


@pytest.mark.parametrize("name", ["image_dir", "output_dir"])
def test_no_link_leads_out_either(kitchen: Kitchen, tmp_path: Path, name: str) -> None:
    (tmp_path / "data" / "link").symlink_to(tmp_path / "secret")
    subsets = {"subsets": [{"image_dir": "link"}]}
    status, answer = kitchen.train(run(**(subsets if name == "image_dir" else {name: "link/x"})))
    assert (status, answer["problems"]) == (
        400, [f"{name} lies outside the folders that requests may use"],
    )  # fmt: skip


def test_a_link_into_an_allowed_folder_is_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert is_inside(tmp_path / "link" / "x", [tmp_path / "a"])
    assert is_inside(tmp_path / "a" / "x", [tmp_path / "link"])
    assert is_inside(tmp_path / "a", [tmp_path / "a"])
    assert not is_inside(tmp_path / "ab", [tmp_path / "a"])
    assert not is_inside(tmp_path / "loop", [tmp_path / "a"])
    assert not is_inside(tmp_path / "a", [])


def test_one_run_at_a_time(kitchen: Kitchen) -> None:
    def endless(job: Job) -> Outcome:
        while True:
            job.check()

    kitchen.runner.start("Tasting", endless)
    status, answer = kitchen.train(run())
    assert (status, len(answer["problems"])) == (409, 1)
    assert kitchen.stop() == {"stopping": True}
    kitchen.runner.wait(WAIT)
    assert kitchen.stop() == {"stopping": False}
    assert kitchen.status()["state"] == "stopped"


def test_a_run_waits_goes_on_and_is_thrown_away(kitchen: Kitchen) -> None:
    seen: list[tuple[bool, bool]] = []

    def endless(job: Job) -> Outcome:
        job.show((Path("sample") / "kafka_e000001_00.png",))
        while not job.cancelled:
            seen.append((job.paused, job.discarding))
        return Outcome("", stopped=job.discarding)

    assert kitchen.pause() == {"paused": False}
    kitchen.runner.start("Cooking", endless)
    assert kitchen.pause() == {"paused": True}
    assert kitchen.status()["paused"] is True
    assert kitchen.pause({"paused": False}) == {"paused": False}
    assert kitchen.status()["paused"] is False
    assert kitchen.stop({"discard": True}) == {"stopping": True}
    assert kitchen.runner.wait(WAIT).state == "stopped"
    assert kitchen.status()["samples"] == ["kafka_e000001_00.png"]


@pytest.mark.parametrize("where", [
    {"output_dir_fallback": "../secret"}, {"sample_prompts": "../secret/p.txt"},
])  # fmt: skip
def test_other_folders_are_closed_too(kitchen: Kitchen, where: dict[str, str]) -> None:
    status, answer = kitchen.train(run(**where))
    assert (status, len(answer["problems"])) == (400, 1)


def test_lora_files_are_listed_without_the_folders_above(kitchen: Kitchen) -> None:
    (kitchen.host.lora_dir / "deep").mkdir()
    (kitchen.host.lora_dir / "deep" / "a.safetensors").write_bytes(b"1234")
    (found,) = kitchen.loras()["loras"]
    assert (found["name"], found["path"], found["bytes"]) == ("a", "deep/a.safetensors", 4)


def client_of(kitchen: Kitchen, auth: Callable[..., Any] | None = None) -> Any:
    fastapi = pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")
    app = fastapi.FastAPI()
    add_routes(app, kitchen.host, kitchen.allowed, auth, runner=kitchen.runner)
    return testclient.TestClient(app)


def test_over_http(kitchen: Kitchen) -> None:
    client = client_of(kitchen)
    assert client.get("/lora-cook/status").json()["state"] == "idle"
    assert client.post("/lora-cook/train", json=run(seed="x")).status_code == 400
    assert client.post("/lora-cook/train", json=[1]).status_code == 422
    assert client.post("/lora-cook/train", json=run()).status_code == 200
    kitchen.runner.wait(WAIT)
    assert client.get("/lora-cook/status").json()["state"] == "done"
    assert client.post("/lora-cook/stop").json() == {"stopping": False}
    assert client.post("/lora-cook/pause", json={"paused": True}).json() == {"paused": False}
    assert client.get("/lora-cook/loras").json() == {"loras": []}


def test_every_route_asks_the_hosts_own_guard(kitchen: Kitchen) -> None:
    fastapi = pytest.importorskip("fastapi")

    def refuse() -> None:
        raise fastapi.HTTPException(status_code=401)

    client = client_of(kitchen, refuse)
    assert client.post("/lora-cook/train", json=run()).status_code == 401
    for path in ("stop", "pause"):
        assert client.post(f"/lora-cook/{path}").status_code == 401
    for path in ("status", "loras"):
        assert client.get(f"/lora-cook/{path}").status_code == 401
    assert kitchen.runner.snapshot().state == "idle"
