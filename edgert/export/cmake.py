"""CMake: a library to add, or to install and find, and a test. Source: cmake-packages(7)."""

from __future__ import annotations

from edgert.export import common
from edgert.export.common import Files, Model

_LISTS = """\
cmake_minimum_required(VERSION 3.16)
project({name} VERSION 1.0.0 LANGUAGES C)
include(GNUInstallDirs)

add_library({name} STATIC src/{name}/model.c)
add_library({name}::{name} ALIAS {name})
target_include_directories({name} PUBLIC
  $<BUILD_INTERFACE:${{CMAKE_CURRENT_SOURCE_DIR}}/src> $<INSTALL_INTERFACE:${{CMAKE_INSTALL_INCLUDEDIR}}>)
target_compile_features({name} PUBLIC c_std_11)
# For speed whatever the build type: every layer is a template that -O3 specialises.
target_compile_options({name} PRIVATE -O3 -Wall -Wextra -Wconversion -Werror -ffp-contract=off)
# Flags for the board itself: {flags}

install(TARGETS {name} EXPORT {name}Targets ARCHIVE DESTINATION ${{CMAKE_INSTALL_LIBDIR}})
install(FILES src/{name}.h DESTINATION ${{CMAKE_INSTALL_INCLUDEDIR}})
install(FILES src/{name}/model.h DESTINATION ${{CMAKE_INSTALL_INCLUDEDIR}}/{name})
install(EXPORT {name}Targets NAMESPACE {name}:: FILE {name}Config.cmake
  DESTINATION ${{CMAKE_INSTALL_LIBDIR}}/cmake/{name})

if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  enable_testing()
  add_executable({name}_example example/main.c)
  target_link_libraries({name}_example PRIVATE {name})
  target_compile_options({name}_example PRIVATE -Wall -Wextra -Wconversion -Werror)
  add_test(NAME {name} COMMAND {name}_example)
endif()
"""
_STEPS = """```
cmake -B build && cmake --build build && ctest --test-dir build
```

In your project: `add_subdirectory({name})`, or install it and `find_package({name})`; then
`target_link_libraries(app {name}::{name})` and `#include "{name}.h"`.
"""


def files(model: Model) -> Files:
    main = (
        f'#include "{model.name}.h"\n#include "data.h"\n#include <stdio.h>\n#include <string.h>\n\n'
        + common.example_body(model)
        + "\nint main(void)\n{\n    const int wrong = run_example();\n"
        + '    puts(wrong ? "outputs differ" : "outputs are the same bytes");\n    return wrong;\n}\n'
    )
    return {
        **common.library(model, "src"),
        "CMakeLists.txt": _LISTS.format(name=model.name, flags=" ".join(model.flags)),
        "example/main.c": main,
        "example/data.h": common.example_data(model),
        "README.md": common.readme(model, model.name, _STEPS.format(name=model.name)),
    }
