"""PyMySQL: a socket in Python with a time-out."""

from contextlib import contextmanager

import pymysql

from agent import LIMIT, run


@contextmanager
def client(address, port):
    connection = pymysql.connect(
        host=address, port=port, user="app", database="test", connect_timeout=LIMIT, read_timeout=LIMIT,
        write_timeout=LIMIT, autocommit=True, max_allowed_packet=16 << 20,
    )
    with connection, connection.cursor() as cursor:

        def call(verb, seed, data):
            if verb == "post":
                # A literal in hexadecimal: twice the bytes, and no escaping.
                cursor.execute("select sha2(x'" + data.hex() + "', 256)")
                return cursor.fetchone()[0].encode()
            cursor.execute("select substr(b, %s, %s) from base", (seed + 1, len(data)))
            return cursor.fetchone()[0]

        yield call


run(client)
