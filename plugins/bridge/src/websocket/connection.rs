//! A connection to a WebSocket server: opened on a thread of its own, read with a time-out, asked whether it is there.

#![expect(
    clippy::disallowed_methods,
    reason = "an I/O thread bounds its waits by the wall clock"
)]

use becomingone_systems::links::SourceSite;
use becomingone_systems::links::web::{Server, host, no_answer, port, tls_reason};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::mpsc::{TryRecvError, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Bytes, Error, Message, Utf8Bytes, WebSocket};
use ureq::http::HeaderValue;
use ureq::http::header::AUTHORIZATION;

/// Largest message (bytes).
const MAX_MESSAGE: usize = 1 << 20;
/// Silence after which the server is asked whether it is there; after twice this time the connection is given up.
const SILENCE: Duration = Duration::from_secs(5);
/// Longest wait for the server's side of the closing handshake.
const CLOSING: Duration = Duration::from_millis(500);
/// Shortest time-out of a read: shorter ones may be none to the system.
const MIN_WAIT: Duration = Duration::from_micros(100);

/// What a connection is opened with.
pub(super) struct Opening {
    server: Server,
    timeout: Duration,
    subscribe: Vec<String>,
    tls: Option<Arc<ClientConfig>>,
    authorization: Option<HeaderValue>,
}

impl Opening {
    /// Reads token and certificates.
    ///
    /// # Errors
    ///
    /// A file or variable that is missing.
    pub(super) fn new(
        server: Server,
        timeout: Duration,
        subscribe: Vec<String>,
        site: &SourceSite,
    ) -> Result<Self, String> {
        let tls = server.is_secure().then(|| server.certificates.read(site));
        Ok(Self {
            tls: tls.transpose()?.map(Arc::new),
            authorization: server.authorization(site)?,
            timeout,
            subscribe,
            server,
        })
    }

    /// Opens a connection and sends what it subscribes to; none if `ends` says that the run is over.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(super) fn open(&self, ends: impl Fn() -> bool) -> Result<Option<Connection>, String> {
        let (done, connected) = sync_channel(1);
        let (server, timeout) = (self.server.clone(), self.timeout);
        let (tls, authorization) = (self.tls.clone(), self.authorization.clone());
        // A name server that does not answer holds up this thread alone.
        let begun = Builder::new().name("websocket".to_owned()).spawn(move || {
            // Nobody waits any more where the run is over.
            let _ = done.send(connect(&server, timeout, tls, authorization));
        });
        begun.map_err(|error| format!("cannot start a thread: {error}"))?;
        loop {
            match connected.try_recv() {
                Ok(connection) => {
                    let mut connection = connection?;
                    for text in &self.subscribe {
                        connection.send(text.clone().into_bytes())?;
                    }
                    return Ok(Some(connection));
                }
                Err(TryRecvError::Disconnected) => return Err("opening it failed".to_owned()),
                Err(TryRecvError::Empty) if ends() => return Ok(None),
                Err(TryRecvError::Empty) => {}
            }
        }
    }
}

/// TCP whose reads fail after a point in time, however many are made for one message or handshake.
struct Tcp {
    tcp: TcpStream,
    until: Instant,
}

impl Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.tcp.set_read_timeout(Some(left.max(MIN_WAIT)))?;
        self.tcp.read(buffer)
    }
}

