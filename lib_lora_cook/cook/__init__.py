"""One run, from pictures to LoRA files."""

from .checks import problems_of
from .files import lora_name
from .kitchen import Cooked
from .run import Options, build_network, cook
from .samples import Sampled

__all__ = ["Cooked", "Options", "Sampled", "build_network", "cook", "lora_name", "problems_of"]
