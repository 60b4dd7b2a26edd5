//! A running engine can be asked and told: REST, a WebSocket, gRPC, MCP and a page, behind one token and one lease.
//!
//! ```no_run
//! use becomingone::CoherenceEngine;
//! use becomingone_api::Api;
//!
//! let mut engine = CoherenceEngine::from_scene("rover.ron")?;
//! let serving = Api::new().start(&mut engine)?;
//! println!("open {}", serving.page());
//! engine.run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - `gate`, `token`: who may ask, who may tell. `lease`: who may move an agent. `idempotency`: requests sent again.
//! - `ledger`: requests on the disk.
//! - `watches`: what is looked at in each tick, and reported when it happens.
//! - `interest`, `view`: what is copied from a tick. `command`: what is given to the next one.
//! - `routes`: `/v1`, its description as `OpenAPI`, the page. `stream`: the WebSocket. `problem`, `extract`: errors.
//! - `ask`, `question`: the resources, asked from within, by `grpc` and `mcp`. `client`: asked from another process.
//! - `companion`: an assistant beside the run.
//! - `live`: the messages of a recording, as they come. `foxglove`: its live protocol.
//! - `hub`: several runs, each a process of its own.
//! - `names`: the concept's. `server`, `connections`: sockets and limits. `place`: where a run is found.
//!
//! The crate's README has all addresses, and what a client may rely on.

mod ask;
mod client;
mod command;
mod companion;
mod connections;
mod extract;
mod foxglove;
mod gate;
mod grpc;
mod hub;
mod idempotency;
mod interest;
mod lease;
mod ledger;
mod live;
mod mcp;
mod names;
mod place;
mod playback;
mod problem;
mod question;
mod routes;
mod selection;
mod server;
mod stream;
mod token;
mod view;
mod watches;

pub use client::Client;
pub use companion::{Companion, Companions, Refused, Said};
pub use hub::HubOptions;
pub use lease::{Granted, Shown, Wanted};
pub use ledger::{Acknowledged, acknowledged, requests_file};
pub use mcp::{ToolAnswer, Tools};
pub use names::{grpc_api, mcp_server, rest_api, websocket_api};
pub use place::{Found, PARENT_VARIABLE, RUN_VARIABLE, folder, found};
pub use playback::Playback;
pub use problem::Problem;
pub use question::part;
pub use token::{Role, TOKEN_VARIABLE, Tokens};
pub use view::{EventView, MountView, PlaceView, RaysView, SensorKindView, SensorView};

use axum::Router;
use becomingone::CoherenceEngine;
use becomingone::components::scene::LoadedScene;
use becomingone_record::Live;
use command::{CommandPlugin, Commands};
use connections::Connections;
use gate::Gate;
use hub::Hub;
use ledger::Ledger;
use live::{Channels, Shows};
use place::Place;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use server::{Server, Viewer};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use view::{Board, ViewPlugin};

