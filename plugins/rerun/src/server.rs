//! A server of our own, that viewers come to and leave as they like.

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

/// What is kept for viewers that come late; of what was said over time the oldest goes first.
const HISTORY_BYTES: u64 = 256 * 1024 * 1024;
/// Longest time that the server may take until it listens.
const LISTEN_LIMIT: Duration = Duration::from_secs(2);
/// Between two looks at whether something is done.
const LOOK: Duration = Duration::from_millis(10);
/// Looks in a row that find nothing on its way: what they see may be older than what was sent last.
const LOOKS: u32 = 3;

/// A gRPC server that hands on all it is sent, to whoever is there and to whoever comes.
///
/// A viewer that does not read holds up the others, until what the server may keep for it is full;
/// then the queue before it drops. The server gives such a viewer up after 30 s.
pub(crate) struct Server {
    url: String,
    sender: LogSender,
    proxy: MessageProxyHandle,
    shutdown: shutdown::Signal,
    runtime: Option<Runtime>,
}

impl Server {
    /// Starts to listen. Where the port is taken and another will do, on a free one.
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
            // Who comes late sees what stands there, then what was, then what is.
            playback_behavior: PlaybackBehavior::OldestFirst,
            memory_limit: MemoryLimit::from_bytes(HISTORY_BYTES),
            ..ServerOptions::default()
        };
        let entered = runtime.enter();
        let proxy = spawn_from_rx_set(address, options, until, LogReceiverSet::new(vec![receiver]));
        drop(entered);
        let here = reachable(address);
        let deadline = Instant::now() + LISTEN_LIMIT;
        while let Err(error) = TcpStream::connect_timeout(&here, LISTEN_LIMIT) {
            if Instant::now() > deadline {
                return Err(error);
            }
            std::thread::sleep(LOOK);
        }
        Ok(Self {
            url: format!("rerun+http://{here}/proxy"),
            sender,
            proxy,
            shutdown: signal,
            runtime: Some(runtime),
        })
    }

    /// Where viewers of this machine find it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn send(&self, msg: LogMsg) {
        // It ends with this, so it takes all.
        let _ = self.sender.send(msg.into());
    }

    /// Waits until the server has all, but not until viewers have.
    pub(crate) fn flush(&self, timeout: Duration) -> Result<(), SinkFlushError> {
        self.sender
            .flush_blocking(timeout)
            .map_err(|error| match error {
                FlushError::Timeout => SinkFlushError::Timeout,
                FlushError::Closed => SinkFlushError::failed("the server has ended"),
            })
    }

    /// Waits until viewers have all that the server has; whether they do.
    pub(crate) fn drain(&self, deadline: Instant) -> bool {
        let mut looks = 0;
        while looks < LOOKS {
            // The first look orders, the next ones see.
            let waits = self.proxy.capture_memory().is_none_or(|tree| match tree {
                MemUsageTree::Node(node) => node
                    .children()
                    .iter()
                    .any(|child| child.name == "broadcast" && child.value.size_bytes() > 0),
                MemUsageTree::Bytes(_) => true,
            });
            looks = if waits { 0 } else { looks + 1 };
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.stop();
        if let Some(runtime) = self.runtime.take() {
            // A viewer that does not read is not waited for.
            runtime.shutdown_background();
        }
    }
}

/// The same address, with a port that was free just now.
fn free(address: SocketAddr) -> std::io::Result<SocketAddr> {
    TcpListener::bind(address)?.local_addr()
}

/// Where this machine finds an address that it listens on.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
        }
        _ => address,
    }
}
