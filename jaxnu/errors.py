"""The two ways in which jaxnu refuses: a bad input, and a computation that did not succeed."""


class InputError(ValueError):
    """An input that cannot be used: one line with its name, value, allowed range and remedy."""


class FitError(RuntimeError):
    """A fit or root search that did not converge; never replaced by a start value."""
