//! The arguments of the program.

#[cfg(feature = "replay")]
use crate::analyze;
#[cfg(feature = "parquet")]
use crate::sweep;
use crate::{calibrate, check, doctor, inspect, list, new, probe, run, score};
#[cfg(feature = "record")]
use crate::{info, replay};
#[cfg(feature = "api")]
use crate::{mcp, serve, top};
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
    /// Run a scene many times, with other seeds and values, and write the summaries as a table (Parquet).
    #[cfg(feature = "parquet")]
    #[command(after_help = sweep::EXAMPLES)]
    Sweep(sweep::Sweep),
    /// List scenes, models, kinds, drivers, devices, or the systems of a tick.
    List(list::List),
    /// Show what a device, file, program or server sends, and print the scene line that takes it.
    #[command(after_help = probe::EXAMPLES)]
    Probe(probe::ProbeArgs),
    /// Check what this machine lacks: permissions, libraries, devices, a viewer; each with what to type.
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::Doctor),
    /// Write a crate with a driver of your own, or a project with a robot.
    #[command(after_help = new::EXAMPLES)]
    New(new::New),
    /// Serve without a run: scenes are listed, checked, started and ended over the API; each run is a process of its own.
    #[cfg(feature = "api")]
    #[command(after_help = serve::EXAMPLES)]
    Serve(serve::Serve),
    /// Serve the Model Context Protocol at standard input and output: for a run that serves, or for runs that it starts.
    #[cfg(feature = "api")]
    #[command(after_help = mcp::EXAMPLES)]
    Mcp(mcp::Mcp),
    /// Show a run that serves (`run --serve`): agents, alarms, sensors, again and again.
    #[cfg(feature = "api")]
    #[command(after_help = top::EXAMPLES)]
    Top(top::Top),
}
