"""Prompts that test."""

from __future__ import annotations

from lib_lora_cook.compare.prompts import Probe, Taught, make_prompts, rare_tags, usual_caption

CAPTIONS = [
    ["1girl", "solo", "smile", "kimono", "beach"],
    ["1girl", "solo", "smile", "kimono", "forest"],
    ["1girl", "smile", "solo", "school uniform"],
]
KAFKA = Taught("kafka", CAPTIONS)


def test_every_kind_of_prompt_is_made_of_the_captions() -> None:
    prompts = make_prompts([KAFKA])
    assert [(it.kind, it.text, it.asked) for it in prompts] == [
        ("trigger", "kafka", ()),
        ("captions", "kafka, 1girl, smile, solo, school uniform", tuple(CAPTIONS[2])),
        ("other", "kafka, 1girl, solo, swimsuit", ("swimsuit",)),
        ("other", "kafka, 1girl, solo, classroom", ("classroom",)),
        ("other", "kafka, 1girl, solo, full body", ("full body",)),
        ("without", "1girl, solo, swimsuit", ("swimsuit",)),
        ("without", "no humans, scenery, classroom", ("classroom",)),
    ]
    for prompt in prompts:
        assert prompt.trigger == ("" if prompt.kind == "without" else "kafka")
        assert ("kafka" in prompt.text) == bool(prompt.trigger)


def test_only_what_the_tagger_knows_is_asked_for() -> None:
    known = ["1girl", "solo", "smile", "red_dress", "night_sky"]
    asked = {tag for it in make_prompts([KAFKA], known) for tag in it.asked}
    assert asked == {"1girl", "solo", "smile", "red dress", "night sky"}
    assert usual_caption(KAFKA, ["smile"]) == ("smile",)


def test_rare_tags_are_those_that_hardly_stand_in_the_captions() -> None:
    captions = [["Forest"]] * 10 + [["beach"]] + [[]] * 90
    rare = rare_tags(("forest", "beach", "city"), Taught("x", captions), ())
    assert rare == ["city", "beach", "forest"]
    assert rare_tags(("forest", "city"), Taught("x", captions[:20]), ()) == ["city"]


def test_each_subset_has_its_own_and_none_comes_twice() -> None:
    other = Taught("kafka casual", [["1girl", "solo", "jeans"]] * 2)
    prompts = make_prompts([KAFKA, other, KAFKA])
    assert len({it.text for it in prompts}) == len(prompts)
    assert [it.text for it in prompts if it.kind == "trigger"] == ["kafka", "kafka casual"]
    assert sum(it.kind == "without" for it in prompts) == 2


def test_captions_without_tags_leave_the_trigger_and_the_strangers() -> None:
    prompts = make_prompts([Taught("kafka", [[], []])])
    assert prompts[0] == Probe("trigger", "kafka", (), "kafka")
    assert {it.kind for it in prompts} == {"trigger", "other", "without"}
