//! In-process gRPC server; viewers connect and disconnect at any time.

#![allow(clippy::disallowed_methods, reason = "an I/O thread has a wall clock")]

use re_byte_size::MemUsageTree;
use re_log_channel::{FlushError, LogReceiverSet, LogSender, LogSource, log_channel};
use re_sdk::external::re_grpc_server::{
    MemoryLimit, MessageProxyHandle, PlaybackBehavior, ServerOptions, shutdown, spawn_from_rx_set,
};
use re_sdk::log::LogMsg;
use re_sdk::sink::SinkFlushError;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// History kept for viewers that connect late; the oldest temporal data is dropped first.
const HISTORY_BYTES: u64 = 256 * 1024 * 1024;
/// Longest time until the server must listen.
const LISTEN_LIMIT: Duration = Duration::from_secs(2);
/// Polling interval.
const POLL: Duration = Duration::from_millis(10);
/// Consecutive polls that must find no data in flight: the statistics may be older than the last send.
const IDLE_POLLS: u32 = 3;

/// gRPC server that forwards all messages to connected viewers and replays its history to new ones.
///
/// A viewer that does not read delays the others until the server's buffer for it is full; then our queue drops
/// batches. The server disconnects such a viewer after 30 s.
pub(crate) struct Server {
    url: String,
    sender: LogSender,
    proxy: MessageProxyHandle,
    shutdown: shutdown::Signal,
    runtime: Option<Runtime>,
}

impl Server {
    /// Starts to listen; if the port is taken and `any_port` is set, on a free port.
    pub(crate) fn open(address: SocketAddr, any_port: bool) -> std::io::Result<Self> {
        let address = free(address).or_else(|error| {
            if any_port {
                free(SocketAddr::new(address.ip(), 0))
            } else {
                Err(error)
            }
        })?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("rerun server")
            .enable_all()
            .build()?;
        let (signal, until) = shutdown::shutdown();
        let (sender, receiver) = log_channel(LogSource::Sdk);
        let options = ServerOptions {
            // A late viewer gets static data, then history, then live data.
            playback_behavior: PlaybackBehavior::OldestFirst,
            memory_limit: MemoryLimit::from_bytes(HISTORY_BYTES),
            ..ServerOptions::default()
        };
        let entered = runtime.enter();
        let proxy = spawn_from_rx_set(address, options, until, LogReceiverSet::new(vec![receiver]));
        drop(entered);
        let local = reachable(address);
        let deadline = Instant::now() + LISTEN_LIMIT;
        while let Err(error) = TcpStream::connect_timeout(&local, LISTEN_LIMIT) {
            if Instant::now() > deadline {
                return Err(error);
            }
            std::thread::sleep(POLL);
        }
        Ok(Self {
            url: format!("rerun+http://{local}/proxy"),
            sender,
            proxy,
            shutdown: signal,
            runtime: Some(runtime),
        })
    }

    /// Address for viewers on this machine.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn send(&self, msg: LogMsg) {
        // Cannot fail: the receiver lives as long as this value.
        let _ = self.sender.send(msg.into());
    }

    /// Waits until the server has received all messages; viewers may lag behind.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), SinkFlushError> {
        self.sender
            .flush_blocking(timeout)
            .map_err(|error| match error {
                FlushError::Timeout => SinkFlushError::Timeout,
                FlushError::Closed => SinkFlushError::failed("the server has stopped"),
            })
    }

    /// Waits until viewers have received all messages of the server; returns whether they did.
    pub(crate) fn drain(&self, deadline: Instant) -> bool {
        let mut idle = 0;
        while idle < IDLE_POLLS {
            // The first poll requests the statistics, later ones read them.
            let pending = self.proxy.capture_memory().is_none_or(|tree| match tree {
                MemUsageTree::Node(node) => node
                    .children()
                    .iter()
                    .any(|child| child.name == "broadcast" && child.value.size_bytes() > 0),
                MemUsageTree::Bytes(_) => true,
            });
            idle = if pending { 0 } else { idle + 1 };
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.stop();
        if let Some(runtime) = self.runtime.take() {
            // Do not wait for viewers that do not read.
            runtime.shutdown_background();
        }
    }
}

/// Resolves port 0 and checks that the port is free.
fn free(address: SocketAddr) -> std::io::Result<SocketAddr> {
    TcpListener::bind(address)?.local_addr()
}

/// Local address at which a listening address is reachable.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
        }
        _ => address,
    }
}
