//! A port behind a TCP connection: a serial server, a Bluetooth bridge.

use crate::open_port::{OpenPort, POLL_PERIOD, WRITE_TIMEOUT};
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// Longest wait for a connection to one address of the host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Silence after which the other side is probed (RFC 9293, 3.8.4). Its TCP answers; the device is not involved.
const PROBE_AFTER: Duration = Duration::from_secs(5);
/// Time between two such probes.
const PROBE_PERIOD: Duration = Duration::from_secs(2);
/// Probes without an answer that end the connection: 11 s after the last packet of the other side.
const PROBES: u32 = 3;
/// Longest wait for an acknowledgement of bytes that were sent; there are no probes meanwhile. On Linux it also replaces
/// the number of probes (tcp(7), `TCP_USER_TIMEOUT`): it ends between the last probe and the end of its period.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a connection to `host:port`.
///
/// # Errors
///
/// No address of the host takes a connection: the reason of the last one.
pub(crate) fn open(host: &str) -> io::Result<OpenPort> {
    let stream = connect(host)?;
    Ok(OpenPort {
        writer: Box::new(Connection(stream.try_clone()?)),
        reader: Box::new(Connection(stream)),
    })
}

fn connect(host: &str) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(ErrorKind::NotFound, "the host has no address");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return prepare(&stream).map(|()| stream),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Sets the options of a connection, by which also one is ended whose other side vanishes without closing it.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(POLL_PERIOD))?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_PERIOD)
        .with_retries(PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(ACKNOWLEDGE_TIMEOUT))?;
    Ok(())
}

/// An open connection.
struct Connection(TcpStream);

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(of_connection)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(of_connection)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Distinguishes the end of a connection from a read without bytes, which is `WouldBlock` on Unix and `TimedOut` elsewhere.
fn of_connection(error: io::Error) -> io::Error {
    let kind = error.kind();
    let is_gone = (cfg!(unix) && kind == ErrorKind::TimedOut)
        || matches!(
            kind,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
        );
    if !is_gone {
        return error;
    }
    io::Error::new(
        ErrorKind::ConnectionAborted,
        format!("the other side no longer answers: it is switched off, or out of reach ({error})"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn connections_are_probed_within_seconds() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = connect(&listener.local_addr().unwrap().to_string()).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), PROBE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), PROBE_PERIOD);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES);
        assert!(PROBE_AFTER + PROBE_PERIOD * PROBES <= Duration::from_secs(15));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let timeout = socket.tcp_user_timeout().unwrap();
            assert_eq!(timeout, Some(ACKNOWLEDGE_TIMEOUT));
            assert!(ACKNOWLEDGE_TIMEOUT > PROBE_AFTER + PROBE_PERIOD * (PROBES - 1));
            assert!(ACKNOWLEDGE_TIMEOUT < PROBE_AFTER + PROBE_PERIOD * PROBES);
        }
        assert!(stream.nodelay().unwrap());
    }

    #[test]
    fn a_host_is_connected_to_by_that_of_its_addresses_which_answers() {
        // `localhost` is ::1 too, where nothing listens.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        connect(&format!("localhost:{port}")).unwrap();
    }
}
