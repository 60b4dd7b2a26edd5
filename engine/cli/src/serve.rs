//! Servers: of a run (`run --serve`), and of several (`serve`).

use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::program_path;
use crate::show::Viewer;
use becomingone::CoherenceEngine;
use becomingone_api::{Api, ApiError, Client, HubOptions, Serving, Tokens};
use clap::Args;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone serve
  becomingone serve scenes/ --recordings runs/ --limit-memory 2000000000
  curl -H \"Authorization: Bearer $TOKEN\" http://127.0.0.1:8420/v1/scenes
  curl -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\
      -d '{\"scene\": \"robot\"}' http://127.0.0.1:8420/v1/runs

Each run is a process of its own and is recorded. Ctrl-C and SIGTERM close the recordings and end all.

Exit status: 0 ended, 1 the server failed, 2 bad input, as a port that is taken.";

/// Where a server is, and who may ask it.
#[derive(Args)]
pub(crate) struct AddressArgs {
    /// Serve on this address; one that other machines reach needs --tls-cert and --tls-key.
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<IpAddr>,
    /// File with the token of the owner, or with lines of a role (viewer, operator, owner) and a token
    /// [default: that of the environment (`BECOMINGONE_TOKEN`), else a file of this user, which is made].
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates of the server (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Their private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

impl AddressArgs {
    /// The first flag that was given.
    fn given(&self) -> Option<&'static str> {
        [
            ("--bind", self.bind.is_some()),
            ("--token-file", self.token_file.is_some()),
            ("--tls-cert", self.tls_cert.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, is_given)| is_given.then_some(flag))
    }

    fn api(&self, port: Option<u16>) -> Result<Api, Failure> {
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
        Ok(api)
    }
}

/// A server that does not start.
fn failure(of: &str, error: &ApiError) -> Failure {
    match error {
        ApiError::Thread(_) | ApiError::Router(_) => Failure::Run(error.to_string()),
        _ => Failure::BadInput(format!("{of}: {error}")),
    }
}

/// Where a server is found.
pub(crate) fn print_address(serving: &Serving) {
    print_out!("page: {}", serving.page());
    if let Some(file) = serving.token_file() {
        print_out!("token: in {}", file.display());
    }
}

#[derive(Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServeArgs {
    /// Serve a page, REST, a WebSocket, gRPC, MCP and Foxglove's live protocol on this port of this machine
    /// [default: 8420]. Runs in real time by default.
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true)]
    serve: Option<Option<u16>>,
    #[command(flatten)]
    address: AddressArgs,
}

impl ServeArgs {
    /// Whether there is a server.
    pub(crate) fn is_on(&self) -> bool {
        self.serve.is_some()
    }

    /// Opens the socket, if there is a server: one that is needed, and not asked for, on a port that is free.
    pub(crate) fn listen(&self, is_needed: bool) -> Result<Option<Api>, Failure> {
        match (self.serve, self.address.given()) {
            (None, None) if is_needed => {
                let api = self.address.api(Some(0))?.listen();
                api.map(Some).map_err(|e| failure("--assistant", &e))
            }
            (None, None) => Ok(None),
            (None, Some(flag)) => Err(Failure::BadInput(format!(
                "found {flag} without a server; expected --serve with it"
            ))),
            (Some(port), _) => {
                let api = self.address.api(port)?.listen();
                api.map(Some).map_err(|e| failure("--serve", &e))
            }
        }
    }

    /// Starts the server of an engine that has not started, and a page of its viewer.
    pub(crate) fn start(
        api: Option<Api>,
        engine: &mut CoherenceEngine,
        recording: Option<&Path>,
        viewer: &mut Viewer,
    ) -> Result<Option<Serving>, Failure> {
        let Some(mut api) = api else {
            return Ok(None);
        };
        if let Some(recording) = recording {
            api = api.recording(recording);
        }
        viewer.open_page();
        if let Some(address) = viewer.served() {
            api = api.viewer(address, viewer.page().map(str::to_owned));
        }
        let serving = api.start(engine);
        serving.map(Some).map_err(|e| failure("--serve", &e))
    }
}

/// Arguments of `serve`.
#[derive(Args)]
pub(crate) struct Serve {
    /// Folder with scenes (.ron) that may be run, beside the built-in ones.
    scenes: Option<PathBuf>,
    /// Port of this machine; 0 for one that is free.
    #[arg(long, default_value_t = becomingone_api::PORT)]
    port: u16,
    #[command(flatten)]
    address: AddressArgs,
    /// Folder for the recordings of the runs.
    #[arg(long, value_name = "FOLDER", default_value = "recordings")]
    recordings: PathBuf,
    /// Arm hardware actuators of the runs: without this, commands are computed and not sent.
    #[arg(long)]
    arm: bool,
    /// Let scenes that come over the network use drivers, which may run programs and reach other machines, and read any file
    /// of this user.
    #[arg(long)]
    allow_sources: bool,
    /// Most runs at once.
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    most_runs: usize,
    /// Most address space of a run (bytes).
    #[arg(long, value_name = "BYTES")]
    limit_memory: Option<u64>,
    /// Most processor time of a run (s).
    #[arg(long, value_name = "SECONDS")]
    limit_cpu: Option<u64>,
}

impl Serve {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let interrupt = Interrupt::install()?;
        let serving = self.start()?;
        let (ended, is_ended) = std::sync::mpsc::channel();
        interrupt.on_first(move || {
            // The receiver is there until the end.
            let _ = ended.send(());
        });
        print_address(&serving);
        let limit = |what: &str, limit: Option<u64>, unit: &str| match limit {
            Some(limit) => print_out!("limit of a run: {limit} {unit} of {what}"),
            None => print_out!("limit of a run: none of {what}"),
        };
        limit("memory", self.limit_memory, "bytes");
        limit("processor time", self.limit_cpu, "s");
        let _ = is_ended.recv();
        drop(serving);
        Ok(Exit::SUCCESS)
    }

    fn start(&self) -> Result<Serving, Failure> {
        let program = program_path();
        let options = HubOptions {
            program: program.map_err(|e| Failure::Run(format!("this program: {e}")))?,
            scenes: self.scenes.clone(),
            recordings: self.recordings.clone(),
            allow_sources: self.allow_sources,
            arm: self.arm,
            memory_bytes: self.limit_memory,
            cpu_s: self.limit_cpu,
            most_runs: self.most_runs,
        };
        let api = self.address.api(Some(self.port))?;
        api.start_hub(options).map_err(|e| failure("serve", &e))
    }
}

/// A server of runs for this process alone, and a client of it. `of` is the command.
pub(crate) fn host(
    of: &str,
    scenes: Option<PathBuf>,
    recordings: PathBuf,
) -> Result<(Client, Serving), Failure> {
    let program = program_path();
    let options = HubOptions {
        program: program.map_err(|e| Failure::Run(format!("this program: {e}")))?,
        scenes,
        recordings,
        allow_sources: false,
        arm: false,
        memory_bytes: None,
        cpu_s: None,
        most_runs: 4,
    };
    let (token, tokens) = Tokens::random().map_err(Failure::Run)?;
    let serving = Api::new().port(0).tokens(tokens).start_hub(options);
    let serving = serving.map_err(|e| failure(of, &e))?;
    Ok((Client::new(serving.url(), &token), serving))
}
