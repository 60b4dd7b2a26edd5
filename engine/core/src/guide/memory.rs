//! Memory that survives runs, and a Master of minutes to hours.
//!
//! # How does a robot recognise an event of its last run?
//!
//! With `--memory FILE`, agents start with the events that they remember of earlier runs:
//!
//! ```text
//! becomingone run robot --memory robot.memory
//! becomingone run robot --memory robot.memory
//! ```
//!
//! The first run creates the file, the second one reads it. An event of the second run that is like one of the first is
//! recalled (`EventRecalled`), named by the run and the time at which it happened: `this looks like run 1, 00:31.2 goal 3
//! reached (97 %)`. The summary says how many memories there were at the start and how many are kept.
//!
//! What is kept are the events of BLEND, the event memory with decay and recall, of each agent by its name: what
//! happened, when, where, the signature of the coherence then, and the strength. Between two runs nothing fades, as
//! time is simulated time. Agents that are not in the scene keep what they have in the file.
//!
//! The file stays small however many runs there are: at its end, a run merges the weakest memories of each octave of
//! age (up to two windows of the Master, up to four, up to eight, ..) until at most four are left in each
//! ([`AgeOctaves`](crate::kernel::AgeOctaves)). A memory that stands for several events has the strength that one of them
//! at least is remembered. An agent has 64 memories at most, which are some 32 kB.
//!
//! The file is replaced as a whole when the run has ended, also by Ctrl-C: a program that is killed leaves the old file. A
//! run that fails leaves it too. Of two runs at once with the same file, the last to end replaces what the other wrote,
//! and says so. A file that is no memory, of another version, cut or changed is refused with the byte at which it is
//! wrong, and is not replaced:
//!
//! ```text
//! error: --memory robot.memory: byte 1000: found the end of the file; expected 2312 bytes, as the header says: the
//! file was cut; give another name for a new memory
//! ```
//!
//! A recording (`--record`) holds the memory from which its run started, so `replay --verify` needs no file and does not
//! look at one; the memory is part of the state hash. In code:
//!
//! ```
//! use becomingone::CoherenceEngine;
//!
//! let mut first = CoherenceEngine::from_scene("built-in/scenes/bare_kernel.ron")?;
//! first.run()?;
//! // The tone locked, and that is remembered.
//! let mut second = CoherenceEngine::from_scene("built-in/scenes/bare_kernel.ron")?;
//! let summary = second.set_memory(first.memory()).run()?;
//! let memory = summary.memory.unwrap_or_default();
//! assert_eq!(memory.runs, 1);
//! assert!(memory.restored >= 1);
//! # Ok::<(), becomingone::EngineError>(())
//! ```
//!
//! [`MemoryFile`](crate::MemoryFile) reads and replaces the file.
//!
//! # How is a rhythm watched that takes minutes or hours?
//!
//! The Master is as a rule a longer window over the lags of the Emissary: 1, 2 and 4 kernel ticks. It says whether the
//! rhythm of these lags is that of the last minute, and nothing about what recurs every twenty minutes. With
//!
//! ```ron
//! coherence: Kernel(rate_hz: 1, emissary_window_s: 120, master_window_s: 600,
//!     master: Pyramid(from_s: 240, to_s: 3600)),
//! ```
//!
//! its lags are 240 s, 480 s, 960 s and 1920 s, each twice the one before, up to `to_s`, by a pyramid of octaves ([`Pyramid`](crate::kernel::Pyramid),
//! [`Band`](crate::kernel::Band)); its order is the mean of |T|² over them. It has a value once the longest lag has:
//! after about twice that lag. `becomingone run slow_machine` shows it: a pump with a cycle of twenty minutes, one whose cycle
//! becomes shorter over six hours, and noise; T of the first is that of a tone, e^(i 2 pi f tau).
//!
//! Choose it for machines that change over minutes to hours. It costs 26 products a channel at each kernel tick in place of
//! 3, and 0.2 MB an agent, so robots at 50 Hz stay with the default.
