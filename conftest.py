"""What every doctest may use, and a cache folder of the tests' own."""

from collections.abc import Iterator
from typing import Any

import pytest

from convcalc.kinds.kind import print_cost


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace["print_cost"] = print_cost


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
