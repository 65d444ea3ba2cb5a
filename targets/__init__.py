"""One TOML per CPU."""
