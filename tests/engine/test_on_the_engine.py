"""The book's tests, unchanged, on Amazon's own engine: the fixture `table` of this folder stands in for moto's."""

from tests.integration.test_accounts import *  # noqa: F403
from tests.integration.test_administration import *  # noqa: F403
from tests.integration.test_book_model import test_the_book_does_what_its_model_says  # noqa: F401
from tests.integration.test_cancel import *  # noqa: F403
from tests.integration.test_cancel_replace import *  # noqa: F403
from tests.integration.test_change import *  # noqa: F403
from tests.integration.test_close_strategy import *  # noqa: F403
from tests.integration.test_events import *  # noqa: F403
from tests.integration.test_place import *  # noqa: F403
from tests.integration.test_records import *  # noqa: F403
from tests.integration.test_refusals import *  # noqa: F403
from tests.integration.test_reports import *  # noqa: F403
from tests.integration.test_requests import *  # noqa: F403
from tests.integration.test_sweep import *  # noqa: F403
