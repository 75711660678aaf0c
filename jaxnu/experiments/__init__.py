"""Measurements as data: TOML files with provenance, and the shipped catalogue."""

from jaxnu.experiments.description import describe as describe
from jaxnu.experiments.experiment import Experiment as Experiment
from jaxnu.experiments.experiment import Parameters as Parameters
from jaxnu.experiments.experiment import transfer_edges as transfer_edges
from jaxnu.experiments.reader import available as available
from jaxnu.experiments.reader import load_experiment as load_experiment
