"""What all clients in Python share: the operations, over and over, each compared and told at once."""

import hashlib
import sys
import time

# A call that takes longer is a hang; the harness gives up a little later.
LIMIT = 10


def arguments():
    address, port, base, operations, seconds = sys.argv[1:6]
    with open(base, "rb") as file:
        data = file.read()
    with open(operations) as file:
        lines = [line.split() for line in file]
    todo = [(verb, int(size), int(seed)) for verb, size, seed in lines]
    return address, int(port), data, todo, float(seconds)


def rounds(operations, seconds):
    """Every operation, again and again; ends in the middle once all have been carried out."""
    end = time.monotonic() + seconds
    first = True
    while first or time.monotonic() < end:
        for operation in operations:
            if not first and time.monotonic() >= end:
                return
            yield operation
        first = False


def tell(start, got, expected):
    if got == expected:
        print(f"ok {(time.monotonic() - start) * 1000:.1f}", flush=True)
    else:
        at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
        print(f"bad {len(got)} bytes instead of {len(expected)}, first difference at byte {at}", flush=True)


def digest(data):
    return hashlib.sha256(data).hexdigest().encode()


def run(perform):
    """`perform(verb, seed, data)` answers with bytes; `data` are those that the operation names."""
    address, port, base, operations, seconds = arguments()
    with perform(address, port) as call:
        for verb, size, seed in rounds(operations, seconds):
            data = base[seed:seed + size]
            start = time.monotonic()
            try:
                got = call(verb, seed, data)
            except Exception as error:  # Whatever it is, the harness compares it with what plain TCP gives.
                print(f"bad {type(error).__name__}: {error}".replace("\n", " "), flush=True)
                return
            tell(start, got, digest(data) if verb == "post" else data if verb == "get" else b"")
