//! Attach your own data in five minutes.
//!
//! # A table that you have
//!
//! A CSV with a column of stamps and some columns of numbers is enough, whatever its separator; so is an MCAP file.
//!
//! ```text
//! becomingone analyze log.csv --time datetime --baseline 400 --out scores.csv --ignore label
//! ```
//!
//! The first 400 rows are taken as healthy, and learned from. Each row after them is scored:
//!
//! | column of `scores.csv` | |
//! |---|---|
//! | `row`, `time` | from 0; as it came |
//! | `t_emissary`, `t_master`, `delta` | how coherent the surprise is, over 10 and 30 rows, and how far the two differ |
//! | `k1`, `k2`, `k3` | three statistics of what was not foreseen |
//! | `coherence` | 1 as foreseen, 0.5 at the thresholds; empty while there is no value yet |
//! | `flag`, `cause` | 1 while two of three are over their thresholds, and the channel to blame |
//! | `surprise` | the second largest of the three over their thresholds: 1 is a vote of two |
//!
//! Nothing looks ahead: the scores of a row follow from the rows up to it, and a file that is cut there has the same.
//! Files of any length are read as a stream, in 8 MB of memory; `-` is standard input.
//!
//! What is printed says which columns are heard and which are not (text, constant, a label that should be passed to
//! `--ignore`), and lists the flagged intervals. Beside it stands a recording of everything for the viewer. The
//! numbers are explained in [What the numbers mean](super::numbers).
//!
//! ## Uneven stamps, missing values, sensors of different pace
//!
//! | in the table | what becomes of it |
//! |---|---|
//! | an empty cell, `NaN`, `null`, `-` | that channel is missing in that row: the others are judged |
//! | text or infinity in a column of numbers | the same, and said, with line and cell of the first |
//! | whole rows that come unevenly | each is a tick, as it comes |
//! | no row for more than ten usual steps | a gap: nothing is judged across it |
//! | a stamp that is that of the row before, or before it | the row is not taken, its scores are repeated, and it is said |
//! | one stamp for several whole rows, in more than a fifth of the first ones | rows are counted at an even rate; `--rate` says a better one |
//! | a value in the baseline that makes its channel's deviation ten times as large as the others do | said, with its row: the channel is nearly blind until a cleaner baseline is chosen |
//! | fewer than 64 values of a channel in the baseline | said: it is hardly learned |
//! | the newest row first | an error: sort it |
//!
//! Where sensors come in rows of their own, as where two loggers write into one file, a row tells of some of them only.
//! Then time is cut into bins, and a tick is the mean of each channel over one: a reading counts from its stamp to the
//! next one of its channel, for one bin at most, and a channel has a value where that covers half of the bin. So each reading of a
//! slow channel is in one bin, and none is heard twice. A bin is as long as the slowest channel needs that comes at
//! least a quarter as often as the fastest (nine of ten of its first readings come no later than that); `--bins 5` makes it a
//! fifth of a second, for any table, and `--bins off` takes each row as a tick. Each row still has its line in the
//! scores: what the last bin said that had ended by its stamp. What is learned from are the bins of the first 400 rows.
//! Late rows count from where they stand; a clock that is set back goes on from there.
//!
//! Why not always: measured on simulated sensors of one level with known faults, whole rows at times that scatter (evenly from
//! 0.2 to 1.8 of a step, as Poisson's, in bursts) are judged at least as well as they come: of a steady bias 99 % of the time was
//! flagged in all three, in bins 99, 38 and 96 %. Where two loggers took turns it was the other way round: 68 % as they
//! came, 98 % in bins; of a frozen sensor 40 and 77 %.
//!
//! A channel that is much slower than the others is heard badly beside them, either way, and that is said. `--bins` at its own
//! pace hears it, with a baseline that is long enough for that (64 bins at least).
//!
//! # A table as a machine
//!
//! In a scene, a table's columns are the sensors of an agent without a body. The built-in `recorded_machine` plays
//! one of ours; a line makes it yours:
//!
//! ```text
//! becomingone run recorded_machine
//! becomingone run recorded_machine --set agents.pump.sensors.log.source.file=my.csv
//! ```
//!
//! # A sensor that you have
//!
//! A sensor's `source` says where its readings come from. That is one line of the scene, or of a profile laid over it,
//! and nobody who listens to the sensor can tell:
//!
//! ```ron
//! source: Sim                                                     // the simulated world
//! source: Off                                                     // silence
//! source: Replay(file: "log.csv", time: "stamp", columns: ["gx", "gy", "gz", "ax", "ay", "az"])
//! source: Replay(file: "run.mcap")                                // a recording of `run --record`
//! source: Driver("udp", (listen: "127.0.0.1:5005"))               // datagrams
//! ```
//!
//! ```text
//! becomingone run robot --profile bench.ron --real-time
//! ```
//!
//! Any program can be the sensor: ten lines of Python that send JSON datagrams are enough; the page of the crate
//! `becomingone-udp` has the format. What a robot is *told* goes out the same way, but only where the run was armed with
//! `--arm`; without it, commands are computed and not sent.
//!
//! # Keep it, and play it again
//!
//! ```text
//! becomingone run robot --record run.mcap             # everything that entered, and what came of it
//! becomingone info run.mcap                           # what is in it
//! becomingone replay run.mcap --verify                # again from the same input: the same bits, tick by tick
//! becomingone replay run.mcap --rerun save=run.rrd    # and a picture of it
//! ```
//!
//! The file is MCAP: Foxglove, `PlotJuggler`, the Rerun viewer and Python's `mcap` open it.
