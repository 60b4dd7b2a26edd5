//! Which files open?
//!
//! # Logs and tables
//!
//! ```text
//! becomingone analyze FILE        # columns, time, what was guessed and left out, flagged intervals
//! ```
//!
//! ```ron
//! source: Replay(file: "flight.ulg", topic: "sensor_combined", columns: ["gyro_rad[0]", "gyro_rad[1]", "gyro_rad[2]"])
//! source: Replay(file: "log.parquet", field: "speed")
//! ```
//!
//! A file is known by its first bytes; its name does not matter. All of these are read as a stream, in memory that does
//! not grow with the file, except where the table states it. What is lost, such as broken messages, lists that are too
//! long and rows without a stamp, is counted and reported.
//!
//! | file | columns | time | limits, each of which is reported |
//! |---|---|---|---|
//! | CSV and its relatives | those of the header | [a column, or two](#tables-as-text) | one table a file |
//! | MCAP | `topic/field`, from JSON, protobuf, ROS 1 and ROS 2 messages by the schema in the file | log time, in its order: by the index, else by a bounded sort | other encodings; lists of more than 32 numbers |
//! | ROS 2 bag: MCAP, `.db3`, or the folder of both | `topic/field` | log time | a `.db3` before ROS 2 Jazzy has no schemas: types beyond the common ones need `ros2 bag convert` |
//! | ROS 1 bag 2.0 | `topic/field` | log time | older bags: `rosbag fix` |
//! | PX4 `.ulg` | `topic/field`, `topic/field[0]` of lists, `topic_1/field` of further instances | `timestamp`, since the start of the controller | encrypted logs |
//! | `ArduPilot` `.BIN`, and its text form `.log` | `BARO/Alt`, `IMU[0]/GyrX` of instances, in the units of the log | `TimeUS`, or `TimeMS` | |
//! | Parquet, Arrow IPC, Feather 2 | columns, `a.b` of nested ones | a column of time stamps, else as in a CSV | lists, binary columns; Feather 1 |
//! | `.npy`, `.npz` | named fields, or `column_1` and on; arrays of an archive by their names | as in a CSV | arrays of objects, of three and more dimensions |
//! | JSON lines, or a list of objects | `a/b` of nested ones | as in a CSV | keys that begin after the first rows |
//! | a recording of `run --record` | `agent/sensor/field` | log time | only the first run, if it was reset |
//!
//! Others are named, with the command that makes a readable file of them: MATLAB, HDF5, CAN logs (candump, `.asc`, `.blf`,
//! `.trc`), pcap, MDF, TDMS, ROOT, Excel, telemetry of MAVLink, NMEA and UBX, archives and compressed files, pictures.
//!
//! Features of the crate: `parquet` and `sqlite` (for `.db3`), both on by default; a build without them names the file
//! and the feature.
//!
//! ## Tables as text
//!
//! Separator, header, units, time and decimal comma are found by the first rows. What was guessed is printed with the
//! cell it was guessed from, and an option overrides it:
//!
//! | in the file | how it is read | instead |
//! |---|---|---|
//! | text above the header | the header is the line above rows of a constant width; the lines above it are ignored | |
//! | a header as a comment (`%time,..`, `# t x y`) | its names | |
//! | a row of units, or units in the header | the unit of the time column scales it | `--time-unit` |
//! | stamps | ISO 8601, dates of spreadsheets and loggers, epochs; date and time, seconds and nanoseconds, or year to second in columns of their own, with milliseconds beside them | `--time`, `--time-format` |
//! | day and month in either order | the one in which time increases; asked for where both do and the steps differ | `--time-format` |
//! | `4,919.81`, `4.919,81`, `4'919.81` | groups of three digits, where a column cannot be read otherwise | |
//! | lines below the data | they are no rows | |
//! | rows `time, sensor, value` of several sensors | one channel, with a warning: a column for each is what is compared | |
//! | no line end in the last line | read, with a warning: the file may be cut off | |
//! | UTF-16, Latin-1 | decoded | |
//!
//! `--time-unit` takes `ns`, `us`, `ms`, `s`, `min`, `h` or `d`; `--time-format` a format of `strptime`, such as
//! `"%d/%m/%y %H:%M:%S%.f"`. A scene has them as keys of `Replay(..)`: `time_unit`,
//! `time_format`, `decimal`.
//!
//! # Robot descriptions
//!
//! ```text
//! becomingone inspect FILE        # links, joints, masses, limits, and what was repaired or left out
//! ```
//!
//! URDF 1.0 to 1.2 and MJCF. The README of the crate `becomingone-model` has a row for each feature of both: read,
//! approximated, or out of scope, and the test of it. A link that loses all its colliders, since files are missing, is an
//! error; `--allow-missing`, or `allow_missing: true` at the agent, loads the robot without them.
