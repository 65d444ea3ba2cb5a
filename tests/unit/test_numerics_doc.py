"""Every section of docs/numerics.md that the sources cite is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_cited_sections_exist() -> None:
    text = (ROOT / "docs" / "numerics.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## (\d+) ", text, re.MULTILINE))
    sources = [p for folder in ("csrc", "codegen") for p in (ROOT / folder).rglob("*.[hp]*") if p.is_file()]
    cited = {
        (path.name, section)
        for path in sources
        if path.suffix in (".h", ".py")
        for section in re.findall(r"numerics\.md section (\d+)", path.read_text(encoding="utf-8"))
    }
    assert cited
    assert {section for _, section in cited} <= sections, cited
