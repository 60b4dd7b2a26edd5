//! Memory across runs, and a Master of minutes to hours.
//!
//! *How does a robot recognise an event of an earlier run? How do I monitor a rhythm of minutes or hours?*
//!
//! # How does a robot recognise an event of an earlier run?
//!
//! Give both runs the same file:
//!
//! ```text
//! becomingone run robot --memory robot.memory
//! becomingone run robot --memory robot.memory
//! ```
//!
//! The first run creates the file, the second one restores the memories of each agent from it. If an event of the
//! second run is similar to one of the first, it is recalled (`EventRecalled`) with the run and time of the earlier
//! one: `similar to run 1, 00:31.2 goal 3 reached (97 %)`. The summary has the numbers of memories restored and
//! kept.
//!
//! The file contains the events of BLEND, the event memory with decay and recall, by the name of the agent:
//! description, time, position, coherence signature and strength. Memories decay in simulated time, so not between
//! runs. Those of agents that are not in the scene are kept.
//!
//! The size of the file is bounded for any number of runs: at its end, a run merges the weakest memories of each octave
//! of age (up to two windows of the Master, up to four, up to eight, ..) until at most four are left in each
//! ([`AgeOctaves`](crate::kernel::AgeOctaves)). The strength of a merged memory is the probability that at least one of
//! its events is remembered. An agent has at most 64 memories, some 32 kB.
//!
//! The file is replaced as a whole at the end of the run, also after Ctrl-C; if the run fails or the program is killed,
//! the old file remains. If two runs use one file at the same time, the last to end overwrites the memories of the
//! other, with a warning. A file that is truncated, corrupt, of another version or not a memory file is rejected with
//! the offset of the error, and is not replaced:
//!
//! ```text
//! error: --memory robot.memory: byte 1000: found the end of the file; expected 2312 bytes by the header: the file
//! is truncated; give another name for a new memory
//! ```
//!
//! A recording (`--record`) contains the memory from which its run started, so `replay --verify` needs no memory file;
//! the memory is part of the state hash. In code:
//!
//! ```
//! use becomingone::CoherenceEngine;
//!
//! let mut first = CoherenceEngine::from_scene("built-in/scenes/bare_kernel.ron")?;
//! first.run()?;
//! // The tone locked, and the event is remembered.
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
//! # How do I monitor a rhythm of minutes or hours?
//!
//! Use a Master with a pyramid of octaves:
//!
//! ```ron
//! coherence: Kernel(rate_hz: 1, emissary_window_s: 120, master_window_s: 600,
//!     master: Pyramid(from_s: 240, to_s: 3600)),
//! ```
//!
//! Its lags are 240 s, 480 s, 960 s and 1920 s, doubling up to `to_s` ([`Pyramid`](crate::kernel::Pyramid),
//! [`Band`](crate::kernel::Band)); its order is the mean of |T|² over them. The first value needs about twice the
//! longest lag.
//!
//! ```text
//! becomingone run slow_machine
//! ```
//!
//! shows three machines: a cycle of twenty minutes, one that becomes shorter over six hours, and noise. T of the first
//! is that of a tone, e^(i 2 pi f tau).
//!
//! By default, the Master is a longer window over the lags of the Emissary: 1, 2 and 4 kernel ticks. It compares the
//! rhythm at these lags over the last minute, and does not measure a cycle of twenty minutes.
//!
//! Use the pyramid for machines that change over minutes to hours. It costs 26 products per channel and kernel tick
//! instead of 3, and 0.2 MB per agent, so the default is better for robots at 50 Hz.
