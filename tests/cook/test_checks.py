"""What is refused before the first step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lib_lora_cook.cook import larder, problems_of
from lib_lora_cook.cook.checks import check_memory
from lib_lora_cook.errors import UserError
from tests.tiny_runs import cook_tiny, snapshot, tiny_run


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"full_bf16": True, "mixed_precision": "fp16"}, "full_bf16 goes with mixed_precision"),
        ({"medvram": True, "text_encoder_lr": 1e-4}, "set text_encoder_lr = 0 too"),
        ({"blocks_to_swap": 3}, "saves nothing without gradient_checkpointing"),
        ({"sample_at_first": True}, "sample_prompts"),
        ({"output_name": "a/b"}, "output_name is a name without folders"),
    ],
)
def test_settings_that_do_not_go_together_are_told(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    (found,) = problems_of(tiny_run(tmp_path, tmp_path, **changes))
    assert told in found


def test_the_other_folder_must_be_one_that_can_be_written_to(
    tmp_path: Path, host: Any, sd1_folder: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    config = tiny_run(tmp_path, sd1_folder, output_dir_fallback="taken/deeper")
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match="Choose another output_dir_fallback"):
        cook_tiny(config, host)
    assert snapshot(tmp_path) == before


def test_too_little_memory_is_found_before_the_first_step(
    tmp_path: Path, host: Any, sd1_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(larder, "free_bytes", lambda device: 1000)
    events: list[Any] = []
    with pytest.raises(UserError, match="of memory free"):
        cook_tiny(tiny_run(tmp_path, sd1_folder), host, events.append)
    assert events == []
    check_memory(10**15, None)  # where nobody tells
