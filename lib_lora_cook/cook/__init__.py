"""One run, from pictures to LoRA files."""

from .checks import problems_of
from .critic import Scored
from .files import lora_name
from .kitchen import Cooked
from .run import Options, build_network, cook
from .samples import Sampled

__all__ = [
    "Cooked", "Options", "Sampled", "Scored", "build_network", "cook", "lora_name", "problems_of",
]  # fmt: skip
