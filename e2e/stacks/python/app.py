"""The contract's server as a WSGI application (gunicorn) and as an ASGI one (uvicorn)."""

import hashlib
import os
from urllib.parse import parse_qs

with open(os.environ["STACK_BASE"], "rb") as file:
    BASE = file.read()


def piece(path, query):
    size = int(path.removeprefix("/bytes/"))
    seed = int(parse_qs(query)["seed"][0])
    return BASE[seed:seed + size]


def wsgi(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":
        digest = hashlib.sha256()
        while part := environ["wsgi.input"].read(65536):
            digest.update(part)
        body = digest.hexdigest().encode()
    else:
        body = piece(environ["PATH_INFO"], environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["method"] == "POST":
        digest = hashlib.sha256()
        more = True
        while more:
            message = await receive()
            digest.update(message.get("body", b""))
            more = message.get("more_body", False)
        body = digest.hexdigest().encode()
    else:
        body = piece(scope["path"], scope["query_string"].decode())
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
