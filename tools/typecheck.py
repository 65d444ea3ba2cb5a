"""Run mypy --strict over the package as it is installed: codegen/ is edgert.codegen, and so on.

mypy does not know setuptools' package-dir mapping, so it sees a folder of symbolic links that has
the installed shape.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAPPED = ("codegen", "targets", "boards", "csrc")  # [tool.setuptools.package-dir] in pyproject.toml


def build_tree(tree: Path) -> Path:
    """Links to every source under one edgert/ folder; returns that folder."""
    package = tree / "edgert"
    package.mkdir(parents=True, exist_ok=True)
    for link in package.iterdir():
        link.unlink()
    sources = [p for p in (ROOT / "edgert").iterdir() if p.suffix in ("", ".py", ".typed")]
    for source in (*sources, *(ROOT / name for name in MAPPED)):
        if source.name != "__pycache__":
            (package / source.name).symlink_to(os.path.relpath(source, package))
    return package


def main() -> int:
    tree = ROOT / "build" / "typecheck"
    build_tree(tree)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
    command += ["--cache-dir", str(ROOT / ".mypy_cache"), "-p", "edgert", *sys.argv[1:]]
    return subprocess.run(command, cwd=tree, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
