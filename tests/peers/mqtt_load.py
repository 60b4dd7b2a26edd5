"""Publishes numbered readings in their order by paho-mqtt, over broken connections, until the broker has acknowledged all.

python mqtt_load.py PORT QOS COUNT TOPIC
"""

import sys
import threading
import time

import paho.mqtt.client as mqtt

port, qos, count, topic = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
acknowledged = threading.Semaphore(0)
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="load", clean_session=False)
client.on_publish = lambda *_: acknowledged.release()
client.reconnect_delay_set(1, 1)
client.connect("127.0.0.1", port)
client.loop_start()
waiting = 0


def until(left):
    """Waits until so many messages are not acknowledged."""
    global waiting
    while waiting > left:
        assert acknowledged.acquire(timeout=60), "no acknowledgement in 60 s"
        waiting -= 1


for n in range(count):
    # The client sends new messages before the ones that wait for a new connection.
    if not client.is_connected():
        until(0)
        while not client.is_connected():
            time.sleep(0.01)
    client.publish(topic, '{"n": %d, "x": %d}' % (n, n), qos=qos)
    waiting += 1
    until(15)
    time.sleep(0.001)
until(0)
client.disconnect()
