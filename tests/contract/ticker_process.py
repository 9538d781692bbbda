"""The unmodified official ticker in a process of its own: a line of JSON for each thing it is told.

Arguments: root, api key, access token, instrument token.
"""

from __future__ import annotations

import json
import sys

from kiteconnect import KiteTicker

root, api_key, access_token, token = sys.argv[1:]
ticker = KiteTicker(api_key, access_token, root=root, reconnect_max_delay=5)


def tell(kind: str, value: object) -> None:
    sys.stdout.write(json.dumps([kind, value], default=str) + "\n")
    sys.stdout.flush()


def on_connect(socket, response):
    socket.subscribe([int(token)])
    socket.set_mode(socket.MODE_FULL, [int(token)])


ticker.on_connect = on_connect
ticker.on_ticks = lambda socket, ticks: tell("ticks", ticks)
ticker.on_order_update = lambda socket, update: tell("order", update)
ticker.on_close = lambda socket, code, reason: tell("close", code)
ticker.on_error = lambda socket, code, reason: tell("error", str(reason))
ticker.connect()
