//! Servers of streams: of other people's programs, and one that misbehaves.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A port that nobody listens at.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A program that ends with the test.
pub(crate) struct Peer(Child);

impl Peer {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// The Python server of `server.py`; none without Python.
    pub(crate) fn server(port: u16, mode: &[&str]) -> Option<Self> {
        let python = std::env::var_os("BECOMINGONE_PYTHON")?;
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/server.py");
        let mut command = Command::new(python);
        command.args(["-c", "import flask, mjpeg"]);
        if !command.stderr(Stdio::null()).status().unwrap().success() {
            return None;
        }
        let mut command = Command::new(std::env::var_os("BECOMINGONE_PYTHON")?);
        command.arg(script).arg(port.to_string()).args(mode);
        Some(Self::start(&mut command))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // SIGKILL.
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A server whose every connection is served by a function, with the number of the connection.
pub(crate) struct Server {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) fn new(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::<AtomicUsize>::default();
        let (count, serve) = (connections.clone(), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let (serve, mut stream) = (serve.clone(), stream.unwrap());
                std::thread::spawn(move || {
                    let mut request = Vec::new();
                    let mut byte = [0];
                    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0
                    {
                        request.push(byte[0]);
                    }
                    serve(number, stream);
                });
            }
        });
        Self { port, connections }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn source(&self, options: &str) -> String {
        format!(
            "(url: \"http://127.0.0.1:{}/stream.mjpg\", {options})",
            self.port
        )
    }
}

pub(crate) const HEAD: &[u8] =
    b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=\"cut\"\r\n\r\n--cut\r\n";

/// A grey picture of 64 x 48 pixels, as JPEG.
pub(crate) fn grey(level: u8) -> Vec<u8> {
    let mut jpeg = std::io::Cursor::new(Vec::new());
    let image = image::GrayImage::from_pixel(64, 48, image::Luma([level]));
    image.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    jpeg.into_inner()
}

/// Sends a part; returns whether the other side is still there.
pub(crate) fn send(stream: &mut TcpStream, picture: &[u8]) -> bool {
    let head = format!(
        "Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
        picture.len()
    );
    let part = [head.as_bytes(), picture, b"\r\n--cut\r\n"].concat();
    stream.write_all(&part).is_ok()
}

/// Waits until the other side closes.
pub(crate) fn hold(mut stream: TcpStream) {
    while stream.read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
}