/// The port where nothing else is asked for.
pub const PORT: u16 = 8420;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The address is taken, or is none of this machine.
    #[error("cannot listen on {address}: {error}{}", next(*.free))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
        /// A port that is free.
        free: Option<u16>,
    },
    /// Others may reach the address, and connections would not be encrypted.
    #[error(
        "{0}: found an address that other machines reach, without TLS; expected a certificate and its key (--tls-cert, --tls-key), or 127.0.0.1"
    )]
    NotEncrypted(IpAddr),
    /// Certificate or key.
    #[error("{file}: {what}")]
    Tls {
        /// The file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// Token, or the file of it.
    #[error("{0}")]
    Token(String),
    /// The file of the requests.
    #[error("{}: {error}", .file.display())]
    Requests {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// What the server answers.
    #[error("cannot describe the server: {0}")]
    Router(String),
    /// A thread or the runtime.
    #[error("cannot start the server: {0}")]
    Thread(std::io::Error),
}

fn next(free: Option<u16>) -> String {
    free.map_or_else(String::new, |port| format!("; port {port} is free"))
}

/// A server of a run, before its start: on this machine alone, at port 8420, with the token of this user.
#[derive(Clone, Debug)]
pub struct Api {
    address: SocketAddr,
    tokens: Option<Tokens>,
    tls: Option<(PathBuf, PathBuf)>,
    folder: Option<PathBuf>,
    recording: Option<PathBuf>,
    viewer: Viewer,
    playback: Option<Playback>,
    /// The socket, where it is open already.
    listener: Option<Arc<TcpListener>>,
}

impl Default for Api {
    fn default() -> Self {
        Self::new()
    }
}

impl Api {
    /// The server with its defaults.
    pub fn new() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            tokens: None,
            tls: None,
            folder: None,
            recording: None,
            viewer: Viewer::default(),
            playback: None,
            listener: None,
        }
    }

    /// Another port; 0 for one that is free.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// Another address. One that other machines reach needs [`tls`](Self::tls).
    #[must_use]
    pub fn bind(mut self, address: IpAddr) -> Self {
        self.address.set_ip(address);
        self
    }

    /// Other tokens than that of this user.
    #[must_use]
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Encrypted connections: files of the certificates and of their key (PEM).
    #[must_use]
    pub fn tls(mut self, certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some((certificates.into(), key.into()));
        self
    }

    /// Another folder for the token and for the file by which the run is found than that of this user.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// The recording of the run: requests are kept beside it, on the disk before they are acknowledged.
    #[must_use]
    pub fn recording(mut self, file: impl Into<PathBuf>) -> Self {
        self.recording = Some(file.into());
        self
    }

    /// Names the Rerun server of the run: the address to which viewers connect, and that of a web page which is such a
    /// viewer, if there is one.
    #[must_use]
    pub fn viewer(mut self, address: impl Into<String>, page: Option<String>) -> Self {
        self.viewer = Viewer {
            address: Some(address.into()),
            page,
        };
        self
    }

    /// Says that the run is a recording that is played: clients send it to other times, and tell agents nothing.
    #[must_use]
    pub fn playback(mut self, playback: Playback) -> Self {
        self.playback = Some(playback);
        self
    }

    /// Opens the socket now: what else is begun for the run, such as a recording that replaces an older one, is begun after
    /// that.
    ///
    /// # Errors
    ///
    /// [`ApiError`]: a port that is taken names one that is free.
    pub fn listen(mut self) -> Result<Self, ApiError> {
        self.may_listen()?;
        self.listener = Some(Arc::new(listen(self.address)?));
        Ok(self)
    }

    fn may_listen(&self) -> Result<(), ApiError> {
        let ip = self.address.ip();
        match ip.is_loopback() || self.tls.is_some() {
            true => Ok(()),
            false => Err(ApiError::NotEncrypted(ip)),
        }
    }

    /// Begins to serve an engine that has not started.
    ///
    /// # Errors
    ///
    /// [`ApiError`]: a port that is taken names one that is free.
    pub fn start(self, engine: &mut CoherenceEngine) -> Result<Serving, ApiError> {
        let (viewer, recording) = (self.viewer.clone(), self.recording.clone());
        let playback = self.playback.clone();
        let opened = self.open()?;
        // After all that may fail for another reason: an older file is replaced.
        let ledger = recording.map(|recording| {
            let file = requests_file(&recording);
            Ledger::create(&file).map_err(|error| ApiError::Requests { file, error })
        });
        let ledger = ledger.transpose()?;
        let board = Board::default();
        let commands = Commands::default();
        engine.add_plugin(ViewPlugin(board.clone()));
        engine.add_plugin(CommandPlugin(commands.clone()));
        let channels = Channels::new();
        let (live, plugin) = Live::start(channels.clone()).map_err(ApiError::Thread)?;
        engine.add_plugin(plugin);
        let spec = &engine.world().resource::<LoadedScene>().scene;
        let (scene, seed) = (spec.name.clone(), spec.seed);
        let places = spec.world.places.iter().map(|place| PlaceView {
            name: place.name.clone(),
            x_m: place.position_m[0],
            y_m: place.position_m[1],
        });
        let places = places.collect();
        let end = watch::Sender::new(false);
        let server = Arc::new(Server::new(
            opened.gate.clone(),
            board,
            engine.stop_handle(),
            engine.stop_queue(),
            commands,
            ledger,
            Shows::new(channels, live),
            seed,
            scene.clone(),
            places,
            opened.tls.is_some(),
            viewer,
            playback,
            end.clone(),
        ));
        let watched = server.clone();
        let companions = opened.companions.clone();
        opened.serve(
            &scene,
            end,
            || routes::router(server, companions),
            async move { watched.beside().await },
            async {},
        )
    }

    /// Begins to serve several runs, each a process of its own.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_hub(self, options: HubOptions) -> Result<Serving, ApiError> {
        let opened = self.open()?;
        let end = watch::Sender::new(false);
        let folder = opened.folder.clone();
        let hub = Hub::new(options, opened.gate.clone(), opened.tls.is_some(), &folder);
        let hub = Arc::new(hub.map_err(ApiError::Router)?);
        let ended = hub.clone();
        let companions = opened.companions.clone();
        opened.serve(
            "",
            end,
            || hub::router(hub, companions),
            std::future::pending(),
            async move { ended.runs.close().await },
        )
    }

    fn open(self) -> Result<Opened, ApiError> {
        self.may_listen()?;
        raise_files();
        let tls = self
            .tls
            .as_ref()
            .map(|(certificates, key)| acceptor(certificates, key))
            .transpose()?;
        let listener = match &self.listener {
            Some(listener) => listener.try_clone().map_err(ApiError::Thread)?,
            None => listen(self.address)?,
        };
        let address = listener.local_addr().map_err(ApiError::Thread)?;
        let folder = match self.folder {
            Some(folder) => folder,
            None => folder().map_err(ApiError::Token)?,
        };
        let (mut tokens, token_file) = match self.tokens {
            Some(tokens) => (tokens, None),
            None => Tokens::of_this_user(&folder).map_err(ApiError::Token)?,
        };
        let own = tokens.add_owner().map_err(ApiError::Token)?;
        let gate = Arc::new(Gate::new(tokens, hosts(address), address));
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", shown(address));
        Ok(Opened {
            listener,
            tls,
            client: Client::new(&url, &own),
            url,
            code: gate.code().map_err(ApiError::Token)?,
            gate,
            folder,
            token_file,
            companions: Companions::default(),
        })
    }
}

