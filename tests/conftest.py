"""Settings that every test shares."""

import os

# scikit-learn runs its array API check only if this is set before SciPy is first imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

from hypothesis import HealthCheck, settings

# No deadline: two workers share the machine's cores. Derandomised: a red run can be repeated.
settings.register_profile(
    "sklsq",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("sklsq")
