"""requests: blocking sockets with a time-out, which CPython makes non-blocking ones that it polls."""

from contextlib import contextmanager

import requests

from agent import LIMIT, run


@contextmanager
def client(address, port):
    url = f"http://{address}:{port}"
    with requests.Session() as session:
        session.trust_env = False

        def call(verb, seed, data):
            if verb == "post":
                answer = session.post(f"{url}/hash", data=data, timeout=LIMIT)
            else:
                answer = session.get(f"{url}/bytes/{len(data)}?seed={seed}", timeout=LIMIT, stream=verb == "abort")
            answer.raise_for_status()
            if verb == "abort":
                answer.raw.read(1000)
                answer.close()
                return b""
            return answer.content

        yield call


run(client)
