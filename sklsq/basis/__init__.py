"""Basis functions: from features to the columns of a design matrix, with names."""

from sklsq.basis.polynomial import Polynomial

__all__ = ["Polynomial"]
