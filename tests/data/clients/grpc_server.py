"""A gRPC server of `grpcio`, whose messages are bytes."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc


def repeat(message, context):
    context.set_trailing_metadata([("x-length", str(len(message)))])
    return message


def count(message, context):
    for number in range(int(message)):
        yield f"{number}:".encode() + b"w" * number


def fail(message, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "there is none: \u00e4")


def fail_late(message, context):
    yield b"first"
    context.abort(grpc.StatusCode.DATA_LOSS, "the rest is gone")


METHODS = {
    "Repeat": grpc.unary_unary_rpc_method_handler(repeat),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "FailLate": grpc.unary_stream_rpc_method_handler(fail_late),
}
options = [("grpc.max_receive_message_length", 16 << 20)]
server = grpc.server(ThreadPoolExecutor(8), options=options)
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", METHODS),))
address, port = sys.argv[1], sys.argv[2]
assert server.add_insecure_port(f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
server.start()
print("ready", flush=True)
server.wait_for_termination()
