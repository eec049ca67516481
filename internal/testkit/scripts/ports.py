"""Prints ports of 127.0.0.1 that are free: ports.py [HOW MANY]

They lie below those that the kernel gives to whoever asks for any: nobody takes one by
chance before the server for which it was chosen listens."""

import random
import socket
import sys


def is_free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1
candidates = random.sample(range(20000, 32000), 12000)
found = []
while len(found) < wanted:
    port = candidates.pop()
    if is_free(port):
        found.append(str(port))
print(*found)
