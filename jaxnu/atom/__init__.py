"""Electrons of one atom: configuration, self-consistent field, orbitals, matrix elements."""
