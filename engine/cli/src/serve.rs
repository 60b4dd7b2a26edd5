//! `run --serve`: the server of a run.

use crate::failure::Failure;
use becomingone::CoherenceEngine;
use becomingone_api::{Api, ApiError, Serving, Tokens};
use clap::Args;
use std::net::IpAddr;
use std::path::PathBuf;

#[derive(Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServeArgs {
    /// Serve a page, REST and a WebSocket on this port of this machine [default: 8420]. Runs in real time by default.
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true)]
    serve: Option<Option<u16>>,
    /// Serve on this address; one that other machines reach needs --tls-cert and --tls-key.
    #[arg(long, value_name = "ADDRESS", requires = "serve")]
    bind: Option<IpAddr>,
    /// File with the token of the owner, or with lines of a role (viewer, operator, owner) and a token
    /// [default: that of the environment (`BECOMINGONE_TOKEN`), else a file of this user, which is made].
    #[arg(long, value_name = "FILE", requires = "serve")]
    token_file: Option<PathBuf>,
    /// Certificates of the server (PEM).
    #[arg(long, value_name = "FILE", requires_all = ["serve", "tls_key"])]
    tls_cert: Option<PathBuf>,
    /// Their private key (PEM).
    #[arg(long, value_name = "FILE", requires_all = ["serve", "tls_cert"])]
    tls_key: Option<PathBuf>,
}

impl ServeArgs {
    /// Whether there is a server.
    pub(crate) fn is_on(&self) -> bool {
        self.serve.is_some()
    }

    /// Starts the server of an engine that has not started.
    pub(crate) fn start(&self, engine: &mut CoherenceEngine) -> Result<Option<Serving>, Failure> {
        let Some(port) = self.serve else {
            return Ok(None);
        };
        let mut api = Api::new();
        if let Some(port) = port {
            api = api.port(port);
        }
        if let Some(address) = self.bind {
            api = api.bind(address);
        }
        if let Some((certificates, key)) = self.tls_cert.as_ref().zip(self.tls_key.as_ref()) {
            api = api.tls(certificates, key);
        }
        if let Some(file) = &self.token_file {
            let tokens = Tokens::read(file);
            api = api.tokens(tokens.map_err(|e| Failure::BadInput(format!("--token-file: {e}")))?);
        }
        let serving = api.start(engine).map_err(|error| match error {
            ApiError::Thread(_) => Failure::Run(error.to_string()),
            _ => Failure::BadInput(format!("--serve: {error}")),
        })?;
        Ok(Some(serving))
    }
}
