"""Booru tags of one word that nearly every anime model knows, for triggers that mean something."""

from __future__ import annotations

_TAGS = """
    angel angry anger animal apple armpits aura baby balloon bath bear bed bee bench bicycle bird
    blood blush boat bomb book bottle bow bowl box boy branch bridge broom bubble bug bunny
    butterfly cake candle candy car card cat cave chain chair chalk cherry chibi child chocolate
    christmas cigarette clock clone closed coffee coin comic computer confetti couch couple cow
    crab cross crow crying cup curtains dark demon desert desk devil dice dinosaur doctor dog doll
    dolphin door dragon drawing dress drink drunk dusk eating egg elf emblem embarrassed explosion
    fairy fan fantasy feather feathers fence fireworks fire fish flag flame floor food forest fork
    fountain fox frog frown fruit furry gem ghost giant girl glowing goat goblin gold grin guitar
    gun halloween hamster happy heart hill horror horse hospital house ice injury insect instrument
    jellyfish key kiss kitchen knife knight ladder lamp lantern leaf leaves lemon library light
    lightning lion lips lipstick magic maid male man map mecha medal mermaid microphone milk mirror
    money monkey monster moon motorcycle mountain mouse mug mushroom music nature necklace neon nest
    night ninja nude nun nurse object octopus old onsen open orange orc ornament owl paint paper
    park parody party pen pencil penguin petals phone photo piano pig pillow pirate planet plant
    plate plush poker police pond pool pout priest prince princess profile pumpkin puppet queen
    rabbit railing rainbow rat reading realistic restaurant rice river robot rock rocket rope rose
    ruins sad samurai sand school science sea serious shadow shark sheep shell shield ship shop
    shrine shy sign silhouette singing skeleton skull sleepy smile smirk smoke smoking smug snake
    snowman soldier solo space spear spider sports spring staff stairs star statue stone summer sun
    surprised sweat swimming sword sword table tank tea teacher tears teddy telephone temple
    tentacles thighs tiger tired toast tomato tongue tower town toy train turtle umbrella vampire
    vase vehicle village violin waterfall watermelon waves weapon wedding wet whale wheel whip wind
    wine winter witch wizard wolf woman wood yawning young yuri zombie
"""
COMMON_TAGS = frozenset(_TAGS.split())
"""Not every tag is here: a tagger's own list, where there is one, says more."""
