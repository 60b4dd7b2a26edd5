//! Does it work at microseconds and at hours a tick?
//!
//! Yes: the results are the same at every time scale. The scene `time_scales` shows it; its `time_scale` multiplies every
//! time in it: the tick, the windows, the periods of the signals, the run.
//!
//! ```text
//! becomingone run time_scales --set time_scale=1e-6 --record microsecond.mcap
//! becomingone run time_scales --set time_scale=1e-3 --record millisecond.mcap
//! becomingone run time_scales --record second.mcap
//! becomingone run time_scales --set time_scale=60   --record minute.mcap
//! becomingone run time_scales --set time_scale=3600 --record hour.mcap
//! ```
//!
#![doc = include_str!("../../doc/time_scales.svg")]
//!
//! *Drawn from these five recordings: `order` and `order_master` of each agent's `/kernel` topic, 2000 ticks each,
//! every tenth drawn. Below each: the largest difference from the run at 1 s, over all agents, all ticks, both orders and
//! both T.*
//!
//! A tone is coherent over both windows. A chirp, whose frequency grows, is steady over the Emissary's short window and
//! less and less so over the Master's long one, until the two diverge. Noise has the order of chance. The kernel reports
//! it at the same tick of each run: the chirp's order diverges at tick 1542, after 1.5 milliseconds or 64 days.
//!
//! # Why?
//!
//! The kernel has no unit of time: lags are counted in samples, and windows, periods and half-lives
//! enter as numbers of ticks.
//!
//! Scaled by a power of two, not one bit of T changes. With other factors, a period or a rate in seconds is rounded in
//! its last digit, and that is the whole difference. A tick stays a whole number of nanoseconds, and at most a day.
//!
//! # What are the limits?
//!
//! Only scenes without bodies and sensors can be scaled so: a robot has time constants of its own, and gravity with it.
//!
//! Rerun receives at most 20 points of a curve in a simulated second, so nothing is drawn of a run of 2 ms: for fast runs,
//! use the recording.
