"""Say in plain words what kept AWS from doing what a command asked, and what to do."""

import re

from botocore.exceptions import BotoCoreError, ClientError

_CREDENTIALS = "set AWS_PROFILE to a profile that has them, or log in (`aws configure sso`, `aws sso login`)"

_NO_STACK = re.compile(r"^Stack with id .* does not exist$")


def told(error: BotoCoreError | ClientError) -> str:
    """Return a sentence without its end; what has none here comes in AWS's own words."""
    if isinstance(error, ClientError):
        return _refused(error.response["Error"]["Code"], error.response["Error"]["Message"])
    match type(error).__name__:
        case "NoCredentialsError" | "PartialCredentialsError" | "CredentialRetrievalError":
            return f"there are no AWS credentials; {_CREDENTIALS}"
        case "NoRegionError":
            return "no AWS region is chosen; set AWS_DEFAULT_REGION, or give your profile one"
        case "ProfileNotFound":
            return f"{error}; set AWS_PROFILE to one that `aws configure list-profiles` has"
        case "UnauthorizedSSOTokenError" | "SSOTokenLoadError" | "TokenRetrievalError":
            return "you are not logged in to AWS any more; run `aws sso login`"
        case "EndpointConnectionError" | "ConnectTimeoutError" | "ReadTimeoutError" | "ConnectionClosedError":
            return f"AWS does not answer at {error.kwargs['endpoint_url']}; see whether this machine is online"
    return str(error).rstrip(".")


def is_missing_stack(error: BotoCoreError | ClientError) -> bool:
    """Return whether CloudFormation has no stack of this name."""
    return isinstance(error, ClientError) and bool(_NO_STACK.match(error.response["Error"]["Message"]))


_MAY_NOT = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def is_refused(error: ClientError) -> bool:
    """Return whether the credentials are good, and may not do what was asked for."""
    return error.response["Error"]["Code"] in _MAY_NOT


def _refused(code: str, message: str) -> str:
    match code:
        case "ExpiredToken" | "ExpiredTokenException" | "RequestExpired":
            return f"your AWS credentials have expired; {_CREDENTIALS}"
        case "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" | "AuthFailure":
            return f"AWS does not accept your credentials ({code}); {_CREDENTIALS}"
        case _ if code in _MAY_NOT:
            return f"your AWS credentials may not do this ({code}): {message.rstrip('.')}"
        case "404":  # as from a local server whose table is elsewhere
            return "what answers there serves no table; give the --table and --endpoint-url that its server has printed"
    return f"AWS refuses it ({code}): {message.rstrip('.')}"
