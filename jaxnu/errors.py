"""The two ways in which jaxnu refuses, a bad input and a failed computation, and its warning."""


class InputError(ValueError):
    """An input that cannot be used: one line with its name, value, allowed range and remedy."""


class FitError(RuntimeError):
    """A fit or root search that did not converge; never replaced by a start value."""


class CacheWarning(UserWarning):
    """The cache of tables or programs could not be used; the result is right all the same."""