impl Write for Tcp {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// TCP, with or without TLS.
enum Stream {
    Plain(Tcp),
    Tls(Box<StreamOwned<ClientConnection, Tcp>>),
}

impl Stream {
    /// Lets reads fail from this time on.
    fn set_until(&mut self, until: Instant) {
        match self {
            Self::Plain(tcp) => tcp.until = until,
            Self::Tls(tls) => tls.sock.until = until,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

fn connect(
    server: &Server,
    timeout: Duration,
    tls: Option<Arc<ClientConfig>>,
    authorization: Option<HeaderValue>,
) -> Result<Connection, String> {
    let uri = &server.uri;
    let name = host(uri).ok_or("found no host in `url`")?;
    let addresses = (name.as_str(), port(uri)).to_socket_addrs();
    let addresses = addresses.map_err(|error| format!("{name}: {error}"))?;
    let mut refused = format!("found no address of {name}");
    let mut connected = None;
    for address in addresses {
        server.policy.admit(uri, address.ip())?;
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(tcp) => {
                connected = Some(tcp);
                break;
            }
            Err(error) => refused = format!("no connection: {error}"),
        }
    }
    let tcp = connected.ok_or(refused)?;
    let prepared = tcp
        .set_nodelay(true)
        .and_then(|()| tcp.set_write_timeout(Some(timeout)));
    prepared.map_err(|error| error.to_string())?;
    let tcp = Tcp {
        tcp,
        until: Instant::now() + timeout,
    };
    let stream = match tls {
        None => Stream::Plain(tcp),
        Some(config) => {
            let name = ServerName::try_from(name).map_err(|error| error.to_string())?;
            let begun = ClientConnection::new(config, name).map_err(|error| error.to_string())?;
            Stream::Tls(Box::new(StreamOwned::new(begun, tcp)))
        }
    };
    let describe = |error| describe(error, timeout);
    let mut request = uri.clone().into_client_request().map_err(describe)?;
    if let Some(value) = authorization {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let opened = tungstenite::client::client_with_config(request, stream, Some(config));
    let (socket, _) = opened.map_err(|error| match error {
        HandshakeError::Failure(error) => describe(error),
        HandshakeError::Interrupted(_) => no_answer(timeout),
    })?;
    Ok(Connection {
        socket,
        timeout,
        received: Instant::now(),
        is_asked: false,
    })
}

fn describe(error: Error, timeout: Duration) -> String {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => {
            "the server closed the connection".to_owned()
        }
        Error::Io(error) if is_time_out(&error) => no_answer(timeout),
        Error::Io(error) => {
            tls_reason(&error).unwrap_or_else(|| format!("the connection broke: {error}"))
        }
        Error::Capacity(_) => {
            format!("found a message of more than {MAX_MESSAGE} bytes; expected at most these")
        }
        Error::Http(answer) => format!(
            "found status {}; expected 101, a WebSocket server at this address",
            answer.status()
        ),
        other => other.to_string(),
    }
}

fn is_time_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// An open connection.
pub(super) struct Connection {
    socket: WebSocket<Stream>,
    timeout: Duration,
    /// When something was received last.
    received: Instant,
    /// Whether the server was asked since then.
    is_asked: bool,
}

impl Connection {
    /// Waits this long for a message; pings are answered. A part of one is kept for the next call, however slowly it comes.
    ///
    /// # Errors
    ///
    /// Why the connection has ended.
    pub(super) fn receive(&mut self, within: Duration) -> Result<Option<Vec<u8>>, String> {
        self.socket.get_mut().set_until(Instant::now() + within);
        let message = match self.socket.read() {
            Ok(message) => message,
            Err(Error::Io(error)) if is_time_out(&error) => return self.ask().map(|()| None),
            Err(error) => return Err(describe(error, self.timeout)),
        };
        (self.received, self.is_asked) = (Instant::now(), false);
        match message {
            Message::Text(text) => Ok(Some(Bytes::from(text).into())),
            Message::Binary(bytes) => Ok(Some(bytes.into())),
            Message::Close(frame) => {
                let reason = frame.map(|f| format!(": {} {}", u16::from(f.code), f.reason));
                Err(format!(
                    "the server closed the connection{}",
                    reason.unwrap_or_default()
                ))
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
        }
    }

    /// Asks a server that is silent whether it is there.
    fn ask(&mut self) -> Result<(), String> {
        let silent = self.received.elapsed();
        if silent > 2 * SILENCE {
            return Err(format!(
                "nothing was received within {} s, no answer to a ping either",
                (2 * SILENCE).as_secs()
            ));
        }
        if silent > SILENCE && !self.is_asked {
            self.is_asked = true;
            let sent = self.socket.send(Message::Ping(Bytes::new()));
            sent.map_err(|error| describe(error, self.timeout))?;
        }
        Ok(())
    }

    /// Sends a text.
    ///
    /// # Errors
    ///
    /// Why the connection has ended.
    pub(super) fn send(&mut self, text: Vec<u8>) -> Result<(), String> {
        let text = Utf8Bytes::try_from(text).map_err(|error| error.to_string())?;
        let sent = self.socket.send(Message::Text(text));
        sent.map_err(|error| describe(error, self.timeout))
    }

    /// Closes it, and waits for the server's side of that for a short time.
    pub(super) fn close(mut self) {
        let until = Instant::now() + CLOSING;
        if self.socket.close(None).is_err() {
            return;
        }
        self.socket.get_mut().set_until(until);
        // A flood of messages may be before the server's answer.
        while Instant::now() < until {
            match self.socket.read() {
                Ok(_) => {}
                Err(Error::Io(error)) if is_time_out(&error) => {}
                Err(_) => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_systems::links::tls::provider;
    use rustls::RootCertStore;
    use std::net::TcpListener;

    /// A record of TLS of 16 kB, a byte at a time.
    #[test]
    fn a_handshake_of_tls_that_drips_ends_in_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            let mut next: &[u8] = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc";
            while tcp.write_all(next).is_ok() {
                next = b"\0";
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let url = format!("wss://127.0.0.1:{port}/");
        let server = Server::new(&url, ["ws", "wss"], &[], None, None).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let (done, ended) = sync_channel(1);
        std::thread::spawn(move || {
            let timeout = Duration::from_millis(300);
            let opened = connect(&server, timeout, Some(Arc::new(config)), None);
            done.send(opened.map(|_| ()))
        });
        let ended = ended.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(ended, Err("no answer within 0.3 s".to_owned()));
    }
}
