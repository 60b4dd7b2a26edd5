//! How do I get my own data in? (five minutes)
//!
//! # I have a table
//!
//! ```text
//! becomingone analyze log.csv --time datetime --baseline 400 --out scores.csv --ignore label
//! ```
//!
//! The input is a CSV file with a column of time stamps and some columns of numbers, with any separator, or a log of
//! messages: MCAP (ROS 2, ROS 1, JSON, protobuf), a ROS 1 bag, or a ROS 2 bag (`.db3`, or its folder).
//! The first 400 rows are assumed healthy: what is normal is learned from them. Each row after them is scored:
//!
//! | column of `scores.csv` | |
//! |---|---|
//! | `row`, `time` | from 0; as in the input |
//! | `t_emissary`, `t_master`, `delta` | coherence of the surprise over 10 and 30 rows, and the difference of the two |
//! | `k1`, `k2`, `k3` | coherence, mean shift and energy of the innovations |
//! | `coherence` | 1/(1 + surprise): 1 as usual, 0.5 where an alarm begins; empty while there is no value yet |
//! | `flag`, `cause` | 1 during an alarm, and the isolated channel |
//! | `surprise` | what the alarm is judged by: above 1, it begins |
//! | `state` | `learning`, `healthy`, `fault` (flag 1), `changed` (an alarm is over, and the machine is not as before), `outside` (values or a rate that the baseline does not have: neither a fault nor health) |
//! | `severity` | mean of the four ratios that follow; 1 = as the worst row of the baseline |
//! | `level`, `activity`, `innovation`, `shift` | four statistics, each over its threshold |
//!
//! [How are faults found in a table?](super::tables) has their equations.
//!
//! The scores are causal: those of a row follow from the rows up to it, and a truncated file has the same ones.
//! Files of any length are read as a stream, in 8 MB of memory; `-` is standard input. Until the end, the scores are in a
//! temporary file beside `scores.csv`, which then replaces it; `--out -` shows them as they come. Ctrl-C ends the
//! analysis with the scores up to there.
//!
//! The program prints which columns are channels and which are not (text, constant, a label that should be passed to
//! `--ignore`), and the flagged intervals. [What do the numbers mean?](super::numbers) explains them.
//!
//! It also writes a recording for the viewer. On its left are the isolated channels, the six that were isolated in most
//! rows: the measured values in blue, what they should be beside the other channels in orange, between the lowest and the
//! highest value of the band (three deviations of the baseline), from 100 rows before they were isolated to 100 rows after
//! the alarm; red dots are the flagged rows. A tab behind them has all channels. On the right are the state as a coloured
//! strip, the surprise with its four statistics, and the kernel's coherence.
//!
//! # My table has text above it, units, commas, or odd stamps
//!
//! What is guessed is printed, with the cell that it was guessed from; what cannot be told is asked for.
//!
//! | in the file | how it is read |
//! |---|---|
//! | lines of text, keys and values, or `#` `%` `//` comments above the table; `sep=;` | the header is the row of names above the first rows of numbers; what is ignored is printed with its line |
//! | a header in a comment (`%time,field.a`, `# time a b`) | names, without the sign |
//! | a row or two of units below the header (`s,V,V`, `[ms];[g]`, `(us)`), or a unit in a name (`Time [ms]`, `t_us`, `Elapsed (min)`) | the unit of time: ns, µs, ms, s, min, h or d |
//! | a numeric time without a unit | by its magnitude since 1970 (years 1990 to 2100), else seconds; `--time-unit ms` states it |
//! | dates in ISO 8601, `14.11.2023`, `11/14/23`, `14-Nov-23`, `14 November 2023`, `Tue Nov 14 22:13:20 2023`, RFC 2822, web logs, day of the year; am and pm | detected; two-digit years are 1969 to 2068; `--time-format '%d/%m/%Y %H:%M:%S'` states a format |
//! | day or month first | whichever lets time increase; an error if both do and the steps differ; a warning if the steps are the same |
//! | `22:13:20.5`, `49:59:59`, `13:20.5` (minutes) | time of day, elapsed time; midnight and the full hour may be passed; `12:30` is asked for |
//! | dates of spreadsheets and MATLAB as numbers (`45244.9259`) | told from seconds by their steps, with a warning; `--time-unit d` or `s` states it |
//! | a date and a time in two columns, or `sec` and `nanosec` | one stamp |
//! | names of months and zones in other languages | not read: a warning names the cell; an abbreviated zone (`CET`) is not applied |
//! | `"4,919.81"`, `4.919,81`, `4 919,81`, `4'919.81`, `1,23,456.7` | thousands; `1,234` alone in a column is asked for: `--decimal point` or `comma` |
//! | totals, checksums or text below the data; a repeated header; a second table | not read, and printed with the line |
//! | UTF-8 with or without a mark, UTF-16, Windows-1252 (Latin-1) | detected; other than UTF-8 is printed |
//!
//! # My stamps are uneven, values are missing, sensors have different rates
//!
//! | in the table | how it is handled |
//! |---|---|
//! | an empty cell, `NaN`, `null`, `-` | that channel is missing in that row: the others are judged |
//! | text or infinity in a column of numbers | the same, with a warning that names line and cell of the first |
//! | whole rows at uneven times | each row is a tick |
//! | no row for more than ten usual steps | a gap: nothing is predicted across it, and one of more than a hundred ends an alarm |
//! | rows at another rate than in the baseline | `state` is `outside` |
//! | a column of 0 and 1 alone | a switch: not judged; a value that it never had is `outside` |
//! | a stamp equal to that of the row before, or earlier | the row is skipped, its scores are repeated, with a warning |
//! | one stamp for several whole rows, in more than a fifth of the first ones | rows are counted at an even rate; `--rate` states a better one |
//! | an outlier in the baseline that makes its channel's deviation ten times as large as the others do | a warning with its row: the channel is nearly blind until a cleaner baseline is chosen |
//! | fewer than 64 values of a channel in the baseline | a warning: the channel is hardly trained |
//! | the newest row first | an error: sort it |
//!
//! Where sensors come in rows of their own, as when two loggers write into one file, a row holds only some of them.
//! Then time is cut into bins, and a tick is the mean of each channel over one bin: a sample is valid from its stamp to the
//! next one of its channel, for one bin at most, and a channel has a value where samples cover half of the bin. So each
//! sample of a slow channel is in exactly one bin. A bin is as long as the slowest channel needs that comes at
//! least a quarter as often as the fastest (nine of ten of its first samples come no later than that); `--bins 5` sets a
//! fifth of a second, for any table, and `--bins off` takes each row as a tick. Each row still has its line in the
//! scores: those of the last bin that had ended by its stamp. The bins of the first 400 rows are the training data.
//! Late rows are used in the order of the file; time continues after a clock is set back.
//!
//! Why not always bins: measured on simulated sensors of one level with known faults, whole rows at scattered times (evenly
//! from 0.2 to 1.8 of a step, Poisson, in bursts) are judged at least as well row by row: a steady bias was flagged 99 %
//! of the time in all three, in bins 99, 38 and 96 %. Where two loggers took turns it was the other way round: 68 % row by
//! row, 98 % in bins; for a stuck sensor 40 and 77 %.
//!
//! A channel that is much slower than the others is hardly judged beside them, either way; a warning names it. `--bins`
//! at its own rate judges it, with a baseline that is long enough for that (64 bins at least).
//!
//! # I want the table as a machine in a scene
//!
//! ```text
//! becomingone run recorded_machine
//! becomingone run recorded_machine --set agents.pump.sensors.log.source.file=my.csv
//! ```
//!
//! A table's columns become the sensors of an agent without a body. The built-in `recorded_machine` replays
//! one of ours; the second line replaces it by yours.
//!
//! # I have a sensor
//!
//! ```text
//! becomingone run robot --profile bench.ron --real-time
//! ```
//!
//! A sensor's `source` selects the origin of its readings. It is one line of the scene, or of a profile; consumers of
//! the sensor see no difference:
//!
//! ```ron
//! source: Sim                                                     // the simulated world
//! source: Off                                                     // no readings
//! source: Replay(file: "log.csv", time: "stamp", columns: ["gx", "gy", "gz", "ax", "ay", "az"])
//! source: Replay(file: "drive.bag", topic: "/pressure", field: "fluid_pressure")
//! source: Replay(file: "log.csv", time: "stamp", time_unit: "ms") // or time_format: "%d/%m/%Y %H:%M:%S"
//! source: Replay(file: "run.mcap")                                // a recording of `run --record`
//! source: Driver("udp", (listen: "127.0.0.1:5005"))               // datagrams
//! source: Driver("file", (path: "tank.jsonl", pick: "/level"))     // lines of JSON or CSV that are appended to a file
//! source: Driver("process", (argv: ["./probe", "--fast"]))         // lines that a program prints
//! source: Driver("http", (url: "http://127.0.0.1:8080/state", every_s: 1, pick: "/main/temp"))
//! source: Driver("serial", (port: "/dev/ttyUSB0", baud: 9600, protocol: Nmea)) // also Ubx, Mavlink, lines, frames
//! source: Driver("mqtt", (broker: "mqtt://localhost:1883", topic: "robot/imu", pick: "/g/z")) // JSON, CBOR, MessagePack
//! ```
//!
//! A replayed table is read as by `analyze`: the newest row first is an error; a row whose stamp is before that of the row
//! above is skipped, and time continues where a clock was set back; rows much slower or faster than `rate_hz`, and all that
//! the reader guesses or skips, are warnings.
//!
//! Any program can be the sensor: ten lines of Python that send JSON datagrams are enough; the page of the crate
//! `becomingone-udp` has the format. For files, programs and web servers, `pick` names the place of each number; the page of
//! the crate `becomingone-bridge` has the options. Devices on serial ports are read by `becomingone-serial`; `becomingone list
//! ports` shows what is plugged in. The page of `becomingone-mqtt` has the options of brokers, and `becomingone run
//! robot --mqtt mqtt://localhost:1883` publishes the state of each agent, also for Home Assistant. Actuator commands are sent in the same way, but only with `--arm`; without it,
//! they are computed and not sent.
//!
//! A scene of someone else is a program: `argv` runs with all your rights, and `token: Env(..)` or `File(..)` sends a
//! variable or the first line of a file to the server of its `url`. Read these lines before you run it.
//!
//! # I want to keep a run and replay it
//!
//! ```text
//! becomingone run robot --record run.mcap             # every input, and the results
//! becomingone info run.mcap                           # its contents
//! becomingone replay run.mcap --verify                # simulate from the same input: the same bits, tick by tick
//! becomingone replay run.mcap --rerun save=run.rrd    # and show it
//! ```
//!
//! The file is MCAP: Foxglove, `PlotJuggler`, the Rerun viewer and Python's `mcap` open it.
