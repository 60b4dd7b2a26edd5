//! How are faults found in a table?
//!
//! ```text
//! becomingone analyze log.csv --baseline 400        # the first 400 rows are healthy
//! ```
//!
//! Four statistics look at each row. Each is a mean over the channels of squared whitened values, so each is about 1 while
//! all is well, and each splits exactly into channels: the channel with the largest part is the isolated one.
//!
//! | statistic | of what | finds | window (rows) |
//! |---|---|---|---|
//! | `level` | where the machine is: `z`, the values in deviations of the baseline | an offset that stays | 10 |
//! | `activity` | how much each channel moves: its deviation over 10 rows, too much or too little | noise, a stuck sensor | 40 |
//! | `innovation` | `r`, the error of a one-step predictor | anything sudden | 10 |
//! | `shift` | the mean of `r` over 20 rows (MEWMA) | small contradictions that persist | 10 |
//!
//! ```text
//! u = W x,  W = (C + ridge I)^-1/2, C = Cov(x) in the baseline, rows of W scaled to variance 1 (ZCA whitening)
//! statistic = mean over the channels of EW(min(u^2, 25))             shift: no cap
//! severity F = mean of the four statistics over their thresholds q
//! ```
//!
//! A predictor follows a fault that lasts, and its predictions are then as wrong as the sensor: innovations show the begin
//! of such a fault, the level all of it. There is no vote: one statistic at four times its threshold is enough.
//!
//! With Gaussian values each `u^2` has the law chi^2 of one degree, and mean 1. Over rows they are correlated, so the means
//! have no closed law, and thresholds are measured.
//!
//! # Where do the thresholds come from?
//!
//! From rows that did not form the laws by which they are judged: each fifth of the baseline is judged by what was learned
//! from the other four. The threshold of a statistic is the largest value that it has there. So is the choice of the
//! predictor: a channel is predicted from all others only where that is better than from itself, in rows that were held out.
//!
//! A baseline that contradicts itself has large thresholds, and little is found; the program says which fifth is unlike the
//! others, and by what factor.
//!
//! # When does an alarm begin, and end?
//!
//! `ln F` and its slow mean are compared with a reference that follows the machine's own calm: it learns over 400 rows,
//! never below the baseline's calm, never above F = 1, and not while anything is unusual. An alarm begins after 3 rows above
//! the onset, which is as high as the baseline itself went, at least 0.65: F is then twice the usual. It ends after the
//! excess has fallen by 40 % from its plateau; half of what is left is accepted, and the state is `changed` until all is as
//! before. A new rise after that is a new alarm; what happens during an alarm shows in `cause` alone.
//!
//! # How well does it work?
//!
//! SKAB, valve1: sixteen runs of a pump whose valve is turned, judged row by row after the first 400
//! (`cargo test --release --test analyze faults_of_a_real -- --nocapture`, with `BECOMINGONE_TEST_DATA`):
//!
//! | | F1 | false alarms | misses | balanced accuracy |
//! |---|---|---|---|---|
//! | even files, on which constants were chosen | .883 | 20.0 % | 6.9 % | 86.6 % |
//! | odd files | .919 | 5.6 % | 11.0 % | 91.7 % |
//! | all | .901 | 12.8 % | 9.0 % | 89.1 % |
//!
//! The area under the curve is .963. Two thirds of the false alarms are files 2 and 12, in which the machine
//! visibly changes before the valve is turned.
//!
//! A simulated plant, four sensors of two hidden levels, one of them faulty, six seeds
//! (`cargo test --release -p becomingone-kernel --features alloc --test detector -- --nocapture`):
//!
//! | fault | rows flagged | delay (rows) |
//! |---|---|---|
//! | noise of 2, 3, 5 deviations | 99.0, 99.3, 99.4 % | 8, 5, 4 |
//! | stuck | 83 % | 22 |
//! | an offset of 1 deviation; a lost unit; two swapped sensors | above 90, 99, 99 % | |
//! | a dead-band of 1 deviation | 48 % | |
//!
//! On 40 baselines of 1000 rows, each followed by 2000 healthy ones, there were 2 false alarms.
//!
//! What is weak: a sensor that is a few rows late and a sticky valve show in bursts only. A machine that idles and runs needs
//! several starts in its baseline: the first ones after it are alarms otherwise. Among sensors that are nearly multiples of
//! each other, a large offset of one may isolate another. The constants are those of one choice for
//! all machines.
