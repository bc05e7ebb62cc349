"""Takes spans by OTLP and prints each as a line of JSON: collector.py grpc|http PORT."""

import json
import sys
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service


def attributes(pairs):
    told = {}
    for pair in pairs:
        kind = pair.value.WhichOneof("value")
        told[pair.key] = str(getattr(pair.value, kind))
    return told


def tell(request):
    lines = []
    for of_resource in request.resource_spans:
        resource = attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                lines.append(json.dumps({
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "service": resource.get("service.name", ""),
                    "pod": resource.get("k8s.pod.name", ""),
                    "kind": str(span.kind),
                    "duration": str(span.end_time_unix_nano - span.start_time_unix_nano),
                    "attributes": attributes(span.attributes),
                }) + "\n")
    sys.stdout.write("".join(lines))
    sys.stdout.flush()


class ByGrpc(service.TraceServiceServicer):
    def Export(self, request, context):
        tell(request)
        return messages.ExportTraceServiceResponse()


class ByHttp(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        kind = self.headers["content-type"]
        if self.path != "/v1/traces" or kind != "application/x-protobuf":
            self.send_error(404, f"{self.path} {kind}")
            return
        tell(messages.ExportTraceServiceRequest.FromString(body))
        answer = messages.ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *words):
        print(words[0] % words[1:], file=sys.stderr)


def main(protocol, port):
    if protocol == "grpc":
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
        service.add_TraceServiceServicer_to_server(ByGrpc(), server)
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        print("listening on", port, flush=True)
        server.wait_for_termination()
    else:
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), ByHttp)
        print("listening on", port, flush=True)
        server.serve_forever()


main(*sys.argv[1:])
