"""What every doctest may use."""

from typing import Any

import pytest

from convcalc.kinds.kind import print_cost


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["print_cost"] = print_cost
