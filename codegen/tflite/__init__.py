"""Quantized Relax -> a TFLite file: what quantization made, for every other tool that reads TFLite."""

from edgert.codegen.tflite.export import to_tflite

__all__ = ["to_tflite"]
