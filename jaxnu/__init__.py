"""jaxnu: neutrino magnetic-moment scattering on atoms, spectra and limits, in JAX."""

from jaxnu._guards import refuse_broken_environment
from jaxnu._version import __version__ as __version__

refuse_broken_environment()
