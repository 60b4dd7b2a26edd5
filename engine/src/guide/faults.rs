//! Which faults are found, how soon, and who is blamed.
//!
//! # Faults of a scene
//!
//! `faults: [(sensor: "rover/gyro", kind: Freeze, at_s: 20, for_s: 5)]` bends what a simulated sensor says, or weakens
//! what drives; the truth beside it stays. [`FaultKind`](crate::components::fault::FaultKind) lists all kinds.
//!
//! # Three ways to look
//!
//! - The **kernel on readings** foresees what sensors say by what drives are told. It needs nothing but a warm-up. What
//!   lidars see has a self-model of its own, at their rate.
//! - With `filter: ()` an agent has a filter over wheels, IMU and GNSS (an EKF with states for what they are off by);
//!   the **kernel on innovations** foresees what that filter did not expect, that of GNSS at its own rate.
//! - **NIS** compares the innovations' energy over four windows with chi².
//!
//! Any of the three raises the alarm. Whose fault it is, four more filters tell, each without one of wheels, gyroscope,
//! accelerometer and GNSS: the one that stays consistent never heard the sensor at fault, and where it is beyond doubt
//! the estimate goes on from its state. Where none does clearly better than the others, the channel of the largest share
//! is named, as [`numbers`](super::numbers) says. Wheels that begin to slip jolt the machine, and after the jolt wheels or
//! accelerometer would explain it: the wheels are named, as an accelerometer at fault goes on contradicting the rest.
//!
//! The filter is to be as sure as it may be: its noises are those of the scene's sensors, and what `filter: (..)` says of
//! floor, tyres and body. `filter.nis` in the summary is near 1 where these are right.
//!
//! # Thresholds
//!
//! ```text
//! becomingone calibrate my_scene.ron --false-alarms-per-hour 1      # 3 h of healthy runs; writes thresholds.ron
//! becomingone run my_scene.ron --profile thresholds.ron
//! ```
//!
//! Thresholds of each way stand just over all that these runs said, so with 95 % each is wrong less than 3 times in the
//! time of all of them. Where `--runs` allows less time, the bound that it supports is said.
//!
//! # As measured
//!
//! `becomingone score gnss_spoof --runs 20`: median delay in seconds of 20 runs with its 95 % interval; found in all 20
//! and blamed right in all, where nothing else is said. Thresholds are the scene's, calibrated at one false alarm an hour
//! each way; no seed is one of the calibration. Blame is whom it names most in the first 2 s.
//!
//! | fault | kernel on readings | kernel on innovations | NIS | all together |
//! |---|---|---|---|---|
//! | slip 4 % | 0.29 [0.12, 1.09], blame 11 | 0.06 [0.05, 0.06], blame 3 | found 1; 0.08 [0.08, 0.08], blame 0 | 0.06 [0.05, 0.06], blame 14 |
//! | slip 8 % | 0.06 [0.06, 0.06], blame 18 | 0.05 [0.05, 0.06], blame 18 | 0.07 [0.06, 0.07], blame 19 | 0.05 [0.05, 0.06], blame 19 |
//! | gyro frozen | 0.12 [0.10, 0.16] | 0.26 [0.14, 0.41] | 0.49 [0.30, 0.79] | 0.12 [0.09, 0.16] |
//! | gyro delayed 60 ms | 0.19 [0.08, 0.39] | 0.32 [0.08, 0.83] | 1.18 [0.64, 2.42] | 0.18 [0.08, 0.39] |
//! | gyro delayed 120 ms | 0.11 [0.08, 0.29] | 0.16 [0.06, 0.46] | 0.56 [0.22, 1.21] | 0.11 [0.06, 0.28] |
//! | GNSS pulled 0.1 m/s | - | 2.09 [1.83, 2.43] | - | 2.09 [1.83, 2.43] |
//! | encoders lose 50 % | 0.07 [0.07, 0.08] | 1.29 [0.66, 3.16], blame 0 | found 5; 16.34 [9.30, 25.02], blame 1 | 0.07 [0.07, 0.08] |
//! | accelerometer off 0.5 m/s² | 0.09 [0.08, 0.10] | 0.10 [0.09, 0.10] | 0.21 [0.20, 0.22] | 0.09 [0.08, 0.10] |
//! | lidar half blocked | 0.14 [0.10, 2.81], blame 13 | - | - | 0.14 [0.10, 2.81], blame 13 |
//! | motor at half torque | 0.32 [0.24, 0.84] | - | - | 0.32 [0.24, 0.84] |
//! | false alarms in 3059 s | 0 (< 3.5 an hour) | 0 (< 3.5 an hour) | 0 (< 3.5 an hour) | 0 (< 3.5 an hour) |
//!
//! The same with wheels that are 1 % larger than the filter believes and a gyroscope that is off by 0.01 rad/s more
//! (`--set 'faults=[(sensor: "rover/encoders", kind: Scale(1.01)), (sensor: "rover/imu/gyro_z", kind: Bias(0.01))]'`):
//! both are states of the filter, and the self-models learn what is left.
//!
//! | fault | kernel on readings | kernel on innovations | NIS | all together |
//! |---|---|---|---|---|
//! | slip 4 % | 0.13 [0.11, 0.89], blame 10 | 0.06 [0.05, 0.06], blame 3 | found 1; 0.08 [0.08, 0.08], blame 0 | 0.06 [0.05, 0.06], blame 13 |
//! | slip 8 % | 0.06 [0.06, 0.06], blame 16 | 0.05 [0.05, 0.06], blame 18 | 0.07 [0.06, 0.07], blame 19 | 0.05 [0.05, 0.06], blame 18 |
//! | gyro frozen | 0.12 [0.10, 0.16] | 0.27 [0.14, 0.41] | 0.49 [0.30, 0.82] | 0.12 [0.09, 0.16] |
//! | gyro delayed 60 ms | 0.19 [0.08, 0.37] | 0.32 [0.08, 0.82] | 1.18 [0.64, 2.42] | 0.18 [0.08, 0.37] |
//! | gyro delayed 120 ms | 0.11 [0.08, 0.29] | 0.17 [0.06, 0.39] | 0.56 [0.20, 1.21] | 0.11 [0.06, 0.28] |
//! | GNSS pulled 0.1 m/s | - | 2.07 [1.83, 2.47] | - | 2.07 [1.83, 2.47] |
//! | encoders lose 50 % | 0.08 [0.06, 0.09] | 2.45 [1.17, 3.34], blame 2 | found 6; 10.15 [1.83, 21.31], blame 4 | 0.08 [0.06, 0.09] |
//! | accelerometer off 0.5 m/s² | 0.09 [0.08, 0.10] | 0.10 [0.09, 0.10] | 0.21 [0.20, 0.21] | 0.09 [0.08, 0.10] |
//! | lidar half blocked | 1.52 [0.10, 2.64], blame 12 | - | - | 1.52 [0.10, 2.64], blame 12 |
//! | motor at half torque | 0.36 [0.26, 0.76] | - | - | 0.36 [0.26, 0.76] |
//! | false alarms in 3059 s | 0 (< 3.5 an hour) | 0 (< 3.5 an hour) | 0 (< 3.5 an hour) | 0 (< 3.5 an hour) |
//!
//! What is weak: a slip of 4 % is blamed on the gyroscope in a third of the runs, as on a bend wheels and gyroscope
//! contradict each other and GNSS takes seconds to tell which is wrong. A lidar that sees half is blamed on the
//! gyroscope or a wheel in a third: the self-model takes what the lidar sees for a hint of what the others will say. Not
//! tried, and hardly to be found: a blocked lidar that saw nothing before, a receiver that is pulled more slowly than its
//! own errors wander. All of this is one rover in one yard, in simulation.
//!
//! # The governor
//!
//! With `governor: ()` an agent acts on it: a surprise that lasts slows it down, a sensor that is to blame for a second
//! is left out of the filter (one, and for the rest of the run), and three seconds of dissipation by any other end in a
//! stop that only a reset clears. What it did and why is in the log, the recording and the summary. In `gnss_spoof` the
//! receiver is pulled by 0.1 m/s from 60 s on; the governor leaves it out 1 s after the alarm, and at 120 s the estimate was
//! off by 0.04 to 0.21 m in seeds 1 to 10, where the receiver is off by 6 m. In two of these the rover was stopped later
//! all the same, because of another sensor.
