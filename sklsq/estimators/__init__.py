"""Estimators: validate, whiten, solve, publish."""
