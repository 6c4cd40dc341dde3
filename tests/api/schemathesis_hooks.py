"""What schemathesis does differently here. Every request comes from another address of the loopback, over its own connection.

The server refuses an address that has shown too many wrong credentials, with 429 instead of 401: right for a guesser, and
not what the check `ignored_auth` asks for, which shows wrong credentials to each operation on purpose. From many addresses
each of them gets the answer that the first gets.
"""

import itertools

import requests.adapters
import schemathesis
import urllib3.util.connection

_numbers = itertools.count(1)
_connect = urllib3.util.connection.create_connection
_send = requests.adapters.HTTPAdapter.send


def _connect_from_elsewhere(address, *args, **kwargs):
    number = next(_numbers)
    kwargs["source_address"] = (f"127.{1 + number // 62500 % 250}.{1 + number // 250 % 250}.{1 + number % 250}", 0)
    return _connect(address, *args, **kwargs)


def _send_once(self, request, **kwargs):
    request.headers["Connection"] = "close"
    return _send(self, request, **kwargs)


urllib3.util.connection.create_connection = _connect_from_elsewhere
requests.adapters.HTTPAdapter.send = _send_once


@schemathesis.hook
def before_call(context, case, kwargs):
    """In a sequence of calls a rehearsed deletion is none: what follows would ask why the thing is still there."""
    if case.method == "DELETE" and str((case.query or {}).get("dryRun")).lower() == "true":
        phase = case.meta.phase.name.value if case.meta else ""
        if phase == "stateful":
            case.query["dryRun"] = "false"
