//! Which sensor faults are detected, how fast, and how often is the right sensor isolated?
//!
//! ```text
//! becomingone score gnss_spoof --runs 20       # a robot in a yard: EKF, IMU, encoders, GNSS, lidar
//! becomingone score robot --faults all --runs 20       # a robot without a filter
//! becomingone score vehicle --faults all --runs 20     # a car at 20 m/s
//! ```
//!
//! In `gnss_spoof`, all ten faults are detected in 20 of 20 runs, nine of them within a median of 0.4 s, and isolated
//! correctly in 20 of 20, with one false alarm in 3016 s of healthy time ([figures](#figures-a-robot-with-a-filter)).
//! The pages below give the figures of each scene, what is weak, and how the detectors work.
//!
//! Words: a fault is **detected** when the alarm is raised; it is **isolated** when the named channel belongs to the
//! faulty component. The scene's keys and the JSON call the isolated channel *blame* and *cause*.
//!
//! # How do I inject a fault?
//!
//! `faults: [(sensor: "rover/gyro", kind: Freeze, at_s: 20, for_s: 5)]` corrupts a simulated sensor or weakens an
//! actuator; ground truth is untouched. [`FaultKind`](crate::components::fault::FaultKind) lists all kinds.
//!
//! # Where do I see an alarm?
//!
//! ```text
//! alarm: 21.34 s, rover: imu/gyro_z, surprise 3.2
//! over: 24.10 s, rover
//! ```
//!
//! `run` prints a line on standard error when an alarm begins and when it ends, at most 100 alarms; the channel is that of
//! the first moment. The summary counts all of them, and with `--summary` it has the first 64 of each agent, each with the
//! channel that was isolated most of the time.
//!
//! # How are faults detected?
//!
//! Four detectors run side by side; any of them raises the alarm:
//!
//! - The **kernel on readings**: a linear predictor of the sensors from their past and from the actuator commands. It
//!   needs a warm-up and nothing else. Lidars have a predictor of their own, at their rate.
//! - The **kernel on innovations**: with `filter: ()` an agent has an EKF over wheels, IMU and GNSS, with bias and scale
//!   states; the predictor runs on the innovations of that filter, those of GNSS at their own rate.
//! - **NIS**: the normalised innovation squared over four windows, against its chi² law.
//! - **Level**, of sensors whose kind is `STATIONARY`: of the built-in ones `Temperature` alone, since a place, an angle, a
//!   speed, a pressure depend on the motion. It is the mean square of their deviations from warm-up's mean, over ten
//!   samples. A predictor follows an offset that stays; the level keeps it. It needs a threshold from `calibrate`: a
//!   warm-up of seconds does not show how far a temperature wanders in an hour.
//!
//! # How is the faulty sensor isolated?
//!
//! - **Filters with one sensor masked.** Four more filters run, each without wheels, gyroscope, accelerometer or GNSS. The
//!   one that stays consistent is the one that masks the faulty sensor; where the evidence is clear, the estimate
//!   continues from its state.
//! - **Largest share.** Where no masked filter is clearly better than the others and than the full filter, the channel
//!   with the largest share of the surprise is named, as [`numbers`](super::numbers) explains: of the readings, as long
//!   as they are surprising at all, since they are predicted channel by channel.
//! - **Drive.** Sensors that agree with each other and contradict the command point to the drive, for example a
//!   weak motor: a wheel is named, and not the accelerometer that measures the missing force.
//! - **Stuck-at.** A channel that repeats exactly, which it never did during warm-up, is named first: measurements
//!   carry noise.
//! - **Skid.** Where wheels contradict the other sensors and those contradict each other, no sensor is faulty: the rolling
//!   constraint does not hold, as on ice. The pose covariance is inflated, and position fixes correct it.
//! - **Slip transient.** The onset of wheel slip is a short transient: for 0.04 to 0.2 s the accelerometer deviates and
//!   the body pitches. That is a true measurement. A faulty accelerometer keeps deviating; if the deviation ends, the
//!   wheels are named, with a filter and without one.
//!
//! Biases and scales are limited to five standard deviations of what the scene states: without that limit a scale of -1
//! would explain wheels that stand still. The filter must be consistent: its noise is that of the scene's sensors and
//! what `filter: (..)` states of floor, tyres and body. `filter.nis` in the summary is near 1 where these are right.
//!
//! # How do I set thresholds?
//!
//! ```text
//! becomingone calibrate my_scene.ron --false-alarms-per-hour 1      # 3 h of healthy runs; writes thresholds.ron
//! becomingone run my_scene.ron --profile thresholds.ron
//! ```
//!
//! The threshold of each detector is set just above its maximum over all healthy runs. The false-alarm rate of
//! d detectors together follows from d alone, however heavy the tails: with 95 % confidence fewer than
//! chi²(0.95; 2 d)/2 false alarms in the time of all runs, which is 3.0, 4.7, 6.3, 7.8 for d = 1 to 4 (Campi,
//! Garatti: The Exact Feasibility of Randomized Solutions of Uncertain Convex Programs, SIAM J. Optim. 19(3), 2008).
//! `calibrate` runs long enough for that to be the requested rate, or states the bound that `--runs` supports; and
//! for each threshold the run that set it, how near the next ones came, and by how much twice the hours would raise it.
//! Identical robots share one calibration, and their time is added up.
//!
//! Where one run alone sets a threshold (`the next reached 10 % of it`), that threshold is wide for the sake of one rare
//! event. `--alarms 1` sets the thresholds above all runs but one, the one without which the product of the thresholds is
//! smallest, and prints which one it is and what it exceeds. The bound with k such runs is the m at which
//! C(k+d-1, k) P(X <= k+d-1) = 0.05 for X of a Poisson law with mean m (Campi, Garatti: A Sampling-and-Discarding Approach to
//! Chance-Constrained Optimization, J. Optim. Theory Appl. 148, 2011); it holds for any choice of the k runs. The price is time:
//!
//! | alarms allowed | 1 detector | 2 | 3 | 4 |
//! |---|---|---|---|---|
//! | 0 | 3.0 | 4.7 | 6.3 | 7.8 |
//! | 1 | 4.7 | 7.2 | 9.3 | 11.3 |
//! | 2 | 6.3 | 9.3 | 11.9 | 14.2 |
//!
//! The confidence is that of a number chosen in advance: trying several and keeping the best gives less.
//!
//! Thresholds do not transfer between machines: `run --model` omits them, and the governor with them.
//!
//! # Figures: a robot with a filter
//!
//! `becomingone score gnss_spoof --runs 20`: median delay in seconds over 20 runs with its 95 % interval; detected in all
//! 20 and isolated correctly in all, where nothing else is noted. Thresholds are the scene's, from 9.3 healthy hours; no
//! seed is one of the calibration. The isolated channel is the one named most in the first 2 s of the alarm.
//!
//! | fault | kernel on readings | kernel on innovations | NIS | all together |
//! |---|---|---|---|---|
//! | slip 4 % | 0.05 [0.05, 0.06] | 0.06 [0.05, 0.06] | 0.05 [0.05, 0.06] | 0.05 [0.05, 0.06] |
//! | slip 8 % | 0.05 [0.05, 0.06] | 0.05 [0.05, 0.06] | 0.05 [0.05, 0.06] | 0.05 [0.05, 0.06] |
//! | gyro frozen | 0.10 [0.09, 0.14] | 0.25 [0.11, 0.41] | 0.35 [0.10, 0.63] | 0.10 [0.09, 0.14] |
//! | gyro delayed 60 ms | 0.26 [0.10, 0.52] | 0.40 [0.10, 0.99] | 0.40 [0.08, 0.99] | 0.26 [0.08, 0.52] |
//! | gyro delayed 120 ms | 0.20 [0.08, 0.33] | 0.26 [0.10, 0.43] | 0.25 [0.08, 0.92] | 0.20 [0.08, 0.33] |
//! | GNSS pulled 0.1 m/s | - | 1.38 [1.20, 1.58] | - | 1.38 [1.20, 1.58] |
//! | encoders lose 50 % | 0.06 [0.05, 0.06] | 1.03 [0.54, 2.24], isolated 17 | 1.03 [0.54, 2.24], isolated 17 | 0.06 [0.05, 0.06] |
//! | accelerometer off 0.5 m/s² | 0.08 [0.08, 0.08] | 0.08 [0.08, 0.09] | 0.08 [0.08, 0.09] | 0.08 [0.08, 0.08] |
//! | lidar half blocked | 0.24 [0.22, 0.26] | - | - | 0.24 [0.22, 0.26] |
//! | motor at half torque | 0.26 [0.16, 0.62] | - | - | 0.26 [0.16, 0.62] |
//! | false alarms in 3016 s | 0 (< 3.5 an hour) | 1 (< 5.6 an hour) | 0 (< 3.5 an hour) | 1 (< 5.6 an hour) |
//!
//! In one of the seeds the kernel on innovations raised a false alarm; it is also in the runs of the lidar and the motor, 17 s
//! after they failed. The 9.3 hours of the calibration had none, where fewer than 0.98 an hour are stated.
//!
//! The same with wheels that are 1 % larger than the filter assumes and a gyroscope with 0.01 rad/s more bias
//! (`--set 'faults=[(sensor: "rover/encoders", kind: Scale(1.01)), (sensor: "rover/imu/gyro_z", kind: Bias(0.01))]'`):
//!
//! | fault | kernel on readings | kernel on innovations | NIS | all together |
//! |---|---|---|---|---|
//! | slip 4 % | 0.05 [0.05, 0.06] | 0.06 [0.05, 0.06] | 0.05 [0.05, 0.06] | 0.05 [0.05, 0.06] |
//! | slip 8 % | 0.05 [0.05, 0.06] | 0.05 [0.05, 0.06] | 0.05 [0.05, 0.06] | 0.05 [0.05, 0.06] |
//! | gyro frozen | 0.10 [0.09, 0.14] | 0.24 [0.11, 0.31] | 0.35 [0.11, 0.67] | 0.10 [0.09, 0.14] |
//! | gyro delayed 60 ms | 0.26 [0.10, 0.52] | 0.26 [0.10, 0.67] | 0.40 [0.08, 0.99] | 0.26 [0.08, 0.52] |
//! | gyro delayed 120 ms | 0.20 [0.08, 0.33] | 0.26 [0.09, 0.43] | 0.25 [0.08, 0.92] | 0.19 [0.08, 0.33] |
//! | GNSS pulled 0.1 m/s | - | 1.49 [1.20, 1.71] | - | 1.49 [1.20, 1.71] |
//! | encoders lose 50 % | 0.06 [0.04, 0.07] | 1.05 [0.52, 2.24], isolated 17 | 1.05 [0.52, 2.26], isolated 17 | 0.06 [0.04, 0.07] |
//! | accelerometer off 0.5 m/s² | 0.08 [0.08, 0.08] | 0.08 [0.08, 0.09] | 0.08 [0.08, 0.09] | 0.08 [0.08, 0.08] |
//! | lidar half blocked | 0.24 [0.22, 0.26] | - | - | 0.24 [0.22, 0.26] |
//! | motor at half torque | 0.26 [0.16, 0.62] | - | - | 0.26 [0.16, 0.62] |
//! | false alarms in 3016 s | 0 (< 3.5 an hour) | 1 (< 5.6 an hour) | 0 (< 3.5 an hour) | 1 (< 5.6 an hour) |
//!
//! In 20 runs of other seeds each, with either filter, slips of 4 and 8 % were isolated correctly in all, and so were weak
//! motors in the 37 of 40 runs that detected them within 5 s.
//!
//! What is weak: on innovations alone, encoders with drop-outs look like other sensors' faults in 3 or 4 runs of 20. Not
//! tried, and unlikely to be detected: a blocked lidar that saw nothing before, a GNSS receiver that is pulled more slowly
//! than its own errors wander. All of this is one rover in one yard, in simulation.
//!
//! # Figures: a robot without a filter
//!
//! The robot navigates by its true pose, so the kernel on readings is the only detector. No seed is one of the calibration.
//!
//! `becomingone score robot --faults all --runs 20`; the rover has no GNSS receiver:
//!
//! | fault | detected | isolated | median delay (s) |
//! |---|---|---|---|
//! | slip 4 % | 20 of 20 | 20 of 20 | 0.06 [0.05, 0.06] |
//! | slip 8 % | 20 of 20 | 20 of 20 | 0.05 [0.05, 0.06] |
//! | gyro frozen | 20 of 20 | 20 of 20 | 0.11 [0.10, 0.13] |
//! | gyro delayed 60 ms | 20 of 20 | 20 of 20 | 0.18 [0.09, 1.64] |
//! | gyro delayed 120 ms | 20 of 20 | 19 of 20 | 0.12 [0.08, 0.64] |
//! | encoders lose 50 % | 20 of 20 | 20 of 20 | 0.06 [0.05, 0.06] |
//! | accelerometer off 0.5 m/s² | 20 of 20 | 20 of 20 | 0.09 [0.08, 0.09] |
//! | lidar half blocked | 20 of 20 | 20 of 20 | 0.24 [0.22, 0.26] |
//! | motor at half torque | 20 of 20 | 20 of 20 | 0.53 [0.33, 1.08] |
//! | false alarms in 3016 s | 0 (< 3.5 an hour) | | |
//! | false alarms in 10858 s (`--healthy 10800s`) | 2 (< 2.1 an hour) | | |
//!
//! 143 further runs, seeds 20000 on (`cargo xtask surprise`), raised 2 in 10844 s, one of the lidar, one of the gyroscope:
//! below 2.1 an hour with 95 %, where `calibrate` states fewer than 0.99. Two thresholds above the maxima of 4.8 h are expected
//! to be exceeded 1.3 times in 3 h.
//!
//! In 20 runs of other seeds each (30000 on, from 20 s), slips of 2, 4, 8 and 15 % were isolated correctly in 18, 20, 20
//! and 20, an accelerometer bias of 0.1 m/s² in 20, a gyroscope delayed by 120 ms in 20, a frozen accelerometer and a
//! frozen IMU in 20; slips of 2 % in 17 of 20 more. What is weak: in the other 5 slips of 2 % the IMU is named.
//!
//! # Figures: a car at 20 m/s
//!
//! `becomingone score vehicle --faults all --runs 20`. The car steers by its filter, and its self-model takes the commanded
//! force of engine and brakes as input. It has no lidar. Thresholds are the scene's, from 8.0 healthy hours; no seed is one
//! of the calibration. Detected in all 20 and isolated correctly in all, where nothing else is noted:
//!
//! | fault | kernel on readings | kernel on innovations | NIS | all together |
//! |---|---|---|---|---|
//! | slip 4 % | 0.25 [0.17, 0.29], isolated 19 | 0.16 [0.15, 0.18], isolated 19 | 0.12 [0.10, 0.14], isolated 19 | 0.12 [0.10, 0.14], isolated 19 |
//! | slip 8 % | 0.15 [0.11, 0.20] | 0.12 [0.11, 0.13] | 0.08 [0.07, 0.08] | 0.08 [0.07, 0.08] |
//! | gyro frozen | 0.22 [0.18, 0.32] | 0.22 [0.15, 0.40] | 0.14 [0.10, 0.23] | 0.14 [0.10, 0.23] |
//! | gyro delayed 60 ms | 6.63 [4.94, 8.74] | 4.29 [1.42, 6.42], isolated 19 | 2.35 [0.16, 6.04], isolated 18 | 2.35 [0.16, 6.04], isolated 18 |
//! | gyro delayed 120 ms | 0.44 [0.16, 2.29], isolated 19 | 0.28 [0.14, 1.18], isolated 18 | 0.19 [0.08, 1.08], isolated 17 | 0.19 [0.08, 1.08], isolated 17 |
//! | GNSS pulled 0.1 m/s | - | 10.42 [9.06, 11.56] | - | 10.42 [9.06, 11.56] |
//! | encoders lose 50 % | 0.06 [0.05, 0.07] | - | - | 0.06 [0.05, 0.07] |
//! | accelerometer off 0.5 m/s² | 0.07 [0.06, 0.08] | 0.44 [0.44, 0.46] | 0.39 [0.38, 0.40] | 0.07 [0.06, 0.08] |
//! | motor at half torque | 1.06 [0.35, 3.22] | - | - | 1.06 [0.35, 3.22] |
//! | false alarms in 3016 s | 0 (< 3.5 an hour) | 0 (< 3.5 an hour) | 0 (< 3.5 an hour) | 0 (< 3.5 an hour) |
//!
//! 282 healthy runs of `becomingone run vehicle`, seeds 20000 on (`cargo xtask surprise`), raised no alarm in 10835 s after
//! warm-up, nor did seeds 560 to 659. Seed 604 is among them: its covariance of `gnss/speed`, which has a sample in one of five ticks, with the
//! wheels was nearly singular, and K3 was 223 in the mean until such covariances were limited; it is 1.07 since.
//!
//! What is weak: no fault is missed, but isolation errs. A faulty gyroscope contradicts the accelerometer first, which
//! measures the yaw rate through the centripetal force; until wheels and fixes have decided between the two, after about a
//! second, either explains the data. Where the readings are not yet surprising, the accelerometer is named, in 1 to 4
//! of 20 runs. A slip of 4 % is attributed to the accelerometer in 1. Wheels that stand still for two seconds and count on
//! are used again from where they are by then: after three laps, the error was 0.41 to 0.70 m in seeds 1 to 6. Their alarm
//! lasts 12 to 13 s longer than the fault: so large a surprise decays slowly.
//!
//! Delays are detected where the car turns in: a gyroscope that is late by 60 ms deviates by more than 0.02 rad/s in 7 % of
//! the second lap, with an RMS of 0.01 rad/s. A pulled receiver is detected when the pull reaches 1 m: its fixes scatter by 0.3 m and wander. The car needs more than half its
//! torque in a quarter of the time.
//!
//! # How does the robot react to a fault?
//!
//! ```text
//! becomingone run gnss_spoof --duration 120s
//! ```
//!
//! `governor: ()` adds a safety supervisor. A lasting surprise reduces the speed limit. A sensor that has been isolated for
//! a second is excluded from the filter (one sensor, for the rest of the run), and the surprise that its innovations caused
//! until then is cleared. Three seconds of alarm with any other cause end in a latched stop that only a reset clears; a
//! run without a duration ends when the agent stands. Actions and reasons are in the log, the recording and the summary.
//!
//! In `gnss_spoof` the receiver is pulled by 0.1 m/s from 60 s on. The governor excludes it 1 s after the alarm; at 120 s
//! the estimate was off by 0.04 to 0.14 m in seeds 1 to 10, where the receiver is off by 6 m, and the alarm is over. None
//! of these runs was stopped. No other alarm was raised.
