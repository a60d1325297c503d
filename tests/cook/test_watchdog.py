"""A slow-down is told once, where it is large and lasts."""

from __future__ import annotations

import pytest

from lib_lora_cook.cook.watchdog import LASTING, SEEN, SLOWER, WARM_UP, Watchdog, slowdown

USUAL = [9.0] * WARM_UP + [1.0, 1.1, 0.9, 1.4] * (SEEN // 4)


def test_it_is_the_factor_of_the_quickest_of_the_last_steps() -> None:
    assert slowdown([*USUAL, *[5.0] * (LASTING - 1), 4.2]) == pytest.approx(4.2 / 1.05)


@pytest.mark.parametrize(
    "times",
    [
        [],
        USUAL,
        [*USUAL, *[5.0] * (LASTING - 1)],
        [*USUAL, *[5.0] * (LASTING - 1), 1.0],
        [*USUAL, *[1.05 * SLOWER - 0.01] * LASTING],
        [*USUAL[:-1], *[5.0] * LASTING],
    ],
    ids=["nothing", "as usual", "not long", "over again", "not much", "too early to say"],
)
def test_else_there_is_none(times: list[float]) -> None:
    assert slowdown(times) is None


def test_it_barks_once_and_says_what_to_change() -> None:
    watchdog = Watchdog("cuda")
    told = [watchdog.look(it) for it in [*USUAL, *[5.0] * 40]]
    heard = [it for it in told if it]
    assert told.index(heard[0]) == len(USUAL) + LASTING - 1
    assert len(heard) == 1
    assert "4.8 times as long" in heard[0]
    assert "gradient_checkpointing" in heard[0]
    assert "swapped" in next(filter(None, map(Watchdog("cpu").look, [*USUAL, *[5.0] * 9])))
