import math
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ChecksumError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.session import get_session

from tests.fault_proxy import Exchange, FaultProxy, perform
from tests.faults import (
    Fault,
    cancel_transaction,
    conflict,
    cut_response,
    delay_request,
    delay_response,
    drip,
    internal_error,
    lose_request,
    lose_response,
    no_fault,
    throttle,
    throttle_throughput,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

IMPATIENT = 0.5


def client_of(endpoint: str, attempts: int = 1, read_timeout: float = 30) -> "DynamoDBClient":
    # As the product's: the other mode looks at no checksum.
    retries: Any = {"mode": "legacy", "total_max_attempts": attempts}
    config = Config(retries=retries, read_timeout=read_timeout, max_pool_connections=20)
    # A region of its own is a set of tables of its own.
    client = get_session().create_client("dynamodb", region_name="eu-north-1", endpoint_url=endpoint, config=config)
    return cast("DynamoDBClient", client)


@pytest.fixture(scope="module")
def direct(endpoint: str) -> Iterator["DynamoDBClient"]:
    """A client that does not go through the proxy, and the table."""
    client = client_of(endpoint)
    client.create_table(
        TableName="notes",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    yield client
    client.close()


@pytest.fixture
def proxy(endpoint: str, direct: "DynamoDBClient") -> Iterator[FaultProxy]:
    direct.delete_item(TableName="notes", Key={"pk": {"S": "a"}})
    with FaultProxy(endpoint) as proxy:
        yield proxy


@pytest.fixture
def impatient(proxy: FaultProxy) -> Iterator["DynamoDBClient"]:
    """A client that waits half a second for an answer."""
    client = client_of(proxy.endpoint, read_timeout=IMPATIENT)
    yield client
    client.close()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator["DynamoDBClient"]:
    client = client_of(proxy.endpoint)
    yield client
    client.close()


def put(client: "DynamoDBClient", key: str = "a") -> None:
    client.put_item(TableName="notes", Item={"pk": {"S": key}})


def is_there(client: "DynamoDBClient", key: str = "a") -> bool:
    return "Item" in client.get_item(TableName="notes", Key={"pk": {"S": key}}, ConsistentRead=True)


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def test_a_request_passes_and_is_recorded(
    proxy: FaultProxy, client: "DynamoDBClient", direct: "DynamoDBClient"
) -> None:
    before = time.monotonic()
    put(client)
    assert is_there(direct)
    (request,) = proxy.requests
    assert request.operation == "PutItem"
    assert request.payload == {"TableName": "notes", "Item": {"pk": {"S": "a"}}}
    assert before <= request.at <= time.monotonic()


def test_a_refusal_of_the_table_passes_as_it_is(client: "DynamoDBClient") -> None:
    with pytest.raises(ClientError) as refused:
        client.get_item(TableName="other", Key={"pk": {"S": "a"}})
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_one_connection_serves_many_requests(proxy: FaultProxy, client: "DynamoDBClient") -> None:
    connections = []

    def look(exchange: Exchange) -> None:
        connections.append(exchange.client)
        perform(no_fault, exchange)

    proxy.inject(look, times=math.inf)
    for _ in range(5):
        put(client)
    assert len(connections) == 5
    assert len(set(connections)) == 1


def test_a_lost_request_leaves_nothing(proxy: FaultProxy, client: "DynamoDBClient", direct: "DynamoDBClient") -> None:
    proxy.inject(lose_request)
    with pytest.raises(ConnectionClosedError):
        put(client)
    assert not is_there(direct)


def test_a_lost_response_leaves_what_was_asked(
    proxy: FaultProxy, client: "DynamoDBClient", direct: "DynamoDBClient"
) -> None:
    proxy.inject(lose_response)
    with pytest.raises(ConnectionClosedError):
        put(client)
    assert is_there(direct)


def test_half_a_response_is_an_error(proxy: FaultProxy, client: "DynamoDBClient", direct: "DynamoDBClient") -> None:
    put(direct)
    proxy.inject(cut_response)
    with pytest.raises(ChecksumError):
        is_there(client)


def test_a_client_that_tries_again_gets_through(proxy: FaultProxy) -> None:
    client = client_of(proxy.endpoint, attempts=3)
    proxy.inject(lose_response)
    proxy.inject(throttle)
    put(client)
    client.close()
    assert proxy.operations == ["PutItem"] * 3


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (throttle, 400, "ThrottlingException"),
        (throttle_throughput, 400, "ProvisionedThroughputExceededException"),
        (conflict, 400, "TransactionConflictException"),
        (internal_error, 500, "InternalServerError"),
    ],
)
def test_an_error_is_answered_in_the_tables_place(
    proxy: FaultProxy, client: "DynamoDBClient", direct: "DynamoDBClient", fault: Fault, status: int, code: str
) -> None:
    proxy.inject(fault)
    with pytest.raises(ClientError) as refused:
        put(client)
    assert refused.value.response["Error"] == {"Code": code, "Message": "Injected by a test."}
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert not is_there(direct)


