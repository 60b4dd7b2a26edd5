//! Eclipse Mosquitto, a broker of MQTT that nobody here wrote, and its clients.

use crate::{finish, say, signal, until};
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// A broker with a folder and a free port of its own, ended with the test.
pub struct Mosquitto {
    program: PathBuf,
    child: Option<Child>,
    /// Its folder: configuration, log, what a test puts there.
    pub folder: TempDir,
    /// Its port.
    pub port: u16,
}

/// Finds a program; none with a notice where it is missing.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let found = folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        say(&format!(
            "skipped: no {name}; to run the tests of MQTT: apt-get install mosquitto mosquitto-clients"
        ));
    }
    found
}

impl Mosquitto {
    /// A broker with these further lines of its configuration, in which `{folder}` is its folder; none with a notice
    /// where it is not installed.
    pub fn start(lines: &str) -> Option<Self> {
        Self::prepare(|_| {}, lines)
    }

    /// The same, after `files` has put its files there.
    pub fn prepare(files: impl FnOnce(&Path), lines: &str) -> Option<Self> {
        let program = program("mosquitto")?;
        program_of_clients()?;
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let anonymous = if lines.contains("allow_anonymous") {
            ""
        } else {
            "allow_anonymous true\n"
        };
        let lines = lines.replace("{folder}", folder.path().to_str().unwrap());
        let path = folder.path().display();
        let text = format!(
            "user root\nlog_dest file {path}/log\nlog_type all\nmax_queued_messages 0\npersistence_location {path}/\nlistener {port} 127.0.0.1\n{anonymous}{lines}\n"
        );
        std::fs::write(folder.path().join("conf"), text).unwrap();
        drop(listener);
        let mut broker = Self {
            program,
            child: None,
            folder,
            port,
        };
        broker.begin();
        Some(broker)
    }

    /// Starts it, and waits until it listens.
    pub fn begin(&mut self) {
        let mut command = Command::new(&self.program);
        command.arg("-c").arg(self.folder.path().join("conf"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.child = Some(child.unwrap());
        until(LIMIT, "the broker", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    /// Ends it by a signal, and waits for its end.
    pub fn end(&mut self, name: &str) {
        if let Some(mut child) = self.child.take() {
            signal(name, child.id());
            child.wait().unwrap();
        }
    }

    /// Sends it a signal that does not end it.
    pub fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            signal(name, child.id());
        }
    }

    /// Address for a scene.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Lines of its log with these words.
    pub fn logged(&self, words: &str) -> usize {
        let log = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        log.lines().filter(|line| line.contains(words)).count()
    }

    /// `mosquitto_pub` to this broker.
    pub fn publisher(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command.args(arguments).current_dir(&self.folder);
        command
    }

    /// Publishes by `mosquitto_pub`.
    pub fn publish(&self, arguments: &[&str]) {
        let ran = finish(&mut self.publisher(arguments), LIMIT);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
    }

    /// Publishes each line as a message, by `mosquitto_pub -l`.
    pub fn publish_lines(&self, arguments: &[&str], lines: &str) {
        std::fs::write(self.folder.path().join("lines"), lines).unwrap();
        let input = File::open(self.folder.path().join("lines")).unwrap();
        let mut command = self.publisher(arguments);
        let status = command.arg("-l").stdin(input).status().unwrap();
        assert!(status.success(), "{arguments:?}");
    }

    /// Starts `mosquitto_sub`, which prints a line for each message: retained (1 or 0), topic, payload.
    pub fn subscribe(&self, filter: &str) -> Subscriber {
        let file = tempfile::NamedTempFile::new().unwrap();
        let before = self.logged("Sending SUBACK");
        let child = Command::new("mosquitto_sub")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-q", "1", "-t", filter, "-F", "%r %t %p"])
            .stdout(file.reopen().unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until(LIMIT, "a subscriber", || {
            self.logged("Sending SUBACK") > before
        });
        Subscriber { child, file }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn program_of_clients() -> Option<()> {
    program("mosquitto_pub")
        .and(program("mosquitto_sub"))
        .map(drop)
}

/// A running `mosquitto_sub`.
pub struct Subscriber {
    child: Child,
    file: tempfile::NamedTempFile,
}

impl Subscriber {
    /// What arrived: retained, topic, payload.
    pub fn messages(&self) -> Vec<(bool, String, String)> {
        let text = std::fs::read_to_string(self.file.path()).unwrap();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ' ');
            let parts = (parts.next()?, parts.next()?, parts.next()?);
            Some((parts.0 == "1", parts.1.to_owned(), parts.2.to_owned()))
        });
        lines.collect()
    }

    /// Waits for a message of this topic for which `fits` is true, and returns its payload.
    pub fn wait_for(&self, topic: &str, fits: impl Fn(&str) -> bool) -> String {
        let mut found = None;
        until(LIMIT, topic, || {
            let all = self.messages();
            let mut of = all
                .into_iter()
                .filter(|(_, t, payload)| t == topic && fits(payload));
            found = of.next().map(|(_, _, payload)| payload);
            std::thread::sleep(Duration::from_millis(5));
            found.is_some()
        });
        found.unwrap()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
