"""The rest of the folder that people drop into a firmware: an example and a CMake target."""

from __future__ import annotations

from edgert.codegen.c.literals import C_TYPES
from edgert.codegen.program import Program


def example_main(program: Program, name: str) -> str:
    """The shortest program that runs the model once."""
    first_in, first_out = program.tensors[program.inputs[0]], program.tensors[program.outputs[0]]
    upper = name.upper()
    return f"""/* Run {name} once: fill the input, invoke, read the output. */
#include "model.h"

static _Alignas(16) uint8_t arena[{upper}_ARENA_BYTES];

int main(void)
{{
    {C_TYPES[first_in.dtype]} *input = {name}_input_0(arena);
    for (unsigned i = 0; i < {upper}_INPUT_0_BYTES / sizeof *input; i++) {{
        input[i] = 0; /* your sensor's data goes here */
    }}
    {name}_invoke(arena);
    const {C_TYPES[first_out.dtype]} *output = {name}_output_0(arena);
    unsigned best = 0;
    for (unsigned i = 1; i < {upper}_OUTPUT_0_BYTES / sizeof *output; i++) {{
        best = output[i] > output[best] ? i : best;
    }}
    return (int)best;
}}
"""


def cmake_lists(name: str, flags: str) -> str:
    return f"""# add_subdirectory() this folder and link to {name}_model.
cmake_minimum_required(VERSION 3.13)
project({name}_model C)

add_library({name}_model STATIC model.c)
target_include_directories({name}_model PUBLIC ${{CMAKE_CURRENT_SOURCE_DIR}})
set_target_properties({name}_model PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON)
# Compiled for speed whatever the build type: each layer is a template that -O3 specialises.
target_compile_options({name}_model PRIVATE -O3 -Wall -Wextra -Wconversion -Werror)
# For the board itself: {flags}

if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR)
  add_executable({name}_example example_main.c)
  target_link_libraries({name}_example {name}_model)
endif()
"""