def test_a_cancelled_transaction_has_its_reasons_by_position(proxy: FaultProxy, client: "DynamoDBClient") -> None:
    proxy.inject(cancel_transaction("None", "TransactionConflict"))
    puts: list[TransactWriteItemTypeDef] = [{"Put": {"TableName": "notes", "Item": {"pk": {"S": key}}}} for key in "ab"]
    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(TransactItems=puts)
    codes = [reason["Code"] for reason in cancelled.value.response["CancellationReasons"]]
    assert codes == ["None", "TransactionConflict"]


def test_a_delayed_request_takes_effect_after_its_client_gave_up(
    proxy: FaultProxy, impatient: "DynamoDBClient", direct: "DynamoDBClient"
) -> None:
    proxy.inject(delay_request(4 * IMPATIENT))
    with pytest.raises(ReadTimeoutError):
        put(impatient)
    assert not is_there(direct)
    assert soon(lambda: is_there(direct))


def test_a_delayed_response_keeps_its_client_waiting_for_what_is_done(
    proxy: FaultProxy, impatient: "DynamoDBClient", direct: "DynamoDBClient"
) -> None:
    proxy.inject(delay_response(3600))
    with pytest.raises(ReadTimeoutError):
        put(impatient)
    assert soon(lambda: is_there(direct))


def test_a_dripping_response_outlasts_the_read_timeout(proxy: FaultProxy, impatient: "DynamoDBClient") -> None:
    put(impatient)
    proxy.inject(drip(IMPATIENT / 10))
    began = time.monotonic()
    assert is_there(impatient)
    assert time.monotonic() - began > 2 * IMPATIENT


def test_refused_connections_end_with_their_block(
    proxy: FaultProxy, client: "DynamoDBClient", direct: "DynamoDBClient"
) -> None:
    put(client, "before")
    with proxy.refusing_connections(), pytest.raises(EndpointConnectionError):
        put(client, "during")
    put(client, "after")
    assert [key for key in ("before", "during", "after") if is_there(direct, key)] == ["before", "after"]


def test_a_plan_waits_for_its_operation_and_its_turn(proxy: FaultProxy, client: "DynamoDBClient") -> None:
    proxy.inject(throttle, operation="PutItem", skip=1, times=2)
    seen = []
    for _ in range(5):
        is_there(client)
        try:
            put(client)
            seen.append("put")
        except ClientError:
            seen.append("refused")
    assert seen == ["put", "refused", "refused", "put", "put"]


def test_a_plan_may_look_at_the_request(proxy: FaultProxy, client: "DynamoDBClient", direct: "DynamoDBClient") -> None:
    proxy.inject(lose_request, when=lambda request: request.payload["Item"]["pk"]["S"] == "b")
    put(client, "a")
    with pytest.raises(ConnectionClosedError):
        put(client, "b")
    assert is_there(direct, "a")
    assert not is_there(direct, "b")


def test_plans_are_met_in_the_order_of_their_injection_until_cleared(
    proxy: FaultProxy, client: "DynamoDBClient"
) -> None:
    proxy.inject(throttle_throughput)
    proxy.inject(internal_error, times=math.inf)
    codes = []
    for _ in range(3):
        with pytest.raises(ClientError) as refused:
            put(client)
        codes.append(refused.value.response["Error"]["Code"])
    assert codes == ["ProvisionedThroughputExceededException", "InternalServerError", "InternalServerError"]
    proxy.clear()
    put(client)
    assert proxy.operations == ["PutItem"]


def test_threads_meet_exactly_the_faults_that_were_planned(proxy: FaultProxy, client: "DynamoDBClient") -> None:
    chance = random.Random(7)
    proxy.inject(lose_request, times=10)
    proxy.inject(throttle_throughput, when=lambda _: chance.random() < 0.3, times=20)

    def attempt(number: int) -> str:
        try:
            put(client, str(number))
        except (ConnectionClosedError, ClientError) as error:
            return type(error).__name__
        return "put"

    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(attempt, range(200)))
    assert {kind: outcomes.count(kind) for kind in outcomes} == {
        "ConnectionClosedError": 10,
        "ProvisionedThroughputExceededException": 20,
        "put": 170,
    }
    assert len(proxy.requests) == 200


def test_a_proxy_that_ends_waits_for_no_delay(endpoint: str) -> None:
    with FaultProxy(endpoint) as proxy:
        client = client_of(proxy.endpoint, read_timeout=IMPATIENT)
        proxy.inject(delay_response(3600))
        with pytest.raises(ReadTimeoutError):
            put(client)
        client.close()
