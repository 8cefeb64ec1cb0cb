"""The environment of the functions, with made-up credentials: set when this is imported, before they are."""

import os

os.environ |= {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "ORDERHOOK_TABLE": "the-tests-put-their-own-table-in-its-place",
    "POWERTOOLS_SERVICE_NAME": "orderhook",
    "POWERTOOLS_METRICS_NAMESPACE": "orderhook",
}
for name in ("AWS_PROFILE", "ORDERHOOK_ALLOWED_SOURCES", *(it for it in os.environ if it.startswith("AWS_ENDPOINT_"))):
    os.environ.pop(name, None)

# Before any client is made: the webhook makes its own when it is imported.
import moto  # noqa: E402, F401
