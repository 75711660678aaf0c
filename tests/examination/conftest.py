"""Shipped atoms, and one 1s electron in closed form."""

import pytest

from jaxnu.responses import response


@pytest.fixture(scope="session")
def germanium():
    return response("Ge")


@pytest.fixture(scope="session")
def xenon():
    return response("Xe")


@pytest.fixture(scope="session")
def helium():
    return response("He")


@pytest.fixture(scope="session")
def hydrogen():
    return response("H", "hydrogenic", last_n=400)
