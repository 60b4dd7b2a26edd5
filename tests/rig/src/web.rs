//! A web server of a test, with the answers that the test gives.

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `POST`.
    pub method: String,
    /// `/hooks/x?a=b`.
    pub path: String,
    /// By their names in lower case.
    pub headers: HashMap<String, String>,
    /// Its body.
    pub body: String,
}

/// Status, further headers (each with its line end), and body of an answer; none closes the connection without one.
pub type Answer = Option<(u16, String, String)>;

/// Answers until the test is over.
pub struct Web {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Web {
    /// Starts it at a free port of this machine.
    ///
    /// # Panics
    ///
    /// Where there is none.
    pub fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (kept, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (kept, answer) = (kept.clone(), answer.clone());
                std::thread::spawn(move || serve(&socket, &kept, &*answer));
            }
        });
        Self {
            url: format!("http://{address}"),
            asked,
        }
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.clone()
    }
}

/// Answers the requests of a connection, until it is closed.
fn serve(
    socket: &TcpStream,
    kept: &Mutex<Vec<Asked>>,
    answer: &(impl Fn(&Asked) -> Answer + ?Sized),
) {
    let mut reader = BufReader::new(socket);
    while let Some(asked) = read(&mut reader) {
        kept.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(asked.clone());
        let Some((status, headers, body)) = answer(&asked) else {
            return;
        };
        let text = format!(
            "HTTP/1.1 {status} x\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        let mut writer = socket;
        if writer.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl std::io::BufRead) -> Option<Asked> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut first = line.split(' ');
    let mut asked = Asked {
        method: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        ..Asked::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let value = value.trim().to_owned();
        asked.headers.insert(name.to_lowercase(), value);
    }
    let length = asked.headers.get("content-length");
    let length = length.and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Some(asked)
}
