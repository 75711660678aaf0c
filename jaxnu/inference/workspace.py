"""An experiment as a pyhf workspace."""

from collections.abc import Sequence
from typing import Any

from jaxnu.experiments.experiment import Experiment
from jaxnu.inference.crossing import limit_value
from jaxnu.inference.exchange import to_pyhf
from jaxnu.inference.joint import general, joint_model
from jaxnu.inference.limit_inputs import atoms_of, listed
from jaxnu.inference.limits import checked_model
from jaxnu.responses.base import Response

ROOM = 10.0  # of the bound of x over the profile limit


def experiment_workspace(
    experiment: Experiment | Sequence[Experiment],
    response: Response | Sequence[Response] | None = None,
    data: str = "observed",
    shared: Sequence[str] = (),
) -> dict[str, Any]:
    """The likelihood of μ² of one experiment or several as a HistFactory workspace.

    The parameter of interest "x" is μ_ν²/(1e-11 μ_B)². Everything else as in `to_pyhf`.

    Args:
        experiment, response, shared: as in `limit`.
        data: "observed", or "Asimov": the expected background.

    Returns:
        A dictionary for json.dump or pyhf.Workspace.

    Raises:
        InputError: as `limit`, and as `to_pyhf` for what HistFactory cannot say: ON − OFF and
            ON/OFF data, and systematics whose product with another one is on the signal.
    """
    experiments = listed(experiment, shared)
    atoms = atoms_of(experiments, response)
    parts = [
        general(checked_model(one, atom, data)[0])
        for one, atom in zip(experiments, atoms, strict=True)
    ]
    model = joint_model(parts, [one.name for one in experiments], tuple(shared))
    return to_pyhf(model, ROOM * float(limit_value(model)))
