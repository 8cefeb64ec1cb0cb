"""The request to an outgoing webhook: HTTPS alone, no redirects, 3 seconds in all, and no error that names the URL."""

import time

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from orderhook.aws.deadline import DeadlineError, call_until
from orderhook.notifying.destinations import Request
from orderhook.store.notices import State

SECONDS = 3.0


def post(request: Request) -> tuple[State, str | None]:
    """Post a message once; return whether it was taken, and if not, why.

    "Not reached" is certain: the service was not connected to, or has said that it takes none now. Of all else that
    fails nobody knows whether it was taken. In any thread but the main one a service that answers bit by bit may take
    longer.
    """
    try:
        status = call_until(time.monotonic() + SECONDS, _status_of, request)
    except DeadlineError:
        return "failed", f"there was no answer within {SECONDS:g} s"
    except (NewConnectionError, ConnectTimeoutError, SSLError) as error:
        return "not reached", type(error).__name__
    except HTTPError as error:
        return "failed", type(error).__name__
    if 200 <= status < 300:
        return "sent", None
    return "not reached" if status == 429 else "failed", f"it was answered {status}"


def _status_of(request: Request) -> int:
    with urllib3.PoolManager(
        num_pools=1, cert_reqs="CERT_REQUIRED", retries=False, timeout=urllib3.Timeout(total=SECONDS)
    ) as pool:
        answer = pool.request("POST", request.url, json=request.body, redirect=False, preload_content=False)
        answer.close()  # what it says besides is not read
        return answer.status
