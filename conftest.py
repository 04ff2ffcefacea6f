"""What every doctest may use."""

from typing import Any

import pytest

from convcalc.kinds.base import worked


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["worked"] = worked
