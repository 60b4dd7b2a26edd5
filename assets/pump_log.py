#!/usr/bin/env python3
"""Writes pump_log.csv: a simulated centrifugal pump on a closed loop, sampled at 10 Hz for 180 s.

The speed set point varies in slow waves. Flow follows the speed with a lag (affinity laws: flow as n, head as n^2, power
as n^3), flow meter and pressure gauge add noise, bearing vibration grows with the speed, the motor warms up. From 130 s
to 155 s the outlet valve is half closed: less flow at the same speed, more pressure, less current, and more vibration as
the pump leaves its best efficiency point.
"""

import math
import random

RATE_HZ, DURATION_S = 10, 180
FAULT_S = (130.0, 155.0)


def main():
    rng = random.Random(4)
    flow, warmth, valve, wander = 0.0, 0.0, 1.0, 0.0
    print("time,speed_hz,current_a,pressure_bar,flow_l_min,vibration_g,temperature_c")
    for k in range(RATE_HZ * DURATION_S):
        t = k / RATE_HZ
        wander = 0.98 * wander + rng.gauss(0, 0.01)
        n = 1 + 0.08 * math.sin(2 * math.pi * t / 11.0) + 0.05 * math.sin(2 * math.pi * t / 3.7 + 1) + wander
        shut = 0.5 if FAULT_S[0] <= t < FAULT_S[1] else 1.0
        valve += (shut - valve) * 0.1
        flow += (n * (0.35 + 0.65 * valve) - flow) * 0.25
        head = n * n * (1.25 - 0.25 * flow / n)
        power = 0.35 * n**3 + 0.65 * head * flow
        warmth += (power - warmth) * 0.002
        shake = 0.2 * n * n * (1 + 2.5 * (1 - flow / n) ** 2)
        row = [
            50 * n + rng.gauss(0, 0.05),
            2.4 * power + rng.gauss(0, 0.02),
            1.8 * head + rng.gauss(0, 0.01),
            32 * flow + rng.gauss(0, 0.15),
            shake * (1 + rng.gauss(0, 0.05)),
            24 + 20 * warmth + rng.gauss(0, 0.03),
        ]
        seconds = f"2024-05-13 09:{int(t) // 60:02d}:{t % 60:06.3f}"
        print(seconds + "," + ",".join(f"{x:.3f}" for x in row))


main()
