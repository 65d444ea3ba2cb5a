"""Relax with composites -> Program: names, shapes and integers, and no TVM in sight."""

from edgert.codegen.lower.lower import lower

__all__ = ["lower"]
