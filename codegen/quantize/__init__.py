"""Post-training quantization on Relax: a float network and some inputs -> the same network with explicit QDQ.

    points.py      which values become int8, and which of them share a scale
    calibrate.py   their ranges over the calibration inputs
    ranges.py      a range -> scale and zero point: min-max, percentile, least squares
    equalize.py    weights of neighbouring layers balanced against each other
    insert.py      quantize and dequantize written into the network, biases corrected
    report.py      signal to noise of every layer

Sources: R. Krishnamoorthi, https://arxiv.org/abs/1806.08342; M. Nagel et al., https://arxiv.org/abs/1906.04721.
"""

from edgert.codegen.quantize.options import Options
from edgert.codegen.quantize.quantize import Quantized, quantize

__all__ = ["Options", "Quantized", "quantize"]
