"""Writes a payload made by the PyPI packages msgpack and cbor2.

python payloads.py MODULE FILE
"""

import sys

document = {"n": 7, "imu": {"x": -1.25, "at": [1, 2.5, None]}, "raw": b"\x00\xff", 3: True}
if sys.argv[1] == "msgpack":
    import msgpack

    payload = msgpack.packb(document)
else:
    import cbor2

    payload = cbor2.dumps(document)
with open(sys.argv[2], "wb") as file:
    file.write(payload)
