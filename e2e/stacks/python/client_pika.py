"""pika: a message published and consumed again, through RabbitMQ. Both operations are the same here."""

from contextlib import contextmanager

import pika

from agent import LIMIT, digest, run


@contextmanager
def client(address, port):
    parameters = pika.ConnectionParameters(
        host=address, port=port, heartbeat=0, blocked_connection_timeout=LIMIT, socket_timeout=LIMIT,
        credentials=pika.PlainCredentials("guest", "guest"),
    )
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    answers = channel.consume(queue, auto_ack=True, inactivity_timeout=LIMIT)

    def call(verb, seed, data):
        channel.basic_publish("", queue, data)
        method, _, body = next(answers)
        if method is None:
            raise TimeoutError("the message did not come")
        return digest(body) if verb == "post" else body

    yield call
    connection.close()


run(client)
