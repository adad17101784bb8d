"""psycopg: libpq, which makes its socket non-blocking and polls it."""

from contextlib import contextmanager

import psycopg

from agent import LIMIT, run


@contextmanager
def client(address, port):
    with psycopg.connect(
        host=address, port=port, user="app", dbname="postgres", sslmode="disable", gssencmode="disable",
        connect_timeout=LIMIT, autocommit=True,
    ) as connection:
        cursor = connection.cursor(binary=True)

        def call(verb, seed, data):
            if verb == "post":
                cursor.execute("select encode(sha256(%b), 'hex')", (data,))
                return cursor.fetchone()[0].encode()
            cursor.execute("select substr(b, %s, %s) from base", (seed + 1, len(data)))
            return cursor.fetchone()[0]

        yield call


run(client)
