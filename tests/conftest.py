"""What all tests share: hypothesis draws the same examples in every run."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "campusgate",
    derandomize=True,
    database=None,
    deadline=None,
    # A fixture that a test of properties uses is one that no example changes.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("campusgate")
