"""Zephyr: a module with a library, and a sample. Source: Zephyr documentation, Modules; Test Runner."""

from __future__ import annotations

from edgert.export import common
from edgert.export.common import Files, Model

_MODULE = """\
name: {name}
build:
  cmake: .
  kconfig: Kconfig
"""
_KCONFIG = """\
config {upper}
    bool "{name}, a network compiled by edgert"
    help
      {sentence}.
"""
_LISTS = """\
if(CONFIG_{upper})
  zephyr_library_named({name})
  zephyr_library_sources(src/{name}/model.c)
  # For speed whatever the build type: every layer is a template that -O3 specialises.
  zephyr_library_compile_options(-O3 -ffp-contract=off)
  zephyr_include_directories(src)
endif()
"""
_APP_LISTS = """\
cmake_minimum_required(VERSION 3.20.0)
list(APPEND ZEPHYR_EXTRA_MODULES ${{CMAKE_CURRENT_SOURCE_DIR}}/../..)
find_package(Zephyr REQUIRED HINTS $ENV{{ZEPHYR_BASE}})
project({name}_sample)
target_sources(app PRIVATE src/main.c)
"""
_SAMPLE = """\
sample:
  name: {name}
  description: {sentence}
tests:
  sample.{name}:
    harness: console
    harness_config:
      type: one_line
      regex:
        - "{name}: outputs are the same bytes"
    tags: edgert
"""
_STEPS = """```
west build -b BOARD samples/run
```

In your workspace: add this folder to `ZEPHYR_EXTRA_MODULES` or to the manifest, set `CONFIG_{upper}=y`, and
`#include "{name}.h"`.
"""


def files(model: Model) -> Files:
    words = {"name": model.name, "upper": model.upper, "sentence": model.sentence.replace(":", ",")}
    main = (
        f'#include "data.h"\n#include "{model.name}.h"\n#include <string.h>\n'
        "#include <zephyr/sys/printk.h>\n\n"
        + common.example_body(model)
        + "\nint main(void)\n{\n"
        + f'    printk("{model.name}: outputs %s\\n", run_example() ? "differ" : "are the same bytes");\n'
        + "    return 0;\n}\n"
    )
    return {
        **common.library(model, "src"),
        "zephyr/module.yml": _MODULE.format(**words),
        "Kconfig": _KCONFIG.format(**words),
        "CMakeLists.txt": _LISTS.format(**words),
        "samples/run/CMakeLists.txt": _APP_LISTS.format(**words),
        "samples/run/prj.conf": f"CONFIG_{model.upper}=y\n",
        "samples/run/sample.yaml": _SAMPLE.format(**words),
        "samples/run/src/main.c": main,
        "samples/run/src/data.h": common.example_data(model),
        "README.md": common.readme(model, f"{model.name}, a Zephyr module", _STEPS.format(**words)),
    }
