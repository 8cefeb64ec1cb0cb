"""The tests of what is done later, unchanged, with the table on Amazon's own engine; queue and schedules are moto's."""

from tests.integration.test_cancel_after import *  # noqa: F403
from tests.integration.test_delay import *  # noqa: F403
