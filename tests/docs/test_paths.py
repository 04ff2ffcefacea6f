"""The pages for contributors name files and folders that exist, and the order of imports that a test holds."""

import re

import pytest
from helpers.paths import ROOT

PAGES = ["CONTRIBUTING.md", "README.md", "docs/architecture.md", "docs/style.md"]
PATH = re.compile(r"`((?:convcalc|tests|layers|docs|action|\.ci)/[^`\s]*)`")
# named in the pages and not yet there
PENDING: set[str] = set()


def exists(name):
    """Whether a path exists; of one with a placeholder in capitals (NAME.py), the folder before it."""
    folder = re.split(r"[^/]*[A-Z]{4,}", name)[0]
    return (ROOT / folder).is_dir() if folder != name else any(ROOT.glob(name))


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page):
    names = set(PATH.findall((ROOT / page).read_text("utf-8")))
    missing = sorted(name for name in names if not exists(name) and not name.startswith(tuple(PENDING)))
    assert not missing, f"{page} names what does not exist: {missing}"


def test_nothing_pending_exists():
    done = sorted(name for name in PENDING if exists(name))
    assert not done, f"remove from PENDING of tests/docs/test_paths.py: {done}"
