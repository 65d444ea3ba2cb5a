"""ESP-IDF: a component. Source: ESP-IDF Programming Guide, Build System; Component Manager, manifest."""

from __future__ import annotations

from edgert.export import common
from edgert.export.common import Files, Model

_LISTS = """\
idf_component_register(SRCS "src/{name}/model.c" INCLUDE_DIRS "src")
# For speed whatever the configuration: every layer is a template that -O3 specialises.
target_compile_options(${{COMPONENT_LIB}} PRIVATE -O3 -ffp-contract=off)
"""
_MANIFEST = """\
version: "1.0.0"
description: "{sentence}"
dependencies:
  idf: ">=5.0"
"""
_EXAMPLE_LISTS = """\
cmake_minimum_required(VERSION 3.16)
include($ENV{{IDF_PATH}}/tools/cmake/project.cmake)
project({name}_run)
"""
_EXAMPLE_MANIFEST = """\
dependencies:
  {name}:
    version: "*"
    override_path: "../../.."
"""
_STEPS = """```
cd examples/run && idf.py set-target esp32c3 && idf.py flash monitor
```

In your project: copy this folder into `components/`, and `#include "{name}.h"`.
"""


def files(model: Model) -> Files:
    words = {"name": model.name, "sentence": model.sentence}
    main = (
        f'#include "data.h"\n#include "{model.name}.h"\n#include <stdio.h>\n#include <string.h>\n\n'
        + common.example_body(model)
        + "\nvoid app_main(void);\n\nvoid app_main(void)\n{\n"
        + f'    printf("{model.name}: outputs %s\\n", run_example() ? "differ" : "are the same bytes");\n}}\n'
    )
    return {
        **common.library(model, "src"),
        "CMakeLists.txt": _LISTS.format(**words),
        "idf_component.yml": _MANIFEST.format(**words),
        "examples/run/CMakeLists.txt": _EXAMPLE_LISTS.format(**words),
        "examples/run/main/CMakeLists.txt": 'idf_component_register(SRCS "main.c")\n',
        "examples/run/main/idf_component.yml": _EXAMPLE_MANIFEST.format(**words),
        "examples/run/main/main.c": main,
        "examples/run/main/data.h": common.example_data(model),
        "README.md": common.readme(model, f"{model.name}, an ESP-IDF component", _STEPS.format(**words)),
    }
