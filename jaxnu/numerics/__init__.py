"""Numerical methods without physics."""
