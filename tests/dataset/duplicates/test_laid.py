"""How pairs lie, kept as numbers, put in order, and said once."""

import numpy as np

from lib_lora_cook.dataset.duplicates.laid import Candidate, Laid

WHOLE, LEFT = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0)


def laid(*rows: Candidate) -> Laid:
    return Laid.of(np.array([
        (it.one, it.other, it.mirrored, *it.box, *it.other_box, it.likeness) for it in rows
    ], np.float64))  # fmt: skip


def test_it_is_the_same_after_it_was_kept_as_numbers() -> None:
    rows = [Candidate(3, 7, True, LEFT, WHOLE, 0.9), Candidate(1, 2, False, WHOLE, LEFT, 0.8)]
    assert list(Laid.of(laid(*rows).numbers)) == rows
    assert list(Laid.of(Laid.of(np.empty(0)).numbers)) == []


def test_the_lower_number_goes_first_with_its_box() -> None:
    found = laid(Candidate(7, 3, True, LEFT, WHOLE, 0.9), Candidate(1, 2, False, LEFT, WHOLE, 0.8))
    assert list(found.ordered()) == [
        Candidate(3, 7, True, WHOLE, LEFT, 0.9),
        Candidate(1, 2, False, LEFT, WHOLE, 0.8),
    ]


def test_what_says_nearly_the_same_of_a_pair_is_said_once() -> None:
    nearly = (0.01, 0.0, 0.98, 1.0)
    first = Candidate(0, 1, False, WHOLE, WHOLE, 0.9)
    other_place = Candidate(0, 1, False, LEFT, WHOLE, 0.7)
    turned = Candidate(0, 1, True, WHOLE, WHOLE, 0.6)
    other_pair = Candidate(0, 2, False, nearly, WHOLE, 0.5)
    again = Candidate(0, 1, False, nearly, WHOLE, 0.8)
    found = laid(first, again, other_place, turned, other_pair).apart()
    assert list(found) == [first, other_place, turned, other_pair]


def test_a_mirrored_part_lies_where_its_mirror_image_does() -> None:
    right = (0.5, 0.0, 0.5, 1.0)
    whole_on_whole = Candidate(0, 1, True, WHOLE, WHOLE, 0.9)
    assert list(laid(whole_on_whole, Candidate(0, 1, True, LEFT, right, 0.8)).apart()) == [
        whole_on_whole
    ]
    differently = Candidate(0, 1, True, LEFT, LEFT, 0.8)
    assert list(laid(whole_on_whole, differently).apart()) == [whole_on_whole, differently]
