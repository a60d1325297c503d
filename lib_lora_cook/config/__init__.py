"""Every setting of a run, under kohya's name where kohya has one.

A setting is a dataclass field made by `setting()`: type, default and help stand in one place, and
the run file, the page and the command line are all built from them.
"""

from .gather import CATEGORIES, RATINGS, GatherConfig, ImportConfig
from .loss import LossConfig
from .network import NetworkConfig, OptimizerConfig, Rates, conv_rank, learning_rates
from .pictures import REFUSED, BucketConfig, SubsetConfig
from .run import GROUPS, LoopConfig, ModelConfig, SaveConfig, TrainingConfig
from .sample import SAMPLERS, SampleConfig
from .settings import out_of_bounds, setting, settings_of
from .taste import SweepConfig

__all__ = [
    "CATEGORIES", "GROUPS", "RATINGS", "REFUSED", "SAMPLERS", "BucketConfig", "GatherConfig",
    "ImportConfig", "LoopConfig", "LossConfig", "ModelConfig", "NetworkConfig",
    "OptimizerConfig", "Rates", "SampleConfig", "SaveConfig", "SubsetConfig", "SweepConfig",
    "TrainingConfig", "conv_rank", "learning_rates", "out_of_bounds", "setting", "settings_of",
]  # fmt: skip
