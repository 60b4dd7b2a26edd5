//! The server: what its requests have in common, its sockets, its thread.

use crate::command::Commands;
use crate::connections::{Connections, Open};
use crate::gate::Gate;
use crate::idempotency::Replies;
use crate::interest::Pattern;
use crate::lease::Leases;
use crate::ledger::Ledger;
use crate::live::Shows;
use crate::playback::Playback;
use crate::problem::Problem;
use crate::view::{Board, PlaceView, View};
use axum::Router;
use becomingone::StopHandle;
use becomingone::systems::control::stop::{StopQueue, UnknownAgent};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

/// Longest time in which the head of a request, or a TLS handshake, has to be there.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait for a tick.
const TICK_WITHIN: Duration = Duration::from_secs(1);
/// How often leases are looked at.
const LEASES_EVERY: Duration = Duration::from_millis(50);

/// The Rerun server of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Viewer {
    /// To which viewers connect.
    pub(crate) address: Option<String>,
    /// Of a web page that is such a viewer.
    pub(crate) page: Option<String>,
}

/// What all requests have in common.
pub(crate) struct Server {
    pub(crate) gate: Arc<Gate>,
    pub(crate) board: Board,
    pub(crate) run: StopHandle,
    pub(crate) stops: StopQueue,
    pub(crate) commands: Commands,
    pub(crate) replies: Arc<Replies>,
    /// Where requests are kept, if the run is recorded.
    pub(crate) ledger: Option<Ledger>,
    leases: Mutex<Leases>,
    /// The run as Foxglove's protocol shows it.
    pub(crate) shows: Arc<Shows>,
    /// Its seed.
    pub(crate) seed: u64,
    /// Time of the server's start, since 1970 (ms): tells its sessions from those of an earlier one.
    pub(crate) started: u128,
    /// Name of the run.
    pub(crate) name: String,
    /// Name of the scene.
    pub(crate) scene: String,
    /// Its places.
    pub(crate) places: Vec<PlaceView>,
    /// Whether connections are encrypted.
    pub(crate) is_secure: bool,
    pub(crate) viewer: Viewer,
    /// Of a recording that is played.
    pub(crate) playback: Option<Playback>,
    /// True once the server is to end.
    pub(crate) end: watch::Sender<bool>,
    /// Pictures that are drawn at a time.
    pub(crate) pictures: Arc<Semaphore>,
}

