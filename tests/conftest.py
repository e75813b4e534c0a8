"""What holds for every test: no test hangs, none depends on how fast the machine is."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from mcastplan.cli import heed_signals

# The deadline and the health check measure time, and a busy machine has little. Under CI=true
# Hypothesis' own profile for it is below this one: the same examples in each run.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    heed_signals()  # as the command does: what tests start in here counts on them
