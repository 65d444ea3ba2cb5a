"""C sources that ship as they are."""
