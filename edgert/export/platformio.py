"""PlatformIO: a library. Source: PlatformIO documentation, library.json; Library Dependency Finder."""

from __future__ import annotations

from edgert.export import arduino, common
from edgert.export.common import Files, Model

_INI = """\
; pio run -t upload -t monitor
[env:nucleo_l4r5zi]
platform = ststm32
board = nucleo_l4r5zi
framework = arduino
lib_deps = symlink://../..
monitor_speed = 115200
"""
_STEPS = """```
cd examples/run && pio run -t upload -t monitor
```

In your project: `lib_deps = symlink:///path/to/this/folder`, and `#include "{name}.h"`.
"""


def files(model: Model) -> Files:
    manifest = {
        "name": model.name,
        "version": "1.0.0",
        "description": f"{model.sentence}.",
        "keywords": ["edgert", "neural network", "inference"],
        "license": "Apache-2.0",
        "frameworks": "*",
        "platforms": "*",
        "headers": f"{model.name}.h",
        "build": {"srcDir": "src", "includeDir": "src", "flags": ["-O3", "-ffp-contract=off"]},
        "examples": [{"name": "run", "base": "examples/run", "files": ["platformio.ini", "src/main.cpp"]}],
    }
    sketch = arduino.files(model)["examples/Run/Run.ino"]
    return {
        **common.library(model, "src"),
        "library.json": common.as_json(manifest),
        "examples/run/platformio.ini": _INI,
        "examples/run/src/main.cpp": f"#include <Arduino.h>\n{sketch}",
        "examples/run/src/data.h": common.example_data(model),
        "README.md": common.readme(
            model, f"{model.name}, a PlatformIO library", _STEPS.format(name=model.name)
        ),
    }