impl Server {
    pub(crate) fn new(
        gate: Arc<Gate>,
        board: Board,
        run: StopHandle,
        stops: StopQueue,
        commands: Commands,
        ledger: Option<Ledger>,
        shows: Shows,
        seed: u64,
        scene: String,
        places: Vec<PlaceView>,
        is_secure: bool,
        viewer: Viewer,
        playback: Option<Playback>,
        end: watch::Sender<bool>,
    ) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a name that no other start has")]
        let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            gate,
            board,
            run,
            stops,
            commands,
            replies: Arc::default(),
            ledger,
            shows: Arc::new(shows),
            seed,
            started: started.map_or(0, |since| since.as_millis()),
            leases: Mutex::default(),
            name: std::env::var(crate::place::RUN_VARIABLE).unwrap_or_else(|_| scene.clone()),
            scene,
            places,
            is_secure,
            viewer,
            playback,
            end,
            pictures: Arc::new(Semaphore::new(1)),
        }
    }

    pub(crate) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A view of the next tick, with these sensors.
    pub(crate) async fn view(&self, sensors: Vec<Pattern>) -> Result<Arc<View>, Problem> {
        let _interest = (!sensors.is_empty()).then(|| self.board.interests.in_sensors(sensors));
        let version = self.board.interests.version();
        let mut views = self.board.views();
        views.mark_unchanged();
        self.board.interests.want();
        let next = async {
            loop {
                if views.changed().await.is_err() {
                    return None;
                }
                let view = views.borrow_and_update().clone();
                // Another reader may have asked for it a moment before.
                if view.version >= version {
                    return Some(view);
                }
                self.board.interests.want();
            }
        };
        match timeout(TICK_WITHIN, next).await {
            Ok(Some(view)) => Ok(view),
            _ => Err(Problem::unavailable(format!(
                "found no tick within {} s: the run has not started, has ended, or its ticks are long",
                TICK_WITHIN.as_secs()
            ))),
        }
    }

    /// Stops an agent from the next tick on; pauses a recording that is played.
    pub(crate) fn stop(&self, agent: &str, sender: &str) -> Result<(), UnknownAgent> {
        if self.playback.is_some() {
            self.run.pause();
        }
        self.stops.push(agent, sender)
    }

    /// Stops every agent, as [`stop`](Self::stop) one.
    pub(crate) fn stop_all(&self, sender: &str) {
        for agent in self.board.agents().iter() {
            // One that is gone since then has nothing to stop.
            let _ = self.stop(agent, sender);
        }
    }

    /// Refuses what tells agents something, where a recording is played.
    pub(crate) fn takes_commands(&self) -> Result<(), Problem> {
        match self.playback {
            None => Ok(()),
            Some(_) => Err(Problem::conflict(
                "found a recording that is played; expected a run, whose agents can be told something",
            )),
        }
    }

    /// Sends a recording that is played to a time (ns). One that is paused stays so.
    pub(crate) fn seek(&self, to_ns: u64) -> Result<(), Problem> {
        let playback = self.playback.as_ref().ok_or_else(|| {
            Problem::conflict("found a run; expected a recording that is played: replay --serve")
        })?;
        if playback.seek(to_ns) && self.run.is_paused() {
            // The tick at which it is looked at.
            self.run.step(1);
        }
        Ok(())
    }

    /// Refuses agents that this run does not have.
    pub(crate) fn agent(&self, name: &str) -> Result<(), Problem> {
        let agents = self.board.agents();
        if agents.iter().any(|agent| agent == name) {
            return Ok(());
        }
        let known: Vec<_> = agents.iter().map(|agent| format!("`{agent}`")).collect();
        Err(Problem::not_found(format!(
            "found no agent of this name; expected one of {}",
            known.join(", ")
        )))
    }

    /// What goes on beside the answers.
    pub(crate) async fn beside(&self) {
        tokio::join!(self.watch_leases(), self.board.interests.pace());
    }

    /// Ends what a lease allowed, when it is over.
    async fn watch_leases(&self) {
        let mut every = tokio::time::interval(LEASES_EVERY);
        loop {
            every.tick().await;
            self.end_leases();
        }
    }

    /// Ends what was asked for by leases that are over.
    pub(crate) fn end_leases(&self) {
        #[expect(clippy::disallowed_methods, reason = "leases last by the wall clock")]
        let over = self.leases().expire(std::time::Instant::now());
        for (agent, lease) in over {
            log::info!("api: the lease of {agent} is over");
            self.commands.end_lease(agent, lease);
        }
    }
}

/// Answers connections for ever.
pub(crate) async fn accept(
    listener: std::net::TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    connections: Connections,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            log::error!("api: {error}");
            return;
        }
    };
    loop {
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files: those that close make room.
                log::warn!("api: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(open) = connections.open() else {
            log::warn!("api: {peer}: refused, as all connections are being answered");
            continue;
        };
        let _ = socket.set_nodelay(true);
        let (router, tls, held) = (router.clone(), tls.clone(), open.connection());
        let task = tokio::spawn(async move {
            match tls {
                None => connection(socket, router, peer, open).await,
                Some(tls) => {
                    if let Ok(Ok(socket)) = timeout(HEAD_WITHIN, tls.accept(socket)).await {
                        connection(socket, router, peer, open).await;
                    }
                }
            }
        });
        held.served_by(task.abort_handle());
    }
}

/// Serves one connection until it closes.
async fn connection(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    peer: SocketAddr,
    open: Open,
) {
    let open = Arc::new(open);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        let (mut router, open) = (router.clone(), open.clone());
        // The gate says when it knows who asks.
        request.extensions_mut().insert(open.clone());
        async move {
            let _answered = Answered::begin(open);
            router.call(request).await
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .max_concurrent_streams(64)
        .max_header_list_size(32 << 10);
    let served = builder
        .serve_connection_with_upgrades(TokioIo::new(socket), service)
        .await;
    if let Err(error) = served {
        log::debug!("api: {peer}: {error}");
    }
}

/// A request that is being answered, also where its client goes before.
struct Answered(Arc<Open>);

impl Answered {
    fn begin(open: Arc<Open>) -> Self {
        open.begin();
        Self(open)
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.end();
    }
}
