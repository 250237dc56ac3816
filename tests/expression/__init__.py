"""Tests of the room `sklsq.expression`."""
