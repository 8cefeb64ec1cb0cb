"""Which table the options of a command name."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, NoCredentialsError

from bridge.link import Clock
from cli import connection, operator_records
from cli.connection import (
    IN_MEMORY,
    LOCAL_ENDPOINT,
    TableAddress,
    TableError,
    connect,
    explained_errors,
    find_table,
    find_webhook,
    local_credentials,
)
from orderhook.errors import OrderhookError, OutcomeUnknownError, TemporarilyUnavailableError
from orderhook.venues import NINJATRADER, TABLE
from tests.client_faults import Raw
from tests.cloudformation import MISSING, OUTPUT, STACK, Answering, stand_in

EVERY_ENDPOINT = {"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_DYNAMODB": "http://dynamodb"}


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> Answering:
    return stand_in(monkeypatch)


def test_without_options_it_is_the_table_of_the_local_server() -> None:
    assert find_table(None, None, None) == TableAddress("orderhook", LOCAL_ENDPOINT)


def test_a_table_is_on_aws_unless_there_is_an_endpoint() -> None:
    assert find_table("other", None, None) == TableAddress("other")
    assert find_table("other", None, "http://localhost:8000") == TableAddress("other", "http://localhost:8000")


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ((None, None, None, 3104), {}, TableAddress("orderhook", "http://127.0.0.1:3104")),
        ((None, None, None, None), {"ORDERHOOK_PORT": "3104"}, TableAddress("orderhook", "http://127.0.0.1:3104")),
        (
            (None, None, None, 3105),
            {"ORDERHOOK_PORT": "3104", **EVERY_ENDPOINT},
            TableAddress("orderhook", "http://127.0.0.1:3105"),
        ),
        (("other", None, None, 3104), EVERY_ENDPOINT, TableAddress("other", "http://127.0.0.1:3104")),
        (("other", None, None, None), {"ORDERHOOK_PORT": "3104"}, TableAddress("other")),
        ((None, None, "http://x", None), {"ORDERHOOK_PORT": "3104"}, TableAddress("orderhook", "http://x")),
        (
            (None, None, None, None),
            {"ORDERHOOK_PORT": "3104", **EVERY_ENDPOINT},
            TableAddress("orderhook", "http://127.0.0.1:3104"),
        ),
        ((None, None, None, None), EVERY_ENDPOINT, TableAddress("orderhook", "http://dynamodb")),
        (("other", None, None, None), EVERY_ENDPOINT, TableAddress("other", "http://dynamodb")),
        (("other", None, "http://x", None), EVERY_ENDPOINT, TableAddress("other", "http://x")),
    ],
)
def test_what_is_given_goes_before_the_environment_and_a_port_before_endpoints(
    given: tuple[str | None, str | None, str | None, int | None], environment: dict[str, str], expected: TableAddress
) -> None:
    assert find_table(*given, environment) == expected


@pytest.mark.parametrize("text", ["x", "-1", "0", "65536", "³"])
def test_a_port_of_the_environment_has_to_be_one(text: str) -> None:
    with pytest.raises(TableError, match="is not a port"):
        find_table(None, None, None, None, {"ORDERHOOK_PORT": text})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((None, "mine", None, 3104), "--port and --stack are both given"),
        ((None, None, "http://x", 3104), "--port and --endpoint-url are both given"),
    ],
)
def test_a_port_is_the_local_servers_and_nothing_elses(
    given: tuple[str | None, str | None, str | None, int | None], says: str
) -> None:
    with pytest.raises(TableError, match=says):
        find_table(*given)


def test_an_alert_goes_to_the_local_server_unless_another_webhook_is_named(cloudformation: Answering) -> None:
    port = {"ORDERHOOK_PORT": "3104"}
    assert find_webhook(None, None, None) == "http://127.0.0.1:3000/webhook"
    assert find_webhook(None, None, None, port) == "http://127.0.0.1:3104/webhook"
    assert find_webhook(None, None, 3105, port) == "http://127.0.0.1:3105/webhook"
    assert find_webhook("https://x/webhook", None, None, port) == "https://x/webhook"
    with cloudformation(
        STACK.format(OUTPUT.format("WebhookUrl").replace("orderhook-Table-1", "https://api/webhook")), 200
    ):
        assert find_webhook(None, "mine", None, port) == "https://api/webhook"
    with pytest.raises(TableError, match="--url and --stack are both given"):
        find_webhook("https://x/webhook", "mine", None)


def test_a_stack_means_the_table_in_its_outputs(cloudformation: Answering) -> None:
    with cloudformation(STACK.format(OUTPUT.format("TableName")), 200):
        assert find_table(None, "mine", None) == TableAddress("orderhook-Table-1")


def test_a_stack_says_how_long_what_is_written_is_kept(cloudformation: Answering) -> None:
    days = "<Parameters>{}</Parameters>".format(
        "".join(
            f"<member><ParameterKey>{name}</ParameterKey><ParameterValue>{value}</ParameterValue></member>"
            for name, value in (("RetentionDays", 7), ("AlertRetentionDays", 365))
        )
    )
    outputs = OUTPUT.format("TableName")
    for parameters, kept in (("", (30, 90)), (days, (7, 365))):
        with cloudformation(STACK.format(outputs + parameters), 200):
            address = find_table(None, "mine", None)
        assert (address.retention.days, address.record_retention.days) == kept


def test_a_stack_with_a_venue_has_its_doorbell_and_one_without_has_none(cloudformation: Answering) -> None:
    table = OUTPUT.format("TableName")
    doorbell = OUTPUT.format("DoorbellUrl").replace("orderhook-Table-1", "https://queue")
    for outputs, url in ((table, None), (table + doorbell, "https://queue")):
        with cloudformation(STACK.format(outputs.replace("</Outputs><Outputs>", "")), 200):
            address = find_table(None, "mine", None)
        assert address.doorbell_url == url
        services = connect(address, {})
        assert services.venue == (TABLE if url is None else NINJATRADER)
        assert (services.doorbell is None) == (url is None)


def test_a_stack_without_a_table_is_refused(cloudformation: Answering) -> None:
    for outputs in ("", OUTPUT.format("SomethingElse")):
        with (
            cloudformation(STACK.format(outputs), 200),
            pytest.raises(TableError, match="Stack mine has no output TableName, so it is not"),
        ):
            find_table(None, "mine", None)


def test_a_stack_that_does_not_exist_is_refused(cloudformation: Answering) -> None:
    with (
        cloudformation(MISSING, 400),
        pytest.raises(TableError, match=r"There is no stack 'mine' in this account and region"),
    ):
        find_table(None, "mine", None)


def test_a_table_and_a_stack_contradict_each_other() -> None:
    with pytest.raises(TableError, match="give only one of them"):
        find_table("other", "mine", None)


@pytest.mark.parametrize("endpoint", ["localhost:8000", "other", "ftp://localhost"])
def test_an_endpoint_has_to_be_a_url(endpoint: str) -> None:
    with pytest.raises(TableError, match="is not a URL"):
        find_table(None, None, endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "https://dynamodb.eu-west-1.amazonaws.com",
        "https://DYNAMODB.EU-WEST-1.AMAZONAWS.COM:443/",
        "https://dynamodb.cn-north-1.amazonaws.com.cn",
        "https://dynamodb.eu-west-1.api.aws",
        "https://vpce-0a-1b.dynamodb.eu-west-1.vpce.amazonaws.com",
    ],
)
def test_a_table_on_aws_is_not_local(endpoint: str | None) -> None:
    assert not TableAddress("other", endpoint).is_local


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8000", "http://dynamodb-local:8000", "http://[::1]:8000"])
def test_a_table_elsewhere_is_local(endpoint: str) -> None:
    assert TableAddress("other", endpoint).is_local
    assert IN_MEMORY.is_local


def test_credentials_for_a_local_endpoint_are_the_environments_or_made_up() -> None:
    assert local_credentials({}) == {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    own = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    assert local_credentials(own) == {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }


DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "Not you."}}, "PutItem")
EXPIRED = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "Late."}}, "GetItem")
UNKNOWN_TOKEN = ClientError({"Error": {"Code": "UnrecognizedClientException", "Message": "Who?"}}, "GetItem")
OTHER = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Slow down."}}, "GetItem")
NOT_FOUND = ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "GetItem")
MISSING_TABLE = ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "Which?"}}, "GetItem")


@pytest.mark.parametrize("answered", [TemporarilyUnavailableError, OutcomeUnknownError])
@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (DENIED, r"cannot be used: your AWS credentials may not do this \(AccessDeniedException\): Not you\.$"),
        (MISSING_TABLE, "There is no table mine on AWS"),
        (NoCredentialsError(), "cannot be used: there are no AWS credentials; set AWS_PROFILE"),
        (EXPIRED, "cannot be used: your AWS credentials have expired; set AWS_PROFILE"),
        (UNKNOWN_TOKEN, r"cannot be used: AWS does not accept your credentials \(UnrecognizedClientException\); set"),
        (NOT_FOUND, "cannot be used: what answers there serves no table; give the --table and --endpoint-url that its"),
        (OTHER, r"cannot be used: AWS refuses it \(ThrottlingException\): Slow down\.$"),
    ],
    ids=["denied", "no table", "no credentials", "expired", "unknown", "not found", "other"],
)
def test_what_aws_refuses_a_person_is_told_in_plain_words(
    answered: type[OrderhookError], cause: Exception, told: str
) -> None:
    with pytest.raises(TableError, match=told), explained_errors(TableAddress("mine")):
        raise answered("for a trader") from cause


# The clock


@pytest.mark.parametrize("minutes", [4, -4, 0])
def test_an_operator_signs_by_the_tables_clock_where_this_machines_is_wrong(
    monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    now = datetime.now(UTC)
    here = now + timedelta(minutes=minutes)
    monkeypatch.setattr(connection, "aws_clock", Clock(here))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = connection.client(TableAddress("orderhook", "http://127.0.0.1:1"), {})

    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        date = HTTPHeaders.from_dict({"Date": format_datetime(now, usegmt=True)})
        return AWSResponse(request.url, 200, date, Raw(b"{}"))

    client.meta.events.register("before-send.dynamodb", answer)  # type: ignore[arg-type]
    assert operator_records.operators_provenance("me").at - here < timedelta(minutes=1)
    client.get_item(TableName="orderhook", Key={"pk": {"S": "a"}, "sk": {"S": "b"}})
    assert abs(operator_records.operators_provenance("me").at - now) < timedelta(minutes=1)