/// Time in which streams say that they end.
const STREAMS_END_WITHIN: Duration = Duration::from_millis(500);

/// A socket with its gate, before anything is answered.
struct Opened {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    url: String,
    client: Client,
    code: String,
    gate: Arc<Gate>,
    folder: PathBuf,
    token_file: Option<PathBuf>,
    companions: Companions,
}

impl Opened {
    /// Serves what `router` makes until `end`, with `beside` while it does and `after` before it is over.
    fn serve(
        self,
        scene: &str,
        end: watch::Sender<bool>,
        router: impl FnOnce() -> Result<Router, String>,
        beside: impl Future<Output = ()> + Send + 'static,
        after: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Serving, ApiError> {
        let token_file = self.token_file.as_deref();
        // A run of a server of several is found through that.
        let place = match std::env::var_os(RUN_VARIABLE) {
            Some(_) => None,
            None => {
                let place = Place::write(&self.folder, &self.url, scene, token_file);
                Some(place.map_err(ApiError::Token)?)
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("api")
            .enable_all()
            .build()
            .map_err(ApiError::Thread)?;
        let router = {
            let _inside = runtime.enter();
            router().map_err(ApiError::Router)?
        };
        let mut ended = end.subscribe();
        let connections = Connections::default();
        let accept = server::accept(self.listener, router, self.tls, connections.clone());
        let serve = async move {
            tokio::select! {
                () = accept => {}
                () = beside => {}
                _ = ended.wait_for(|end| *end) => {}
            }
            after.await;
            connections.streams_end(STREAMS_END_WITHIN).await;
        };
        let thread = std::thread::Builder::new()
            .name("api".to_owned())
            .spawn(move || {
                runtime.block_on(serve);
                runtime.shutdown_timeout(STREAMS_END_WITHIN);
            })
            .map_err(ApiError::Thread)?;
        Ok(Serving {
            url: self.url,
            client: self.client,
            code: self.code,
            token_file: self.token_file,
            companions: self.companions,
            end,
            thread: Some(thread),
            _place: place,
        })
    }
}

/// Serves the Model Context Protocol at standard input and output, for the server of this client, until they are closed.
///
/// # Errors
///
/// What the client did wrong at the start, or a thread.
pub fn serve_mcp(client: Client) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    let served = runtime.block_on(mcp::serve_stdio(ask::Ask::There(Arc::new(client))));
    // A read of standard input does not end by itself.
    runtime.shutdown_timeout(std::time::Duration::from_millis(100));
    served
}

/// A server that runs; it ends when it is dropped.
pub struct Serving {
    url: String,
    client: Client,
    code: String,
    token_file: Option<PathBuf>,
    companions: Companions,
    end: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    _place: Option<Place>,
}

impl Serving {
    /// Its address: `http://127.0.0.1:8420`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client of this process: it may do what the owner may.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Address of the page, with the code that signs it in once.
    pub fn page(&self) -> String {
        format!("{}/#code={}", self.url, self.code)
    }

    /// The place of an assistant who is talked with on the page.
    pub fn companions(&self) -> &Companions {
        &self.companions
    }

    /// File of the token, if this user has one.
    pub fn token_file(&self) -> Option<&Path> {
        self.token_file.as_deref()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Allows this process as many open files as the system lets it: each connection is one.
#[cfg(unix)]
fn raise_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const WANTED: u64 = 8192;
    let limits = getrlimit(Resource::Nofile);
    let wanted = limits.maximum.map_or(WANTED, |most| most.min(WANTED));
    if limits.current.is_some_and(|now| now < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            maximum: limits.maximum,
        };
        // With fewer, fewer connections are taken.
        let _ = setrlimit(Resource::Nofile, raised);
    }
}

#[cfg(not(unix))]
fn raise_files() {}

fn listen(address: SocketAddr) -> Result<TcpListener, ApiError> {
    let listener = TcpListener::bind(address).map_err(|error| {
        let free = (1..20).filter_map(|k| address.port().checked_add(k));
        let free = free
            .filter(|_| error.kind() == std::io::ErrorKind::AddrInUse)
            .find(|port| TcpListener::bind((address.ip(), *port)).is_ok());
        ApiError::Listen {
            address,
            error,
            free,
        }
    })?;
    listener.set_nonblocking(true).map_err(ApiError::Thread)?;
    Ok(listener)
}

/// An address as it stands in a URL.
fn shown(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("localhost:{}", address.port()),
        false => address.to_string(),
    }
}

/// Values of `Host` by which clients may ask.
fn hosts(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let mut hosts = vec![address.to_string()];
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        hosts.extend(["127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}")));
    }
    if !address.ip().is_loopback()
        && let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname")
    {
        let name = name.trim();
        hosts.extend([format!("{name}:{port}"), format!("{name}.local:{port}")]);
    }
    hosts.dedup();
    hosts
}

fn acceptor(certificates: &Path, key: &Path) -> Result<TlsAcceptor, ApiError> {
    let wrong = |file: &Path, what: String| ApiError::Tls {
        file: file.display().to_string(),
        what,
    };
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| wrong(certificates, format!("{e}; expected certificates (PEM)")))?;
    let secret = PrivateKeyDer::from_pem_file(key)
        .map_err(|_| wrong(key, "expected a private key (PEM)".to_owned()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|e| wrong(certificates, e.to_string()))?;
    // Clients of gRPC want to agree on the first.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
