"""The C structs have the contracts' attributes, in name, type and order."""

from __future__ import annotations

import re

import pytest
from caller import CSRC

from edgert.codegen.contracts import CONTRACTS


def _fields(contract: str) -> list[tuple[str, str]]:
    folder = CSRC / "kernels" / CONTRACTS[contract].folder
    text = re.sub(r"/\*.*?\*/", "", (folder / f"{contract}.h").read_text(), flags=re.DOTALL)
    found = re.search(rf"typedef struct \{{([^}}]*)\}} ert_{contract}_t;", text)
    assert found, contract
    lines = re.findall(r"(int32_t|float)\s+([^;]+);", found[1])
    return [(kind, name.strip()) for kind, names in lines for name in names.split(",")]


@pytest.mark.parametrize("name", CONTRACTS)
def test_fields(name: str) -> None:
    contract = CONTRACTS[name]
    wanted = [("float" if a in contract.float_attrs else "int32_t", a) for a in contract.attrs]
    assert _fields(name) == wanted
