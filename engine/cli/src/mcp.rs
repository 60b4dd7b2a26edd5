//! `becomingone mcp`: the Model Context Protocol at standard input and output.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::found::choose;
use crate::output::program_path;
use becomingone_api::{Api, Client, HubOptions, Serving, Tokens, serve_mcp};
use clap::Args;
use std::path::PathBuf;

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone mcp
  becomingone mcp --at http://127.0.0.1:8421
  becomingone mcp scenes/

In the file of a client:
  Claude Desktop, Cursor  {\"mcpServers\": {\"robot\": {\"command\": \"becomingone\", \"args\": [\"mcp\"]}}}
  nanobot                 {\"tools\": {\"mcpServers\": {\"robot\": {\"command\": \"becomingone\", \"args\": [\"mcp\"]}}}}
  OpenClaw                {\"mcp\": {\"servers\": {\"robot\": {\"command\": \"becomingone\", \"args\": [\"mcp\"]}}}}

Exit status: 0 the client closed its side, 1 the server failed, 2 bad input.";

/// Arguments of `mcp`.
#[derive(Args)]
pub(crate) struct Mcp {
    /// Folder with scenes (.ron) that may be run, beside the built-in ones; runs are then hosted here, none is looked for.
    scenes: Option<PathBuf>,
    /// Address of the server [default: the only one of this user, else one that starts runs itself].
    #[arg(long, value_name = "URL", conflicts_with = "scenes")]
    at: Option<String>,
    /// Folder for the recordings of runs that are started here.
    #[arg(long, value_name = "FOLDER", default_value = "recordings")]
    recordings: PathBuf,
}

impl Mcp {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let found = match self.scenes {
            Some(_) => None,
            None => choose(self.at.as_deref())?,
        };
        let (client, hub) = match found {
            Some(run) => (Client::of(&run).map_err(Failure::BadInput)?, None),
            None => {
                let (client, hub) = self.host()?;
                (client, Some(hub))
            }
        };
        // Standard output is the client's.
        log::info!("mcp: asks {}", client.url());
        let served = serve_mcp(client).map_err(Failure::Run);
        // Its runs close their recordings.
        drop(hub);
        served.map(|()| Exit::SUCCESS)
    }

    /// A server of runs, for this process alone.
    fn host(&self) -> Result<(Client, Serving), Failure> {
        let program = program_path();
        let options = HubOptions {
            program: program.map_err(|e| Failure::Run(format!("this program: {e}")))?,
            scenes: self.scenes.clone(),
            recordings: self.recordings.clone(),
            allow_sources: false,
            arm: false,
            memory_bytes: None,
            cpu_s: None,
            most_runs: 4,
        };
        let (token, tokens) = Tokens::random().map_err(Failure::Run)?;
        let serving = Api::new().port(0).tokens(tokens).start_hub(options);
        let serving = serving.map_err(|e| Failure::BadInput(format!("mcp: {e}")))?;
        Ok((Client::new(serving.url(), &token), serving))
    }
}
