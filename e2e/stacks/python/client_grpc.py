"""gRPC's C core: one bidirectional stream, a message up, a message down."""

import queue
from contextlib import contextmanager

import grpc

from agent import LIMIT, run


@contextmanager
def client(address, port):
    options = [("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 16 << 20),
               ("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(f"{address}:{port}", options=options) as channel:
        requests = queue.Queue()
        stream = channel.stream_stream("/stacks.Base/Talk", lambda b: b, lambda b: b)
        answers = stream(iter(requests.get, None), wait_for_ready=True)

        def call(verb, seed, data):
            requests.put(b"hash" + data if verb == "post" else f"bytes {len(data)} {seed}".encode())
            return next(answers)

        yield call
        requests.put(None)
        for _ in answers:
            raise RuntimeError("an answer too many")


run(client)
