"""The arithmetic of a step, counted without computing it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.cases import Case
from benchmarks.mfu import attention_backward_flops, attention_flops, matrix_speed, step_flops

CASE = Case("sd1", "LoRA", "no", "off", 64, 1, 2, "off", True)


def test_it_grows_with_the_pictures_and_not_by_what_is_computed_again() -> None:
    one = step_flops(CASE)
    assert step_flops(replace(CASE, checkpointing="on")) == one
    assert step_flops(replace(CASE, batch=3)) == pytest.approx(3 * one, rel=0.05)


def test_attention_is_two_products_and_four_back() -> None:
    query, key = (2, 8, 100, 40), (2, 8, 77, 40)
    products = 2 * (2 * 8 * 100 * 77 * 40)  # a multiplication and its addition are two
    assert attention_flops(query, key, key, None) == 2 * products
    assert attention_backward_flops(query, query, key, key, None) == 4 * products


def test_the_speed_of_matrix_products_is_a_plausible_number() -> None:
    assert 1e8 < matrix_speed(torch.float32) < 1e16
