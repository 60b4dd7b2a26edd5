//! Any time scale.
//!
//! The kernel does not know how long a second is: lags are counted in samples, and windows, periods and half lives
//! enter by how many ticks they last. So a rhythm of microseconds and one of hours say the same.
//!
//! The scene `time_scales` shows it. Its `time_scale` multiplies every time in it, the tick, the windows, the periods
//! of the signals and the run:
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
//! A tone holds on both windows. A chirp, whose frequency grows, is steady as the Emissary hears it and less and less
//! so over the Master's longer window, until the two have parted. Noise has the order of chance. The kernel says so at
//! the same tick of each run: the chirp's order is not what it was at tick 1542, after 1.5 milliseconds or 64 days.
//!
//! Scaled by a power of two, not one bit of T changes. By other numbers, a period or a rate in seconds is rounded in
//! its last digit, and that is all of the difference. A tick stays a whole number of nanoseconds, and at most a day.
//!
//! Only scenes without bodies and sensors can be scaled so: a robot has times of its own, and gravity with it.
//!
//! Rerun gets at most 20 points of a curve in a simulated second, so none is drawn of a run of 2 ms: for fast runs,
//! look at the recording.
