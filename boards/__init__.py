"""One folder per board: board.toml, and a linker or startup file only where one is needed."""
