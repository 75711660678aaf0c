"""Electrons of one atom."""
