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
//!
//! What is printed says which columns are heard and which are not (text, constant, a label that should be passed to
//! `--ignore`), and lists the flagged intervals. Beside it stands a recording of everything for the viewer. The
//! numbers are explained in [What the numbers mean](super::numbers).
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
