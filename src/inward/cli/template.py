"""What `inward init` writes: a system of two small services that runs as it is, with comments."""

from __future__ import annotations

INWARD_YAML = """\
# What this system is made of. `inward check` says what is wrong here, `inward up` runs it.
trust_domain: {trust_domain}    # the first part of every service's SPIFFE ID

services:
  # An example that runs as it is; put your own services in its place.
  greeter:
    owner: team-greeter            # the team that grants its operations, in policies/greeter.cedar
    api: apis/greeter.yaml         # OpenAPI 3.x or Swagger 2.0; every operation that is not in it is refused
    listen: 127.0.0.1:0            # where its Envoy takes calls, mutual TLS only; 0 is any port that is free
    mode: enforce                  # or `observe`: nothing is refused, and what would have been is recorded
    run: python example/greeter.py {{socket}}   # how `inward up` starts it; {{socket}} or {{port}} is filled in
  visitor:                         # no `api` and no `listen`: it only calls
    owner: team-visitor
    run: python example/visitor.py

  # One of your own might look like this:
  # orders:
  #   owner: team-orders
  #   zone: core                   # policies may speak of zones and groups: `principal in Zone::"core"`
  #   api: apis/orders.yaml
  #   listen: 127.0.0.1:7002
  #   mode: observe                # begin here, look at `inward calls --denied`, grant, then enforce
  #   run: uvicorn orders:app --uds {{socket}}
"""

API = """\
# What greeter can do. An operation is called `greeter:` and its operationId, in policies and in every command.
openapi: 3.1.0
info: {title: Greeter, version: "1"}
paths:
  /greetings/{name}:
    parameters:
      - {name: name, in: path, required: true, schema: {type: string}}
    get:
      operationId: getGreeting
      responses: {"200": {description: A greeting.}}
    delete:
      operationId: forgetGreeting
      responses: {"204": {description: It is forgotten.}}
"""

POLICY = """\
// What team-greeter grants. Whatever is granted nowhere is refused.
@id("visitor-reads-greetings")
@reason("visitors are welcome, and take no greetings away")
permit (
  principal == Service::"visitor",
  action == Action::"greeter:getGreeting",
  resource == Service::"greeter"
);

// A condition can read the parameters of the path and the query, and the time:
// @id("visitor-forgets-its-own")
// @reason("whoever was greeted may ask to be forgotten")
// @expires("2030-12-31")
// permit (
//   principal == Service::"visitor",
//   action == Action::"greeter:forgetGreeting",
//   resource == Service::"greeter"
// ) when {
//   context.path.name like "visitor-*"
// };
"""

GUARDRAILS = """\
// What no grant may ever allow, whoever writes it. For example:
// @id("nobody-forgets-for-others")
// @reason("greetings are kept for the chronicle")
// forbid (
//   principal,
//   action == Action::"greeter:forgetGreeting",
//   resource
// ) unless {
//   principal == Service::"visitor"
// };
"""

GREETER = '''\
"""A service that knows nothing of Inward: it greets whoever asks, on the Unix socket that it is given."""

import json
import socketserver
import sys
from http.server import BaseHTTPRequestHandler


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = json.dumps({"greeting": f"Hello, {self.path.rsplit('/', 1)[-1]}!"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_DELETE(self):
        self.send_response(204)
        self.end_headers()

    def address_string(self):
        return "local"  # a Unix socket has no address to log


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


Server(sys.argv[1], Greeter).serve_forever()
'''

VISITOR = '''\
"""A service that only calls: plain HTTP by name. `HTTP_PROXY`, which `inward up` sets, does all the rest."""

import time
import urllib.error
import urllib.request

while True:
    try:
        with urllib.request.urlopen("http://greeter/greetings/visitor", timeout=5) as answer:
            print(answer.status, answer.read().decode())
    except (urllib.error.URLError, TimeoutError) as error:
        print(error)
    time.sleep(10)
'''


def files(trust_domain: str) -> dict[str, str]:
    """Return what to write, by names relative to the system folder."""
    return {
        "inward.yaml": INWARD_YAML.format(trust_domain=trust_domain),
        "apis/greeter.yaml": API,
        "policies/greeter.cedar": POLICY,
        "guardrails.cedar": GUARDRAILS,
        "example/greeter.py": GREETER,
        "example/visitor.py": VISITOR,
    }
