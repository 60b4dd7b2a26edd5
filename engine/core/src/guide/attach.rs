//! Attach a sensor or motor.
//!
//! *How do I get my device into a scene?* You look at what it sends, paste the line that is printed, and check this
//! machine. For a device that no driver knows, you write one: a crate of two files, made by a command.
//!
//! # Look at it
//!
//! ```text
//! becomingone list ports
//! becomingone probe 'serial:/dev/ttyUSB0?baud=9600&protocol=nmea'
//! ```
//!
//! `probe` opens the source with the driver, the thread, the queue and the counts of a run. It prints the bytes as they
//! arrive, each message with its numbers, and at Ctrl-C the rate and jitter of each kind of message, what was lost, and
//! the line for the scene:
//!
//! ```text
//! serial /dev/ttyUSB0; Ctrl-C ends
//!     0.027 s  link up
//!     0.337 s  raw  $GNGGA,120000.00,4722.61400,N,00832.50200,E,1,9,0.9,408.0,M,47.5,M,0.0,0*5B
//!     0.337 s  GGA  latitude 47.3769  longitude 8.5417  height 455.5  altitude 408  satellites 9  fix_quality 1
//!     ..
//! GGA: 19 messages, 5.02 Hz, jitter 14.7 ms (latitude, longitude, height, altitude, satellites, fix_quality)
//! link up: 2812 bytes, 57 messages, 0 dropped, 0 missing, 0 duplicates, 0 garbage, 0 restarts
//!
//! for `sensors: [..]` of a scene:
//! (name: "gnss", rate_hz: 5.02, kind: Gnss(), source: Driver("serial", (port: "/dev/ttyUSB0", baud: 9600, protocol: Nmea, message: "fix"))),
//! // the world of the scene needs the place of its zero: origin: (latitude_deg: .., longitude_deg: ..)
//! ```
//!
//! | driver | address |
//! |---|---|
//! | serial ports, TCP | `serial:/dev/ttyUSB0?baud=9600&protocol=nmea`, `serial:usb:2341:0043?..`, `serial:tcp://host:port?..` |
//! | datagrams | `udp:5005` shows all senders; `udp:5005?sensor=rover/imu` with `--kind 'Imu()'` the readings of one |
//! | files | `file:tank.jsonl` shows lines as they are appended, `file:tank.jsonl?follow=false` what is in it |
//! | programs | `process:./probe --fast` |
//! | web servers | `http://127.0.0.1:8080/state?every_s=2`, `ws://127.0.0.1:9090/` |
//! | cameras (feature `camera`) | `camera:http://127.0.0.1:8080/stream.mjpg` |
//! | any other | `DRIVER:ADDRESS?OPTION=VALUE`, or as in a scene: `DRIVER(OPTION: VALUE, ..)` |
//!
//! A kind of sensor is proposed where a message has all of its numbers, else `Values` with the names that the device
//! uses. `--json` prints an object a line for other programs; `--duration 5s` ends by itself, with exit status 1 if
//! nothing was decoded.
//!
//! # From a program
//!
//! [`inputs`](crate::inputs) has names for all of these, without a scene file: `MicrophoneInput`, `CameraInput`, `TextInput`,
//! `SensorInput`, `SpeakerOutput`, `DisplayOutput`, `TextOutput`, `SerialBridge`, `MqttBridge`, `BluetoothBridge`,
//! `HttpBridge`, `WebSocketBridge`, `FileBridge`, `ProcessBridge`.
//!
//! ```no_run
//! use becomingone::inputs::{MicrophoneInput, SerialBridge};
//! use becomingone::prelude::*;
//!
//! let mut engine = CoherenceEngine::new();
//! let arduino = SerialBridge::new("/dev/ttyUSB0").with("baud: 115200, protocol: JsonLines");
//! engine.add_input(MicrophoneInput::new())?.add_input(arduino.reads("range", RangeFinder::default(), 20.0))?;
//! engine.run()?;
//! # Ok::<(), EngineError>(())
//! ```
//!
//! # What does this machine lack?
//!
//! ```text
//! becomingone doctor
//! ```
//!
//! Each line is `ok`, `missing` or `optional`, with what it is for and what to type: permission for serial ports, system
//! libraries of optional features, a viewer of the right version, real-time priority.
//!
//! # Motors
//!
//! ```ron
//! drive_source: Driver("serial", (port: "/dev/ttyACM0", baud: 115200, track_m: 0.3, protocol: JsonLines))
//! ```
//!
//! Commands are computed and not sent until the run is armed: `becomingone run scene.ron --arm`. At a time-out of the
//! link, of a sensor or of the controller, while the run is paused, at a reset and at the end, the drive gets its safe
//! command. `drive_rate_hz: 1000.0` sends up to a thousand commands a second; without it, a hundred.
//!
//! # Ticks in time
//!
//! `becomingone run scene.ron --rt` asks the system to prefer the thread of the ticks: `SCHED_FIFO`, one CPU, locked
//! memory; it says what was refused, and `becomingone doctor` how to allow it. The summary of every paced run has how late
//! ticks began and how long they took. With a device on a pseudo-terminal that sends a thousand readings a second and
//! takes a command for each tick, beside a simulated rover with lidar and IMU
//! (`cargo run --release -p becomingone --example hardware_in_the_loop -- 15 [--rt] [--busy]`, us):
//!
//! | p50, p99, max | ticks begin late | ticks take | reading to command | ticks late by more than one |
//! |---|---|---|---|---|
//! | idle | 92, 225, 4014 | 42, 227, 811 | 307, 651, 4489 | 28 of 15000 |
//! | idle, `--rt` | 37, 139, 3260 | 44, 200, 1012 | 287, 942, 7274 | 12 of 15000 |
//! | two threads that compute | 78, 3228, 14287 | 35, 1352, 5079 | 954, 2671, 952107 | 650 of 15000 |
//! | the same, `--rt` | 28, 165, 10027 | 20, 196, 3146 | 1065, 7340, 206569 | 34 of 15000 |
//!
//! One run of 15 s each, on a virtual machine of 2 cores whose kernel is no real-time one. Where both cores compute,
//! `--rt` keeps the ticks in time, and no more than them: the threads of the links, and the device of the example, are
//! ordinary ones and wait for a core.
//!
//! # A driver of your own
//!
//! ```text
//! becomingone new plugin my_lidar
//! cd my_lidar
//! cargo test --release
//! ```
//!
//! `--becomingone PATH` names the engine's source tree if this program is not in it. The crate is whole and tested: lines
//! of numbers over TCP, both ways. Change it from the outside in:
//!
//! 1. `src/protocol.rs`: bytes to numbers and back. No I/O: its tests cut the bytes anywhere and feed it garbage.
//! 2. `src/driver.rs`: the options in a scene (`Config`), the resource that they share (`port`), and `serve`: connect,
//!    stamp at capture, push, until cancelled. An error ends it, and it is called again after a pause. Its tests run
//!    `scene.ron` against a device of their own.
//! 3. `src/lib.rs`: one line registers the driver:
//!
//! ```
//! # use becomingone::prelude::*;
//! # struct MyPlugin;
//! # struct MyPluginKind;
//! # impl DriverKind for MyPluginKind {
//! #     fn name(&self) -> &'static str { "my_plugin" }
//! #     fn about(&self) -> &'static str { "" }
//! #     fn port(&self, _: &str, _: Endpoint<'_>) -> Result<String, ConfigError> { Ok(String::new()) }
//! #     fn open(&self, _: &str, _: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> { Err(String::new()) }
//! # }
//! impl Plugin for MyPlugin {
//!     fn build(&self, app: &mut App) {
//!         app.register_driver(MyPluginKind);
//!     }
//! }
//! # assert!(becomingone::CoherenceEngine::builder().add_plugin(MyPlugin).kinds().drivers.contains_key("my_plugin"));
//! ```
//!
//! Everything else follows: `probe my_lidar:ADDRESS` works because the driver calls
//! [`SensorEnd::observe`](crate::systems::links::SensorEnd::observe) and names its
//! [`address_key`](crate::systems::links::DriverKind::address_key); `list drivers`, `check`, recording, replay and the
//! safe command need nothing from it.
//!
//! # A robot of your own
//!
//! ```text
//! becomingone new robot my_rover
//! cd my_rover
//! cargo run --release -- run scene.ron
//! ```
//!
//! `scene.ron` has the world, the model and the sensors; `src/main.rs` is the whole command line of `becomingone` with
//! one system of your own, and a test that it drives without a collision. A plugin is added to it by its path in
//! `Cargo.toml`, and one call: `Cli::new().add_plugin(MyRobot).add_plugin(my_lidar::MyLidar).main()`.
//! [`add_a_sensor`](super::add_a_sensor) goes on with sensors, controllers and faults of your own.
