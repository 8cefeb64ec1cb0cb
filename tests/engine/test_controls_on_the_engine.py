"""The controls' tests, unchanged, on Amazon's own engine: sets of numbers and their sizes are its own to judge."""

from tests.integration.test_controls import *  # noqa: F403
from tests.integration.test_rate_limit import *  # noqa: F403
