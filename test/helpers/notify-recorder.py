# Receives the datagrams of sd_notify(3), which Node cannot, and prints each as a line of JSON. Its argument is the socket: a path, or
# "@" and an abstract name. A barrier's descriptor is closed, which is what systemd-notify waits for.
import array
import json
import os
import socket
import sys

name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\0" + name[1:] if name.startswith("@") else name)
print(json.dumps("listening"), flush=True)
while True:
    data, ancillary, _, _ = receiver.recvmsg(65536, 1024)
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            for descriptor in array.array("i", value[: len(value) // 4 * 4]):
                os.close(descriptor)
    print(json.dumps(data.decode()), flush=True)
