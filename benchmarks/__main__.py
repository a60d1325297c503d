"""All benchmarks by name; those that are named run one after the other, each by itself.

    python -m benchmarks
    python -m benchmarks train memory mfu --tiny --json

What follows the names is given to each.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is named, or say what there is; the number of those that failed."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    names, there = words[:options], known()
    if unknown := [name for name in names if name not in there]:
        print(f"No such benchmark: {', '.join(unknown)}. There are: {', '.join(there)}.")
        return len(unknown)
    if not names:
        print(*(f"{name:16} {about}" for name, about in there.items()), sep="\n")
    failed = 0
    for name in names:
        print(f"== {name}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *words[options:]]
        failed += subprocess.run(command).returncode != 0
    return failed


def known() -> dict[str, str]:
    """Name -> the first line about it, of those that can be run."""
    found = {}
    for path in sorted(HERE.glob("[a-z]*.py")):
        source = path.read_text(encoding="utf-8")
        if "__main__" in source:
            found[path.stem] = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return found


if __name__ == "__main__":
    sys.exit(main())
