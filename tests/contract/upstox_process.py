"""An official streamer of Upstox in a process of its own: a line of JSON for each thing it is told.

Arguments: ``market`` or ``portfolio``, root of the WebSockets, access token, instrument key. What it reads is
called on the streamer: ``["change_mode", [KEY], "ltpc"]``.
"""

from __future__ import annotations

import json
import sys

import upstox_client
import websocket

kind, root, access_token, key = sys.argv[1:]
app = websocket.WebSocketApp
# The address is fixed in the feeders; all else is theirs.
websocket.WebSocketApp = lambda url, **how: app(url.replace("wss://api.upstox.com", root), **how)

configuration = upstox_client.Configuration()
configuration.access_token = access_token
client = upstox_client.ApiClient(configuration)
if kind == "market":
    streamer = upstox_client.MarketDataStreamerV3(client, [key], "full")
else:
    streamer = upstox_client.PortfolioDataStreamer(client)


def tell(event: str, value: object) -> None:
    sys.stdout.write(json.dumps([event, value], default=str) + "\n")
    sys.stdout.flush()


def tells(event: str):
    return lambda *values: tell(event, list(values))


for name in ("open", "close", "message", "error", "reconnecting", "autoReconnectStopped"):
    streamer.on(name, tells(name))
streamer.connect()
for line in sys.stdin:
    method, *arguments = json.loads(line)
    getattr(streamer, method)(*arguments)
