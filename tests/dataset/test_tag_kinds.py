"""What tags are about."""

import pytest

from lib_lora_cook.dataset.tag_kinds import TagKind, tag_kind

KINDS: dict[TagKind, str] = {
    "trait": "long hair, blue_eyes, cat ears, hair between eyes, twintails, dark skin, "
    "very long hair, Blunt Bangs, mole under eye, small breasts, demon horns",
    "clothing": "white shirt, school uniform, hair ribbon, black thighhighs, hat, off-shoulder "
    "dress, hair bow, long sleeves, detached collar, witch hat",
    "pose": "sitting, arms up, looking at viewer, from behind, standing on one leg, "
    "closed eyes, v arms, lying",
    "count": "1girl, 2boys, 6+girls, multiple girls, solo, no humans",
    "setting": "simple background, blue sky, outdoors, upper body, cowboy shot, signature, highres",
    "other": "smile, sword, food, ^_^, open mouth",
}


@pytest.mark.parametrize(
    ("tag", "kind"), [(tag, kind) for kind, tags in KINDS.items() for tag in tags.split(", ")]
)
def test_a_tag_is_sorted_by_its_last_known_word(tag: str, kind: TagKind) -> None:
    assert tag_kind(tag) == kind
