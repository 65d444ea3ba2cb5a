"""Put a firmware on a board: by GDB, by another tool, or by copying a file. One file per kind of way."""
