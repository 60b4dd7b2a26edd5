//! The arguments of the program.

#[cfg(feature = "replay")]
use crate::analyze;
use crate::{calibrate, check, inspect, list, run, score};
#[cfg(feature = "record")]
use crate::{info, replay};
use clap::{Parser, Subcommand};

/// Runs robots and vehicles from scene files.
#[derive(Parser)]
#[command(name = "becomingone", version, about, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Run a scene (a file, or a built-in one by name), or a robot on a plane.
    #[command(after_help = run::EXAMPLES)]
    Run(run::Run),
    /// Show the contents of a recording: scene, topics, length, how it ended.
    #[cfg(feature = "record")]
    Info(info::InfoArgs),
    /// Simulate a recorded run again, from its file alone.
    #[cfg(feature = "record")]
    #[command(after_help = replay::EXAMPLES)]
    Replay(replay::Replay),
    /// Check scenes and robot descriptions, and report errors with their place.
    Check(check::Check),
    /// Show the contents of a robot description: links, joints, masses, limits, missing files.
    Inspect(inspect::Inspect),
    /// Detect anomalies in a table or recording, by what its first rows or healthy files are like.
    #[cfg(feature = "replay")]
    #[command(after_help = analyze::EXAMPLES)]
    Analyze(analyze::Analyze),
    /// Calibrate alarm thresholds on healthy runs of a scene, with a bound on the false-alarm rate.
    #[command(after_help = calibrate::EXAMPLES)]
    Calibrate(calibrate::Calibrate),
    /// Inject faults into runs of a scene, and measure detection, delay, isolation and false alarms.
    #[command(after_help = score::EXAMPLES)]
    Score(score::Score),
    /// List scenes, models, drivers, or the systems of a tick.
    List(list::List),
}
