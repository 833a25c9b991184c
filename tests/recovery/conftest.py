"""Simulated shops, each of them once, and a way to print what was measured."""

from collections.abc import Callable
from functools import cache

import pytest

from customerlab.data.simulate import simulate_shop


@pytest.fixture(scope="session")
def shops() -> Callable:
    """The simulated shop of a seed, without faults; nobody changes it."""
    return cache(lambda seed: simulate_shop(seed=seed, spoiled=False))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a figure that the run should show."""

    def printed(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="")

    return printed
