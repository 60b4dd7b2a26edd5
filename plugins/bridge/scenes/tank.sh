#!/bin/sh
# A tank that fills and empties: a line of JSON every 0.1 s, as a probe with a program of its own would print it.
n=0
while :; do
    printf '{"n": %d, "tank": {"level": %d.%02d}}\n' "$n" $((n % 100 / 50)) $((n * 2 % 100))
    n=$((n + 1))
    sleep 0.1
done
