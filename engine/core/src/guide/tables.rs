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
//! z = (x - mean) / sd of the baseline, within 30        l = z - B v: less what the inputs v explain, where they do out of sample
//! a = sqrt(EW10(z^2) - EW10(z)^2)                       t = (a - mean) / sd of a
//! r = (z_k - z_k-1 - b . regressors) / sd               regressors: levels, levels less their means over 5 rows, and inputs
//! e = EW20(r)
//!
//! level       EW10 of min(u^2, 25), u = W l     W = whitening of Cov(l), ridge 0.1
//! activity    EW40 of min(u^2, 25), u = W t     of Cov(t), ridge 0.1
//! innovation  EW10 of min(u^2, 25), u = W r     of Cov(r), ridge 0.1
//! shift       EW10 of u^2,          u = W e     of 0.3 Cov(e) + 0.7 Cov(r) a/(2 - a), a = 1 - e^(-1/20), ridge 0.01
//!
//! each of them the mean over the channels     F = (level/q_1 + activity/q_2 + innovation/q_3 + shift/q_4) / 4     severity
//! whitening   (C + ridge I)^-1/2 by eigenvalues (ZCA), its rows scaled so that each u has variance 1 under C
//! ```
//!
//! A predictor follows a fault that lasts, and its predictions are then as wrong as the sensor: innovations show the begin
//! of such a fault, the level all of it. There is no vote: one statistic at four times its threshold is enough.
//!
//! | statistic | law while healthy | checked against |
//! |---|---|---|
//! | `level` | mean 1; with white Gaussian rows and n channels, `n (2 - a)/a` of it is about chi^2 of as many degrees, a = 1 - e^(-1/10). Rows are not white: no closed law | a reference in numpy, to 1e-6, on faults of every kind (test `detector`) |
//! | `activity` | mean 1, no closed law: deviations of 10 rows overlap | the same |
//! | `innovation` | mean 1; the law of `level` holds as far as the predictor leaves white innovations | the same |
//! | `shift` | mean 1; a MEWMA (Lowry et al., Technometrics 34, 1992), averaged over 10 rows | the same; whitening in closed form for two channels |
//! | `expected` | mean of a Gaussian given the others: `-P_ij / P_ii`, P = (C + 0.1 I)^-1 | closed form for two channels (test `detector_learning`) |
//!
//! Without closed laws, thresholds are measured.
//!
//! # Where do the thresholds come from?
//!
//! From rows that did not form the laws by which they are judged: each fifth of the baseline is judged by what was learned
//! from the other four. The threshold of a statistic is the largest value that it has there. So is the choice of the
//! predictor: a channel is predicted from all others only where that is better than from itself, in rows that were held out.
//!
//! With three and more files for `--healthy`, each file is judged by what was learned from the others, and so are the onset
//! and the number of false alarms.
//!
//! A baseline that contradicts itself has large thresholds, and little is found; the program says which fifth is unlike the
//! others, and by what factor.
//!
//! # When does an alarm begin, and end?
//!
//! `ln F` and its slow mean are compared with a reference that follows the machine's own calm: it learns over 400 rows,
//! never below the baseline's calm, never above F = 1, and not while anything is unusual. An alarm begins after 3 rows above
//! the onset, which is as high as the baseline itself went, at least 0.65: F is then twice the usual. It ends after the
//! excess has fallen by 40 % from its plateau; half of what is left is accepted, the slow mean begins anew, and the state is
//! `changed` until all is as before. A new rise after that is a new alarm; what happens during an alarm shows in `cause` alone. A gap of
//! more than a hundred usual steps ends it, too.
//!
//! `outside` is neither a fault nor health: a value half a span beyond those of the healthy rows, a switch at a new value, rows at
//! another rate, no channel to judge. The end of the analysis says how many rows each reason has.
//!
//! # What can it learn from?
//!
//! ```text
//! becomingone analyze flight.csv --healthy good1.csv good2.csv good3.csv --inputs cmd_roll,cmd_pitch
//! becomingone analyze log.csv --healthy log.csv:0-4000 log.csv:9000-12000
//! becomingone analyze log.csv --save pump.model
//! mosquitto_sub -t pump | becomingone analyze - --load pump.model --on-alarm notify-send {channel} {text} \;
//! ```
//!
//! - The first rows (`--baseline`), whole healthy files, or stretches of files (`--healthy FILE:FROM-TO`, numbers of rows as in the
//!   scores). Nothing is predicted across the ends of stretches, and a gap in the healthy rows is such an end. Three and more
//!   stretches of similar length are judged each by what was learned from the others.
//! - Inputs (`--inputs`) are commands that the machine receives, or its surroundings. They help to predict the others and are never
//!   isolated. While one is half a span beyond its values in the healthy rows, or missing for longer than there, the state is
//!   `outside` and no alarm begins; after more than five such rows an alarm is over, and the machine is given as long to follow.
//! - `--false-alarms-per-hour RATE` asks for a rate in place of none: the onset is the least with no more alarms in the healthy rows.
//!   Fewer than three expected alarms cannot be told from none: then the program says what the rows support, and how many hours the
//!   rate needs. With n alarms in T hours the rate is below chi^2(0.95; 2n + 2)/(2T) with 95 %, for rows like these.
//! - `--sensitivity 2` begins alarms at half of the rise.
//! - `--save` and `--load` keep what was learned, as JSON; columns are matched by name.
//!
//! # What comes out?
//!
//! The scores have a line for each row: the four statistics over their thresholds (`level`, `activity`, `innovation`, `shift`), the
//! thresholds, F (`severity`), `surprise` (an alarm begins above 1), `coherence` = 1/(1 + surprise), `flag`, `cause`, `state`, and each
//! channel's share of F (`share_CHANNEL`, with sum 1). The statistic itself is its column times its threshold. `flag` is 1 in a fault alone; `state` is `learning`, `healthy`, `fault`,
//! `changed` or `outside`. `--json` writes each interval with its channel, its severity, its shares in the worst row, and what the
//! channel measured where it was furthest from what it should be: `expected`, from the other channels and the inputs, and `band`, three
//! deviations from that in healthy rows.
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
