"""The company that the tests guard: its system folder, as text.

`orders` and `payments` (enforce) and `shipping` (observe) are echo apps that write down whatever reaches them;
`checkout` runs and only calls, by its egress. `reader`, `auditor` and `stranger` are in the catalog and run nowhere:
the tests call as them, with certificates of the system's own authority. `reader` may call one operation, `auditor`
every one, `stranger` none.
"""

from __future__ import annotations

import re
from pathlib import Path

TRUST_DOMAIN = "company.test"
READ_ONE = "orders:getOrder"  # all that `reader` may do
ECHO = Path(__file__).parent / "echo.py"

COMPANY = {
    "inward.yaml": f"""\
trust_domain: {TRUST_DOMAIN}
services:
  orders:
    owner: team-orders
    api: apis/orders.yaml
    listen: 127.0.0.1:0
    mode: enforce
    run: python {ECHO} {{socket}} orders.seen
  payments:
    owner: team-payments
    api: apis/payments.yaml
    listen: 127.0.0.1:0
    mode: enforce
    run: python {ECHO} {{socket}} payments.seen
  shipping:
    owner: team-shipping
    api: apis/shipping.yaml
    listen: 127.0.0.1:0
    mode: observe
    operations:
      cancelShipment: {{mode: enforce}}
    run: python {ECHO} {{socket}} shipping.seen
  checkout:
    owner: team-checkout
    groups: [readers]
    run: sleep 86400
  reader: {{owner: team-readers, groups: [readers]}}
  auditor: {{owner: team-audit}}
  stranger: {{owner: team-strange}}
""",
    "apis/orders.yaml": """\
openapi: 3.1.0
info: {title: orders, version: '1'}
paths:
  /orders:
    get:
      operationId: listOrders
      parameters:
        - {name: status, in: query, schema: {type: string}}
      responses: {'200': {description: done}}
    post:
      operationId: createOrder
      responses: {'200': {description: done}}
  /orders/{id}:
    get:
      operationId: getOrder
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses: {'200': {description: done}}
    delete:
      operationId: deleteOrder
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses: {'200': {description: done}}
  /orders/{id}:keys:
    get:
      operationId: getOrderKeys
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses: {'200': {description: done}}
  /admin/keys:
    get:
      operationId: getKeys
      responses: {'200': {description: done}}
  /regions:
    get:
      operationId: getRegions
      parameters:
        - {name: region, in: query, schema: {type: string}}
      responses: {'200': {description: done}}
""",
    "apis/payments.yaml": """\
openapi: 3.1.0
info: {title: payments, version: '1'}
paths:
  /payments/{id}:
    get:
      operationId: getPayment
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses: {'200': {description: done}}
  /orders/{id}:
    get:
      operationId: getPaymentOfOrder
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses: {'200': {description: done}}
""",
    "apis/shipping.yaml": """\
openapi: 3.1.0
info: {title: shipping, version: '1'}
paths:
  /shipments/{id}:
    get:
      operationId: getShipment
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses: {'200': {description: done}}
    delete:
      operationId: cancelShipment
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses: {'200': {description: done}}
  /labels:
    get:
      operationId: getLabels
      parameters:
        - {name: region, in: query, schema: {type: string}}
      responses: {'200': {description: done}}
""",
    "policies/orders.cedar": """\
@id("readers-read-one")
@reason("they show an order")
permit (principal in Group::"readers", action == Action::"orders:getOrder", resource == Service::"orders");

@id("auditors-do-all")
@reason("they look at everything")
permit (principal == Service::"auditor", action, resource == Service::"orders");

@id("readers-list-what-is-closed")
@reason("figures are made of what is closed")
permit (
  principal == Service::"checkout",
  action == Action::"orders:listOrders",
  resource == Service::"orders"
) when { context.query has status && context.query.status == "closed" };

@id("checkout-sees-the-regions-of-europe")
@reason("a condition that Envoy cannot express")
permit (
  principal == Service::"checkout",
  action == Action::"orders:getRegions",
  resource == Service::"orders"
) when { (if context.query has region then context.query.region else "none") like "eu-*" };
""",
    "policies/payments.cedar": """\
@id("auditors-see-payments")
@reason("they look at everything")
permit (principal == Service::"auditor", action, resource == Service::"payments");
""",
    "policies/shipping.cedar": """\
@id("auditors-see-shipments")
@reason("they look at everything")
permit (
  principal == Service::"auditor",
  action in [Action::"shipping:getShipment", Action::"shipping:cancelShipment"],
  resource == Service::"shipping"
);

@id("labels-of-europe")
@reason("a condition that Envoy cannot express")
permit (
  principal == Service::"auditor",
  action == Action::"shipping:getLabels",
  resource == Service::"shipping"
) when { (if context.query has region then context.query.region else "none") like "eu-*" };
""",
}
# The same with the two services alone that most tests need, since each Envoy costs a while to start.
SMALL = {name: text for name, text in COMPANY.items() if "payments" not in name and "shipping" not in name}
SMALL["inward.yaml"] = "".join(
    part
    for part in re.split(r"(?m)^(?=  [a-z]+:)", COMPANY["inward.yaml"])
    if not part.startswith(("  payments", "  shipping"))
)
