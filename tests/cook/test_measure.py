"""A run's time and memory, from a few of its own steps."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import pytest

from lib_lora_cook.cook.measure import mean_pixels, measure_run
from lib_lora_cook.errors import UserError
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.jobs import null_job
from lib_lora_cook.training.pictures import read_pictures
from tests.tiny_runs import snapshot, tiny_run


def test_a_few_steps_are_tried_and_nothing_is_written(tmp_path: Path, sd1_folder: Path) -> None:
    config = tiny_run(tmp_path, sd1_folder, max_train_epochs=50)
    before = snapshot(tmp_path)
    measured = measure_run(config, StandaloneHost(tmp_path / "home"), null_job)
    assert {path for path in snapshot(tmp_path) if "home" not in path} == set(before)
    assert measured.steps % 50 == 0 and measured.steps > 50
    assert measured.seconds_per_step > 0
    pictures = read_pictures(config)
    share = mean_pixels(pictures) / max(prod(it.fit.bucket) for it in pictures)
    assert measured.seconds == pytest.approx(measured.seconds_per_step * measured.steps * share)
    assert measured.peak_bytes > 1e6


def test_what_is_wrong_is_told_before_the_model_is_touched(
    tmp_path: Path, sd1_folder: Path
) -> None:
    config = tiny_run(tmp_path, sd1_folder)
    wrong = replace(config, bucket=replace(config.bucket, bucket_reso_steps=7))
    with pytest.raises(UserError, match="bucket_reso_steps"):
        measure_run(wrong, StandaloneHost(tmp_path / "home"), null_job)
