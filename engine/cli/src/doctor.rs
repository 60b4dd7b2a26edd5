//! `becomingone doctor`: what this machine lacks, why it matters, and what to type.

mod device;
mod finding;
mod library;
mod limits;
mod program;

use crate::exit::Exit;
use crate::failure::Failure;
use becomingone::Plugins;
use clap::Args;

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone doctor
  becomingone doctor --json

Exit status: 0 nothing that this program needs is missing (optional parts may be), 1 something is.";

/// Arguments of `doctor`.
#[derive(Args)]
pub(crate) struct Doctor {
    /// Print JSON, an object a line.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        let kinds = plugins.kinds();
        let mut findings = program::drivers(&kinds);
        findings.extend(device::serial(&kinds));
        findings.extend(library::features(&kinds));
        findings.extend(program::viewer());
        findings.push(program::broker());
        findings.extend(limits::real_time());
        for finding in &findings {
            match self.json {
                true => {
                    let text = serde_json::to_string(finding);
                    print_out!("{}", text.map_err(|e| Failure::Run(e.to_string()))?);
                }
                false => finding.print(),
            }
        }
        let missing = findings.iter().filter(|f| !f.is_ok && f.is_needed).count();
        let optional = findings.iter().filter(|f| !f.is_ok && !f.is_needed).count();
        if !self.json {
            print_out!("{missing} missing, {optional} optional");
        }
        Ok(Exit::from(u8::from(missing > 0)))
    }
}
