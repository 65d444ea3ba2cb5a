"""A model's bytes and its name."""

from __future__ import annotations

from pathlib import Path

from edgert.errors import UsageError

MAX_MODEL_BYTES = 1 << 30


def read_model(model: str | Path | bytes) -> tuple[bytes, str]:
    """A model's bytes, and what its file is called. Raises UsageError."""
    if isinstance(model, bytes):
        return model, "model"
    path = Path(model)
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise UsageError(f"{path} has {path.stat().st_size:,} bytes", rule=f"at most {MAX_MODEL_BYTES:,}")
        return path.read_bytes(), path.name
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}",
            hint="give the path of a .tflite, .onnx, .pt2 or .npz file",
        ) from error


def c_name(text: str) -> str:
    """The prefix of its C symbols."""
    from edgert.codegen.c.literals import identifier

    return identifier(text).lower()
