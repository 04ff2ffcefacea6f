"""A small network for the tests of commands."""

import pytest

SPEC = """\
name: reduce
source: a test
input: 256x28x28
vars: {width: 16}
variants: {narrow: {width: 8}}
blocks:
  reduced:
    layers:
      - concat:
        - - conv: {name: reduce, filters: "${width}", kernel: 1}
          - relu
          - conv: {name: wide, filters: 32, kernel: 5, padding: same}
          - batch_norm
        - - max_pool: {kernel: 3, stride: 1, padding: 1}
layers:
  - reduced: {name: first}
  - reduced: {name: second}
  - global_avg_pool
  - flatten
  - linear: 10
"""


@pytest.fixture
def spec(tmp_path):
    """Its path; the file is `net.yaml`."""
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return str(path)
