"""Reads MAVLink from standard input by pymavlink, and prints each message as JSON."""

import json
import sys

from pymavlink.dialects.v20 import common as dialect

parser = dialect.MAVLink(None)
for message in parser.parse_buffer(sys.stdin.buffer.read()) or []:
    print(json.dumps({**message.to_dict(), "system": message.get_srcSystem()}))
