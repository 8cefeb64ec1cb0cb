"""The HTTP API as a program calls it: events through the console's own entrance, over the service's table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from orderhook import administration
from orderhook.bridge_messages import Execution, PositionReport, Side
from orderhook.console import app
from orderhook.console.sessions import ProcessSessions
from orderhook.console.visit import Deployment
from orderhook.limits import Limits
from orderhook.orders import timestamp
from orderhook.store import items
from orderhook.store.table import serialize
from tests.service import Service

ES: Mapping[str, object] = {
    "instrument": "ES 12-26",
    "action": "BUY",
    "quantity": 5,
    "orderType": "LIMIT",
    "limitPrice": 5000.25,
    "timeInForce": "GTC",
}
"""A body of an order, but for its id."""


@dataclass(frozen=True)
class Told:
    """An answer of the API; its numbers are exact."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]
    text: str

    @property
    def word(self) -> str:
        """The status word of a success, the code of a refusal."""
        word: str = self.body["status" if self.body["success"] else "error"]
        return word

    @property
    def refusal(self) -> tuple[int, str]:
        """The status and the code of a refusal."""
        assert self.body["success"] is False, self.body
        return self.status, self.body["error"]


class Api:
    """A program with a key of the API."""

    def __init__(self, service: Service, key: str | None = None) -> None:
        self.service = service
        self.key = key or self.issue_key("both")

    def issue_key(self, *scopes: str, **limits: Any) -> str:
        """Issue a key of the API; `limits` are the fields of Limits."""
        secret, _ = administration.create_key(
            self.service.keys,
            trader=self.service.trader,
            label="a program's",
            scopes=scopes,
            now=self.service.queue.now,
            limits=Limits(**limits) if limits else None,
            api=True,
        )
        return secret

    def limited(self, *scopes: str, **limits: Any) -> "Api":
        """Return a program whose key has these scopes and limits."""
        return Api(self.service, self.issue_key(*(scopes or ("both",)), **limits))

    @property
    def console(self) -> app.Console:
        """What answers."""
        return app.Console(self.service.handlers_services, ProcessSessions(), Deployment("demo"))

    # What the table holds besides

    def spoil(self, order_id: str) -> None:
        """Have an order be of a version whose states this one does not know."""
        self._update(items.order_key(self.service.trader, order_id), "SET #name = :value", "state", "Teleported")

    def remove_record(self, request_id: str) -> None:
        """Have the record of an alert be lost."""
        key = serialize(items.alert_key(self.service.trader, request_id))
        self.service.table.client.delete_item(TableName=self.service.table.name, Key=key)

    def have_execution(self, order_id: str, venue_id: str, cumulative: int, price: str) -> None:
        """Have the bridge tell that a contract of an order was filled."""
        at = timestamp(self.service.queue.now)
        execution = Execution(venue_id, cumulative, 1, Decimal(price), at)
        order = self.service.order(order_id)
        assert self.service.services.bridge.put_execution(self.service.trader, execution, order_id, order)

    def have_position(self, side: Side, quantity: int, *, account: str = "Sim101", average: str | None = None) -> None:
        """Have the bridge tell a position in ES 12-26."""
        price, at = average and Decimal(average), timestamp(self.service.queue.now)
        position = PositionReport(account, "ES 12-26", side, quantity, price or None, at)
        self.service.services.bridge.put_position(self.service.trader, position)

    def _update(self, key: Mapping[str, str], expression: str, name: str, value: str) -> None:
        self.service.table.client.update_item(
            TableName=self.service.table.name,
            Key=serialize(dict(key)),
            UpdateExpression=expression,
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues=serialize({":value": value}),
        )

    # Requests

    def get(self, path: str, **query: object) -> Told:
        return self.send("GET", path, query=urlencode(query))

    def post(self, path: str, body: object = None, **sent: Any) -> Told:
        return self.send("POST", path, body, **sent)

    def put(self, path: str, body: object = None, **sent: Any) -> Told:
        return self.send("PUT", path, body, **sent)

    def place(self, order_id: str | None = None, account: str = "Sim101", **changes: object) -> Told:
        body = {**ES, **({"orderId": order_id} if order_id else {}), **changes}
        return self.post(f"/accounts/{account}/orders/place", body)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        text: str | None = None,
    ) -> Told:
        """Send a request whose path is decoded already, as API Gateway hands it over."""
        sent = text if text is not None else None if body is None else json.dumps(body)
        all_headers = {"authorization": f"Bearer {self.key}"} | (
            {"content-type": "application/json"} if sent is not None else {}
        )
        event: dict[str, Any] = {
            "version": "2.0",
            "rawPath": f"/v1/api{path}",
            "rawQueryString": query,
            "headers": {**all_headers, **(headers or {})},
            "requestContext": {
                "domainName": "api.example",
                "http": {"method": method, "path": f"/v1/api{path}", "sourceIp": "192.0.2.7"},
            },
            "isBase64Encoded": False,
        }
        if sent is not None:
            event["body"] = sent
        response = app.answer(self.console, event, None)
        body_told = json.loads(response["body"], parse_float=Decimal)
        return Told(response["statusCode"], response["headers"], body_told, response["body"])
