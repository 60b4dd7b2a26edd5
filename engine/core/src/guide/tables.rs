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
//! `cargo xtask detection` judges `analyze` and classical methods on public recordings: the same rows, the same baseline, no setting
//! that differs between sets. It needs `BECOMINGONE_TEST_DATA`, and prints all that follows; `--json FILE` keeps it. A peer's score is
//! smoothed, and its alarm is a fixed multiple of the 99 % quantile of its baseline; these two were chosen on valve1.
//!
//! | set | method | AUC | AP | FAR % | MAR % | balanced accuracy % | events found | median delay (rows) |
//! |---|---|---|---|---|---|---|---|---|
//! | alfa | becomingone | .807 | .696 | 4.2 | 72.1 | 61.8 | 15 of 19 | 63 |
//! | alfa | Hotelling T2 | .679 | .477 | 70.4 | 38.2 | 45.7 | 19 of 19 | 0 |
//! | alfa | PCA T2/Q 90 % | .746 | .601 | 38.5 | 51.1 | 55.2 | 19 of 19 | 26 |
//! | alfa | MEWMA(20) | .687 | .506 | 62.0 | 45.6 | 46.2 | 18 of 19 | 0 |
//! | alfa | VAR(1) + MEWMA(20) | .617 | .413 | 65.7 | 45.4 | 44.4 | 19 of 19 | 0 |
//! | alfa | isolation forest | .770 | .497 | 16.9 | 76.7 | 53.2 | 18 of 19 | 30 |
//! | msl | becomingone | .773 | .337 | 25.6 | 63.8 | 55.3 | 13 of 17 | 24 |
//! | msl | Hotelling T2 | .741 | .359 | 21.9 | 84.4 | 46.9 | 7 of 17 | 11 |
//! | msl | PCA T2/Q 90 % | .763 | .326 | 22.2 | 86.9 | 45.5 | 10 of 17 | 13 |
//! | msl | MEWMA(20) | .750 | .349 | 21.6 | 88.9 | 44.7 | 4 of 17 | 13 |
//! | msl | VAR(1) + MEWMA(20) | .730 | .321 | 21.8 | 86.5 | 45.9 | 4 of 17 | 1 |
//! | msl | isolation forest | .570 | .208 | 20.4 | 76.4 | 51.6 | 10 of 17 | 19 |
//! | skab valve1 | becomingone | .961 | .966 | 12.5 | 9.3 | 89.1 | 16 of 16 | 38 |
//! | skab valve1 | Hotelling T2 | .819 | .819 | 31.1 | 28.9 | 70.0 | 14 of 16 | 60 |
//! | skab valve1 | PCA T2/Q 90 % | .789 | .775 | 49.0 | 10.0 | 70.5 | 16 of 16 | 11 |
//! | skab valve1 | MEWMA(20) | .877 | .885 | 18.8 | 19.9 | 80.7 | 16 of 16 | 60 |
//! | skab valve1 | VAR(1) + MEWMA(20) | .926 | .940 | 13.2 | 18.1 | 84.3 | 16 of 16 | 60 |
//! | skab valve1 | isolation forest | .837 | .843 | 46.2 | 17.3 | 68.2 | 16 of 16 | 6 |
//! | smap | becomingone | .780 | .399 | 6.9 | 60.7 | 66.2 | 20 of 35 | 40 |
//! | smap | Hotelling T2 | .587 | .219 | 6.8 | 67.7 | 62.8 | 11 of 35 | 46 |
//! | smap | PCA T2/Q 90 % | .599 | .222 | 0.8 | 71.5 | 63.8 | 9 of 35 | 46 |
//! | smap | MEWMA(20) | .647 | .291 | 5.6 | 66.7 | 63.8 | 10 of 35 | 52 |
//! | smap | VAR(1) + MEWMA(20) | .663 | .274 | 5.7 | 79.4 | 57.4 | 10 of 35 | 60 |
//! | smap | isolation forest | .544 | .165 | 2.5 | 96.9 | 50.3 | 20 of 35 | 26 |
//! | tep | becomingone | .996 | .999 | 0.0 | 4.3 | 97.9 | 10 of 10 | 26 |
//! | tep | Hotelling T2 | .995 | .999 | 0.0 | 9.2 | 95.4 | 10 of 10 | 25 |
//! | tep | PCA T2/Q 90 % | .985 | .997 | 0.8 | 6.8 | 96.2 | 10 of 10 | 14 |
//! | tep | MEWMA(20) | .959 | .990 | 0.0 | 23.8 | 88.1 | 9 of 10 | 26 |
//! | tep | VAR(1) + MEWMA(20) | .965 | .992 | 0.0 | 20.2 | 89.9 | 9 of 10 | 26 |
//! | tep | isolation forest | .908 | .975 | 11.3 | 27.2 | 80.7 | 10 of 10 | 14 |
//!
//! | method | mean AUC of alfa, msl, smap, tep | AP | balanced accuracy % | with skab: AUC | AP | balanced accuracy % |
//! |---|---|---|---|---|---|---|
//! | becomingone | .839 | .608 | 70.3 | .863 | .680 | 74.1 |
//! | Hotelling T2 | .751 | .513 | 62.7 | .764 | .574 | 64.2 |
//! | PCA T2/Q 90 % | .773 | .536 | 65.2 | .776 | .584 | 66.2 |
//! | MEWMA(20) | .761 | .534 | 60.7 | .784 | .604 | 64.7 |
//! | VAR(1) + MEWMA(20) | .744 | .500 | 59.4 | .780 | .588 | 64.4 |
//! | isolation forest | .698 | .461 | 59.0 | .726 | .538 | 60.8 |
//!
//! alfa: flights of a fixed-wing aircraft with failing surfaces and engines. msl, smap: telemetry of two spacecraft. skab valve1: a
//! pump whose valve is turned. tep: the Tennessee Eastman process. AUC, AP: areas under the curves of ROC and of precision over recall,
//! mean over files. FAR, MAR: shares of healthy rows flagged and of faulty rows missed; balanced accuracy = 100 - (FAR + MAR)/2.
//!
//! Where it is not the best:
//!
//! - alfa: 15 of 19 failures are found, by T2 and PCA all 19, with seventeen and nine times the false alarms; where one is found, it
//!   takes 63 rows, and the peers have their alarms already.
//! - msl: more healthy rows are flagged than by any peer, and three methods are quicker; T2 and MEWMA have the better AP.
//! - smap: more healthy rows are flagged than by any peer, by a tenth of a per cent or more.
//! - skab valve1, tep: PCA and the forest are quicker, with more false alarms.
//! - A baseline of 400 rows is short: after it, nine of 40 healthy plants have an alarm; with T2 one has, with both MEWMA none.
//!
//! Where does a fault enter, and which channel is isolated first? Faults of the Tennessee Eastman process:
//!
//! | fault | where | channels there | first isolated | rows of the alarm with a right one |
//! |---|---|---|---|---|
//! | 4 | reactor cooling water inlet | XMEAS9, XMEAS21, XMV10 | XMV10 | 100 % |
//! | 14 | reactor cooling water valve sticks | XMEAS9, XMEAS21, XMV10 | XMEAS21 | 100 % |
//! | 6 | loss of A feed | XMEAS1, XMV3 | XMEAS1 | 97 % |
//! | 12 | condenser cooling water inlet | XMEAS11, XMEAS22, XMV11 | XMEAS18 (wrong) | 46 % |
//!
//! False alarms on healthy data: the second halves of healthy files, of which the first half was learned, and a simulated plant of four
//! sensors of two hidden levels (AR(1)), learned from 400, 1000 or 2000 rows and followed for 3000 healthy ones, 40 seeds each. Runs with
//! an alarm, their exact 95 % interval (Clopper, Pearson), and the rows that are flagged:
//!
//! | method | healthy files | plant, 400 rows | plant, 1000 rows | plant, 2000 rows |
//! |---|---|---|---|---|
//! | becomingone | 0 of 5 (0 to 52.2 %), 0 % | 9 of 40 (11 to 38.5 %), 0.44 % | 3 of 40 (1.6 to 20.4 %), 0.067 % | 1 of 40 (0.063 to 13.2 %), 0.033 % |
//! | Hotelling T2 | 3 of 5 (15 to 94.7 %), 28 % | 1 of 40 (0.063 to 13.2 %), 0.017 % | 0 of 40 (0 to 8.81 %), 0 % | 0 of 40 (0 to 8.81 %), 0 % |
//! | PCA T2/Q 90 % | 4 of 5 (28 to 99.5 %), 17 % | 39 of 40 (87 to 99.9 %), 3.7 % | 28 of 40 (53 to 83.4 %), 0.69 % | 19 of 40 (32 to 63.9 %), 0.2 % |
//! | MEWMA(20) | 4 of 5 (28 to 99.5 %), 24 % | 0 of 40 (0 to 8.81 %), 0 % | 0 of 40 (0 to 8.81 %), 0 % | 0 of 40 (0 to 8.81 %), 0 % |
//! | VAR(1) + MEWMA(20) | 2 of 5 (5.3 to 85.3 %), 22 % | 0 of 40 (0 to 8.81 %), 0 % | 0 of 40 (0 to 8.81 %), 0 % | 0 of 40 (0 to 8.81 %), 0 % |
//! | isolation forest | 5 of 5 (48 to 100 %), 14 % | 40 of 40 (91 to 100 %), 11 % | 40 of 40 (91 to 100 %), 3.7 % | 38 of 40 (83 to 99.4 %), 1.9 % |
//!
//! Throughput, one file of 10^6 rows and 25 channels, CSV in and out, whole processes: 138 000 rows/s, and 300 000 in a
//! second of CPU time; T2 with pandas and numpy beside it 120 000 and 231 000. Other programs ran beside, on two processors.
//!
//! ## The files of valve1, and a simulated fault
//!
//! SKAB, valve1: sixteen runs of a pump whose valve is turned, judged row by row after the first 400
//! (`cargo test --release --test analyze faults_of_a_real -- --nocapture`, with `BECOMINGONE_TEST_DATA`):
//!
//! | | F1 | false alarms | misses | balanced accuracy |
//! |---|---|---|---|---|
//! | even files, on which constants were chosen | .886 | 19.0 % | 7.1 % | 87.0 % |
//! | odd files | .915 | 6.0 % | 11.4 % | 91.3 % |
//! | all | .900 | 12.5 % | 9.3 % | 89.1 % |
//!
//! The area under the curve is .961. Two thirds of the false alarms are files 2 and 12, in which the machine
//! visibly changes before the valve is turned.
//!
//! A simulated plant, four sensors of two hidden levels, one of them faulty, six seeds
//! (`cargo test --release -p becomingone-kernel --features alloc --test detector -- --nocapture`):
//!
//! | fault | rows flagged | delay (rows) |
//! |---|---|---|
//! | noise of 2, 3, 5 deviations | 99.0, 99.3, 99.4 % | 8, 5, 4 |
//! | stuck | 82 % | 22 |
//! | an offset of 1 deviation; a lost unit; two swapped sensors | above 90, 99, 99 % | |
//! | a dead-band of 1 deviation | 44 % | |
//!
//! On 40 baselines of 1000 rows, each followed by 2000 healthy ones, there were 2 false alarms.
//!
//! What is weak: a sensor that is a few rows late and a sticky valve show in bursts only. A machine that idles and runs needs
//! several starts in its baseline: the first ones after it are alarms otherwise. Among sensors that are nearly multiples of
//! each other, a large offset of one may isolate another. The constants are those of one choice for
//! all machines.
