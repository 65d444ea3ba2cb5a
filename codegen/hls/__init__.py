"""Circuits from a Program."""
