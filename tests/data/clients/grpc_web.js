// The client `grpc-web` of gRPC's own project, in both of its codings; its messages are bytes.

const [modules, url] = process.argv.slice(2);
global.XMLHttpRequest = require(`${modules}/xhr2`);
const grpc = require(`${modules}/grpc-web`);
const assert = require("assert");

const kind = { unary: grpc.MethodType.UNARY, stream: grpc.MethodType.SERVER_STREAMING };

function method(name, type) {
  const as = (bytes) => bytes;
  return new grpc.MethodDescriptor(`/test.Test/${name}`, type, Uint8Array, Uint8Array, as, as);
}

const bytes = (text) => new Uint8Array(Buffer.from(text));
const text = (message) => Buffer.from(message).toString();

function call(client, name, message) {
  return new Promise((resolve) => {
    const told = {};
    const descriptor = method(name, kind.unary);
    const done = (error, answer) => resolve({ ...told, error, answer });
    const calling = client.rpcCall(url + descriptor.name, message, {}, descriptor, done);
    calling.on("status", (status) => (told.status = status));
  });
}

function stream(client, name, message) {
  return new Promise((resolve) => {
    const told = { messages: [] };
    const descriptor = method(name, kind.stream);
    const coming = client.serverStreaming(url + descriptor.name, message, {}, descriptor);
    coming.on("data", (message) => told.messages.push(text(message)));
    coming.on("error", (error) => resolve({ ...told, error }));
    coming.on("end", () => resolve(told));
  });
}

async function main() {
  for (const format of ["text", "binary"]) {
    const client = new grpc.GrpcWebClientBase({ format });
    for (const length of [0, 1, 2, 3, 1000, 1 << 20]) {
      const message = new Uint8Array(length).map((_, place) => place % 251);
      const { error, answer, status } = await call(client, "Repeat", message);
      assert.equal(error, null);
      assert.ok(Buffer.from(message).equals(Buffer.from(answer)), `${format} ${length}`);
      assert.equal(status.code, 0);
      assert.equal(status.metadata["x-length"], String(length));
    }
    const failed = await call(client, "Fail", bytes("x"));
    assert.equal(failed.error.code, 5);
    assert.equal(failed.error.message, "there is none: ä");
    const missing = await call(client, "Missing", bytes("x"));
    assert.equal(missing.error.code, 12);
    if (format === "text") {
      const wanted = [...Array(100).keys()].map((number) => `${number}:${"w".repeat(number)}`);
      assert.deepEqual((await stream(client, "Count", bytes("100"))).messages, wanted);
      const late = await stream(client, "FailLate", bytes("x"));
      assert.deepEqual(late.messages, ["first"]);
      assert.equal(late.error.code, 15);
    }
    console.log(format);
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
