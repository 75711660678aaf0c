"""What a detector costs: one function of each parameter that a design may change, from a file.

The format is described in docs/design.md.
"""

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnu import precision  # noqa: F401
from jaxnu.errors import InputError
from jaxnu.numerics.interpolation import monotone_cubic
from jaxnu.units import DIMENSIONS, quantity

KEYS = ("lowest", "highest", "amount", "reference", "power", "values", "costs")
POWER_MAX = 20.0  # of a power law: beyond is a slip
COST_MAX = 1e15  # in the file's currency, likewise


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Cost:
    """Cost of one parameter as a curve in logarithms, within bounds.

    logs, log_costs: knots of ln(value) and ln(cost); two for a power law, which is a straight line
        there. lowest, highest: bounds of the value, in its unit.
    """

    logs: Float[Array, "knots"]
    log_costs: Float[Array, "knots"]
    lowest: float = field(metadata={"static": True})
    highest: float = field(metadata={"static": True})

    def log_cost(self, log_value: Float[Array, ""]) -> Float[Array, ""]:
        """ln(cost); between the knots of a table a monotone cubic in ln(value)."""
        if self.logs.shape[-1] == 2:
            slope = (self.log_costs[1] - self.log_costs[0]) / (self.logs[1] - self.logs[0])
            return self.log_costs[0] + slope * (log_value - self.logs[0])
        return monotone_cubic(log_value, self.logs, self.log_costs)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Costs:
    """Costs of several parameters, their sum with what is paid anyway.

    parameters: name → Cost. fixed: paid whatever the design, in `currency`.
    """

    parameters: dict[str, Cost]
    fixed: Float[Array, ""]
    currency: str = field(metadata={"static": True})

    def each(self, log_values: Mapping[str, Array]) -> dict[str, Array]:
        """Cost of each parameter whose ln(value) is given."""
        return {n: jnp.exp(self.parameters[n].log_cost(log)) for n, log in log_values.items()}

    def total(self, log_values: Mapping[str, Array]) -> Float[Array, ""]:
        """Sum of `each` and the fixed cost."""
        return self.fixed + sum(self.each(log_values).values(), jnp.zeros(()))


