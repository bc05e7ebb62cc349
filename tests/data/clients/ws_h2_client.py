"""A WebSocket client over HTTP/2 (RFC 8441), of the libraries `h2` and `wsproto`."""

import socket
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

HOST, PORT, AUTHORITY = sys.argv[1], int(sys.argv[2]), sys.argv[3]

raw = socket.create_connection((HOST, PORT), timeout=30)
http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
http.initiate_connection()
raw.sendall(http.data_to_send())
frames = Connection(ConnectionType.CLIENT)
state = {"status": None, "announced": False, "headers": {}}


def read():
    """Takes what comes next from the connection."""
    data = raw.recv(65536)
    assert data, "the connection ended"
    for event in http.receive_data(data):
        if isinstance(event, h2.events.RemoteSettingsChanged):
            changed = event.changed_settings
            enabled = changed.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL)
            state["announced"] |= enabled is not None and enabled.new_value == 1
        elif isinstance(event, h2.events.ResponseReceived):
            state["headers"] = dict(event.headers)
            state["status"] = state["headers"][":status"]
        elif isinstance(event, h2.events.DataReceived):
            frames.receive_data(event.data)
            http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            raise AssertionError(f"reset: {event.error_code}")
    raw.sendall(http.data_to_send())


def send(stream, data):
    """Sends as the windows have room."""
    while data:
        room = min(http.local_flow_control_window(stream), http.max_outbound_frame_size)
        if room == 0:
            read()
            continue
        http.send_data(stream, data[:room])
        data = data[room:]
        raw.sendall(http.data_to_send())


def receive():
    """The next whole message, or the close frame."""
    parts = []
    while True:
        for event in frames.events():
            if isinstance(event, (TextMessage, BytesMessage)):
                parts.append(event.data)
                if event.message_finished:
                    return type(parts[0])().join(parts)
            elif isinstance(event, (Pong, CloseConnection)):
                return event
        read()


while not state["announced"]:
    read()
stream = http.get_next_available_stream_id()
http.send_headers(
    stream,
    [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/over-h2"),
        (":authority", AUTHORITY),
        ("sec-websocket-version", "13"),
    ],
)
raw.sendall(http.data_to_send())
while state["status"] is None:
    read()
assert state["status"] == "200", state
assert "sec-websocket-accept" not in state["headers"], state

for message in ["hello", "w" * (2 << 20)]:
    send(stream, frames.send(TextMessage(data=message)))
    assert receive() == message
send(stream, frames.send(Ping(payload=b"there?")))
assert receive().payload == b"there?"
send(stream, frames.send(CloseConnection(code=1000)))
assert receive().code == 1000
# Whoever closed the WebSocket ends the stream; the other side's end is its own affair.
http.end_stream(stream)
raw.sendall(http.data_to_send())
print("over h2")
