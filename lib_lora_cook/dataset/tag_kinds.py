"""What a danbooru tag is about, by its words: enough to say what pruning it would cost."""

from __future__ import annotations

import re
from typing import Literal

from .tags import tag_key

TagKind = Literal["trait", "clothing", "pose", "count", "setting", "other"]

_LAST: dict[TagKind, str] = {
    "trait": """
        hair eyes eye ears ear tail tails horn horns halo wings wing skin breasts chest
        bangs bang ahoge twintails ponytail braid braids bun sidelocks pupils eyelashes
        eyebrows mole freckles fang fangs teeth scar scars tattoo muscles abs lips beard
        mustache body hairstyle fur whiskers freckle forehead heterochromia hairclip
        drill drills streak streaks roots antenna
    """,
    "clothing": """
        dress shirt skirt jacket coat gloves glove hat cap boots boot shoes shoe
        sneakers socks sock thighhighs kneehighs pantyhose leggings legwear tights pants
        shorts jeans uniform serafuku bikini swimsuit leotard bodysuit sweater hoodie
        vest blouse kimono yukata hakama apron cape cloak scarf necktie tie bowtie bow
        ribbon ribbons hairband headband hairpin choker collar necklace pendant earrings
        earring jewelry bracelet ring belt armor helmet mask glasses eyewear sunglasses
        goggles headphones crown tiara veil footwear sandals heels sleeves sleeve
        underwear panties bra lingerie clothes outfit costume sash obi ornament brooch
        buttons zipper bag backpack gauntlets cuffs bandages eyepatch headwear headdress
        frills frill lace suit robe turtleneck garter straps strap pocket pockets hood
        cardigan
    """,
    "pose": """
        standing sitting lying kneeling squatting walking running jumping leaning
        stretching holding pose pointing waving crossed spread up down raised hug
        hugging arms arm hand hands legs leg knees fingers behind side straddling
        looking peeking salute crouching dancing fighting floating flying stance
        all-fours seiza wariza stomach sleeping hips
    """,
    "setting": """
        background outdoors indoors sky cloud clouds night day sunset tree trees grass
        flower flowers water window room bed city street beach ocean snow rain focus
        viewer shot portrait blurry depth text watermark signature name artist username
        border simple gradient sketch monochrome greyscale highres absurdres
    """,
}  # fmt: skip
_BY_WORD: dict[str, TagKind] = {
    word: kind for kind, words in _LAST.items() for word in words.split()
}
_COUNT = re.compile(r"(\d+\+?|multiple )(girl|boy|other)s?|solo|solo focus|no humans|male focus")
_WHOLE: dict[str, TagKind] = {
    **dict.fromkeys(("upper body", "full body", "lower body", "cowboy shot"), "setting"),
    **dict.fromkeys(("hair bow", "hair ribbon", "hair ornament", "hair flower"), "clothing"),
    **dict.fromkeys(("hair over one eye", "hair between eyes", "flat chest"), "trait"),
    **dict.fromkeys(("looking at viewer", "from behind", "closed eyes", "one eye closed"), "pose"),
}
"""Where the last word says something else."""


def tag_kind(tag: str) -> TagKind:
    """A trait of the body, clothing, a pose, how many there are, the setting, or none of these.

    By the last word that is known: danbooru's tags put what a thing is behind what it is like.
    """
    key = tag_key(tag)
    if _COUNT.fullmatch(key):
        return "count"
    if key in _WHOLE:
        return _WHOLE[key]
    words = re.split(r"[ \-]", key)
    return next((_BY_WORD[word] for word in reversed(words) if word in _BY_WORD), "other")