def read_costs(path: str | Path, dimensions: Mapping[str, str | None]) -> Costs:
    """Costs and bounds of parameters from a TOML file.

    Args:
        path: of the file.
        dimensions: parameter → dimension of its quantity as in `units`, None for a bare number.

    Returns:
        Costs, values in jaxnu's units.

    Raises:
        InputError: for what cannot be used, in one line: file, key, value, what is expected.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror}; give a cost file; 'jaxnu design --new "
            "cost.toml' writes one to start from"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not TOML: {error}; correct it there") from None
    file = Path(path).name
    allowed = ("currency", "fixed", *dimensions)
    for key, value in content.items():
        if key not in allowed:
            raise _unknown(file, key, value, allowed)
    currency = content.get("currency", "")
    if not isinstance(currency, str) or not currency.strip():
        raise InputError(f'{file}: currency = {currency!r}; give a text, such as "kEUR"')
    fixed = content.get("fixed", 0.0)
    _number(f"{file}: fixed", fixed, 0.0, COST_MAX, "what is paid whatever the design")
    tables = {name: content[name] for name in dimensions if name in content}
    if not tables:
        raise InputError(
            f"{file}: prices no parameter; give a table for at least one of: "
            f"{', '.join(dimensions)}"
        )
    found = {name: _cost(file, name, table, dimensions[name]) for name, table in tables.items()}
    return Costs(found, jnp.asarray(float(fixed)), currency)


def _cost(file: str, name: str, table: Any, dimension: str | None) -> Cost:
    if not isinstance(table, dict):
        raise InputError(f"{file}: {name} = {table!r} is not a table; give [{name}] with its keys")
    for key, value in table.items():
        if key not in KEYS:
            raise _unknown(f"{file}: {name}", key, value, KEYS, ".")

    def get(key: str, expected: str) -> Any:
        if key not in table:
            raise InputError(f"{file}: {name}.{key} is missing; give {expected}")
        return table[key]

    def size(key: str, value: Any) -> float:
        """A positive value of the parameter, in its unit."""
        where = f"{file}: {name}.{key}"
        if dimension is None:
            _number(where, value, 0.0, 1e12, "a bare number, see the list of parameters", True)
            return float(value)
        try:
            number = quantity(value, dimension)
        except InputError as error:
            raise InputError(f"{where} = {error}") from None
        if not (math.isfinite(number) and number > 0.0):
            raise InputError(
                f"{where} = {value!r} is not above zero; give {DIMENSIONS[dimension][2]!r}, say"
            )
        return number

    example = "1.5" if dimension is None else repr(DIMENSIONS[dimension][2])
    lowest = size("lowest", get("lowest", f"the lowest value, such as {example}"))
    highest = size("highest", get("highest", f"the highest value, such as {example}"))
    if not lowest < highest:
        raise InputError(
            f"{file}: {name}.lowest = {table['lowest']!r} is not below highest = "
            f"{table['highest']!r}; give a range"
        )
    law, curve = [k for k in KEYS[2:5] if k in table], [k for k in KEYS[5:] if k in table]
    if bool(law) == bool(curve):
        raise InputError(
            f"{file}: {name} has {', '.join(law + curve) or 'no cost'}; give either amount, "
            "reference and power, or values and costs"
        )
    if law:
        expected = "the cost at the reference"
        amount, power = get("amount", expected), get("power", "the exponent of the cost")
        _number(f"{file}: {name}.amount", amount, 0.0, COST_MAX, expected, True)
        _number(f"{file}: {name}.power", power, -POWER_MAX, POWER_MAX, "cost ∝ value^power")
        reference = size("reference", get("reference", f"where it is paid, such as {example}"))
        logs = np.log([lowest, highest])
        log_costs = np.log(float(amount)) + float(power) * (logs - np.log(reference))
        return Cost(jnp.asarray(logs), jnp.asarray(log_costs), lowest, highest)
    values = get("values", "the values of the parameter that are priced")
    costs = get("costs", "one cost for each value")
    numbers = _values(f"{file}: {name}.values", values, dimension, size)
    if not isinstance(costs, list) or len(costs) != len(numbers):
        raise InputError(
            f"{file}: {name}.costs = {costs!r}; give a list of {len(numbers)} numbers, one cost "
            "for each of values"
        )
    for i, cost in enumerate(costs):
        _number(f"{file}: {name}.costs[{i}]", cost, 0.0, COST_MAX, "costs are above zero", True)
    if len(numbers) < 3 or not np.all(np.diff(numbers) > 0.0):
        raise InputError(
            f"{file}: {name}.values = {values!r}; give three or more increasing values (two are a "
            "power law)"
        )
    if not (numbers[0] <= lowest * (1.0 + 1e-12) and highest <= numbers[-1] * (1.0 + 1e-12)):
        raise InputError(
            f"{file}: {name}.values = {values!r} do not reach from lowest = {table['lowest']!r} to "
            f"highest = {table['highest']!r}; give costs for the whole range"
        )
    logs, log_costs = np.log(numbers), np.log(np.array(costs, float))
    return Cost(jnp.asarray(logs), jnp.asarray(log_costs), lowest, highest)


def _values(where: str, values: Any, dimension: str | None, size: Any) -> list[float]:
    """A list of bare numbers, or { unit = "keV", values = [...] }."""
    if dimension is None:
        if not isinstance(values, list):
            raise InputError(f"{where} = {values!r}; give a list of numbers")
        return [size(f"values[{i}]", value) for i, value in enumerate(values)]
    expected = f"give {{ unit = {DIMENSIONS[dimension][1]!r}, values = [...] }}"
    listed = values.get("values") if isinstance(values, dict) else None
    if not isinstance(listed, list) or set(values) != {"unit", "values"}:
        raise InputError(f"{where} = {values!r}; {expected}")
    found = []
    for i, value in enumerate(listed):
        _number(f"{where}.values[{i}]", value, 0.0, 1e12, expected, True)
        found.append(size(f"values.values[{i}]", f"{float(value)!r} {values['unit']}"))
    return found


def _number(
    where: str, value: Any, low: float, high: float, remedy: str, open_low: bool = False
) -> None:
    """Refuse what is not a bare number in a range."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    inside = plain and (low < value if open_low else low <= value) and value <= high
    if not inside:
        bracket = "(" if open_low else "["
        raise InputError(
            f"{where} = {value!r}; give a number in {bracket}{low:g}, {high:g}]: {remedy}"
        )


def _unknown(
    file: str, key: str, value: Any, allowed: tuple[str, ...], joint: str = ": "
) -> InputError:
    near = difflib.get_close_matches(key, allowed, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return InputError(
        f"{file}{joint}{key} = {value!r:.60} is unknown; allowed: {', '.join(allowed)}{hint}"
    )
