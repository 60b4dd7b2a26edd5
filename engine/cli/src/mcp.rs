//! `becomingone mcp`: the Model Context Protocol at standard input and output.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::found::choose;
use crate::serve::host;
use becomingone_api::{Client, serve_mcp};
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
        let found = match &self.scenes {
            Some(_) => None,
            None => choose(self.at.as_deref())?,
        };
        let (client, hub) = match found {
            Some(run) => (Client::of(&run).map_err(Failure::BadInput)?, None),
            None => {
                let (client, hub) = host("mcp", self.scenes, self.recordings)?;
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
}
