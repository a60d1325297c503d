"""A run that dies at a given step as by a kill -9: `python killed_run.py RUN.toml HOME STEP`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lib_lora_cook.config_file import read_run
from lib_lora_cook.cook import Options, cook
from lib_lora_cook.hosts.standalone import StandaloneHost
from lib_lora_cook.jobs import null_job
from lib_lora_cook.training.train import Event, Step


def main(run: str, home: str, step: str) -> None:
    """Nothing is flushed, closed or cleaned up on the way out."""

    def watch(event: Event) -> None:
        if isinstance(event, Step) and event.step == int(step):
            os._exit(9)

    cook(read_run(Path(run)), StandaloneHost(Path(home)), null_job, Options(watch=watch))


if __name__ == "__main__":
    main(*sys.argv[1:])
