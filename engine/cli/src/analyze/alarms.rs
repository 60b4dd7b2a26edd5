//! What an alarm sets off: a line for a live stream, a command, a request to a web address.

use super::arguments::Analyze;
use super::intervals::Interval;
use crate::failure::Failure;
use becomingone_replay::Row;
use becomingone_systems::links::SourceSite;
use becomingone_systems::links::web::{HTTP, Server, describe};
use clap::Args as _;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::http::Uri;
use wait_timeout::ChildExt as _;

/// Most alarms that wait for a command or a request before them: more are dropped, and counted.
const MAX_WAITING: usize = 64;
/// Time after which a request has failed.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Time after which a program is ended.
const MAX_RUN: Duration = Duration::from_secs(20);

/// Words in the arguments of a command that are replaced, as keys of the JSON object with the alarm.
const WORDS: [&str; 8] = [
    "channel", "text", "row", "time", "surprise", "severity", "measured", "expected",
];

/// What an alarm sets off, one alarm after the other.
pub(super) struct Alarms {
    worker: Option<Worker>,
    dropped: u64,
}

/// Thread that handles alarms, and gives the numbers of those that failed and that came too late.
struct Worker {
    to: SyncSender<Value>,
    thread: JoinHandle<[u64; 2]>,
    /// When the input ended.
    ended: Arc<OnceLock<Instant>>,
}

impl Alarms {
    /// # Errors
    ///
    /// A command whose program does not exist, or an address that is none.
    pub(super) fn begin(analyze: &Analyze) -> Result<Self, Failure> {
        let mut command = analyze.on_alarm.clone();
        if command.last().is_some_and(|last| last == ";") {
            command.pop();
        }
        if let Some(program) = command.first() {
            find_program(program)?;
            let own = Analyze::augment_args(clap::Command::new("analyze"));
            let own: Vec<String> = own
                .get_arguments()
                .filter_map(|a| Some(format!("--{}", a.get_long()?)))
                .collect();
            if let Some(option) = command.iter().find(|argument| own.contains(argument)) {
                return Err(Failure::BadInput(format!(
                    "--on-alarm: found `{option}` among the arguments of `{program}`; expected `;` at their end, as in --on-alarm {program} {{channel}} \\; {option}"
                )));
            }
        }
        let webhook = analyze
            .webhook
            .as_deref()
            .map(|url| Webhook::new(url, analyze.webhook_ca.clone()))
            .transpose()
            .map_err(|error| Failure::BadInput(format!("--webhook: {error}")))?;
        let worker = (!command.is_empty() || webhook.is_some()).then(|| {
            let (to, from) = sync_channel(MAX_WAITING);
            let ended = Arc::new(OnceLock::new());
            let of_thread = Arc::clone(&ended);
            let thread =
                std::thread::spawn(move || work(&from, &command, webhook.as_ref(), &of_thread));
            Worker { to, thread, ended }
        });
        Ok(Self { worker, dropped: 0 })
    }

    /// Reports an alarm that begins with this row.
    pub(super) fn push<const N: usize>(
        &mut self,
        analyze: &Analyze,
        begun: &Interval<N>,
        row: &Row,
        channels: &[String],
    ) {
        if self.worker.is_none() && !analyze.is_piped() {
            return;
        }
        let channel = begun.cause().map_or("?", |n| channels[n].as_str());
        let at = match row.time.trim() {
            "" => format!("row {}", row.number),
            time => format!("{time}, row {}", row.number),
        };
        let text = format!("{at}: {channel}, surprise {:.2}", begun.peak);
        if analyze.is_piped() {
            analyze.print(&format!("alarm: {text}"));
        }
        let Some(worker) = &self.worker else { return };
        let furthest = begun.furthest();
        let alarm = json!({
            "channel": channel,
            "text": text,
            "row": row.number,
            "time": row.time.trim(),
            "surprise": begun.peak,
            "severity": begun.severity,
            "measured": furthest.map(|f| f.measured),
            "expected": furthest.map(|f| f.expected),
            "band": furthest.map(|f| f.band),
        });
        if let Err(TrySendError::Full(_)) = worker.to.try_send(alarm) {
            self.dropped += 1;
        }
    }

    /// Waits for the last one, and warns of those that failed.
    pub(super) fn finish(self, analyze: &Analyze) {
        let Some(Worker { to, thread, ended }) = self.worker else {
            return;
        };
        // What waits still has the time of one program.
        let _ = ended.set(Instant::now());
        drop(to);
        let [failed, late] = thread.join().unwrap_or_default();
        for (count, what) in [
            (failed, "commands or requests of alarms failed"),
            (
                self.dropped + late,
                "alarms were dropped: their command or request takes longer than they do",
            ),
        ] {
            if count > 0 {
                analyze.warn(&format!("{count} {what}"));
            }
        }
    }
}

/// Runs the command and sends the request of each alarm; the numbers of those that failed and that came too late.
fn work(
    from: &Receiver<Value>,
    command: &[String],
    webhook: Option<&Webhook>,
    ended: &OnceLock<Instant>,
) -> [u64; 2] {
    let (mut failed, mut late) = (0, 0);
    for alarm in from {
        if ended.get().is_some_and(|at| at.elapsed() > MAX_RUN) {
            late += 1;
            continue;
        }
        let mut outcomes = Vec::new();
        if !command.is_empty() {
            outcomes.push(("--on-alarm", execute(command, &alarm)));
        }
        if let Some(webhook) = webhook {
            outcomes.push(("--webhook", webhook.send(&alarm)));
        }
        for (option, outcome) in outcomes {
            if let Err(error) = outcome {
                // The first one at once; the others are counted.
                if failed == 0 {
                    print_err!("warning: {option}: {error}");
                }
                failed += 1;
            }
        }
    }
    [failed, late]
}

/// Runs a program with its arguments filled in, each of them one argument whatever it contains.
fn execute(command: &[String], alarm: &Value) -> Result<(), String> {
    let fill = |argument: &String| fill(argument, alarm);
    let mut arguments = command.iter().map(fill);
    let program = arguments.next().unwrap_or_default();
    let failed = |error: std::io::Error| format!("{program}: {error}");
    let mut child = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::null())
        // The scores may go to standard output.
        .stdout(Stdio::null())
        .spawn()
        .map_err(failed)?;
    match child.wait_timeout(MAX_RUN).map_err(failed)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("{program}: {status}")),
        None => {
            child.kill().map_err(failed)?;
            child.wait().map_err(failed)?;
            Err(format!(
                "{program}: did not end within {} s",
                MAX_RUN.as_secs()
            ))
        }
    }
}

/// An argument with the words in braces replaced, in one pass: what is filled in is not looked at again.
fn fill(argument: &str, alarm: &Value) -> String {
    let mut filled = String::new();
    let mut rest = argument;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let word = WORDS.iter().find(|word| {
            let inner = rest[1..].strip_prefix(**word);
            inner.is_some_and(|after| after.starts_with('}'))
        });
        match word.map(|word| (word, &alarm[*word])) {
            Some((word, value)) => {
                match value {
                    Value::String(text) => filled.push_str(text),
                    Value::Null => {}
                    number => filled.push_str(&number.to_string()),
                }
                rest = &rest[word.len() + 2..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled + rest
}

/// Refuses a program that is not there before the first alarm.
fn find_program(program: &str) -> Result<(), Failure> {
    let is_there = if program.contains(std::path::MAIN_SEPARATOR) {
        Path::new(program).is_file()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    if is_there || cfg!(windows) {
        return Ok(());
    }
    Err(Failure::BadInput(format!(
        "--on-alarm: found no program `{program}`; expected a program and its arguments, as in --on-alarm notify-send {{channel}} {{text}} \\;"
    )))
}

/// A web address that alarms are sent to.
struct Webhook {
    server: Server,
    agent: Agent,
}

impl Webhook {
    /// `ca`: file with the issuer of the server's certificate; none: those of the machine.
    ///
    /// # Errors
    ///
    /// Found and expected: an address that is none, or certificates that cannot be read.
    fn new(url: &str, ca: Option<String>) -> Result<Self, String> {
        // The person who typed an address trusts it, be it private.
        let uri = url.parse::<Uri>().ok();
        let own = uri.and_then(|uri| uri.authority().map(ToString::to_string));
        let server = Server::new(url, HTTP, own.as_slice(), ca, None)?;
        let agent = server.agent(&SourceSite::default(), |config| {
            config.timeout_global(Some(TIMEOUT))
        })?;
        Ok(Self { server, agent })
    }

    fn send(&self, alarm: &Value) -> Result<(), String> {
        let uri = &self.server.uri;
        let sent = self
            .agent
            .post(uri)
            .config()
            // A redirected request loses its body.
            .max_redirects(0)
            .build()
            .content_type("application/json")
            .send(alarm.to_string());
        // Paths of webhooks are secrets.
        let host = uri.host().unwrap_or_default();
        match sent.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) => Err(format!(
                "{host}: found the answer {status}; expected success"
            )),
            Err(error) => Err(format!("{host}: {}", describe(error, TIMEOUT))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_filled_in_once_and_others_kept() {
        let alarm =
            json!({"channel": "a {text}; rm", "text": "t", "row": 7, "time": "", "surprise": 1.5});
        for (argument, filled) in [
            ("{channel}", "a {text}; rm"),
            ("row={row},{surprise}", "row=7,1.5"),
            ("{other} {row", "{other} {row"),
            ("{{row}}", "{7}"),
            ("é{time}", "é"),
        ] {
            assert_eq!(fill(argument, &alarm), filled);
        }
    }

    #[test]
    fn addresses_and_programs_are_checked_first() {
        for url in [
            "ftp://x",
            "127.0.0.1:90",
            "http:///x",
            "",
            "http://me:pass@x",
        ] {
            assert!(Webhook::new(url, None).is_err(), "{url}");
        }
        for url in [
            "http://127.0.0.1:9000/hook",
            "http://10.0.0.7/hook",
            "http://[fd00::1]:9000",
        ] {
            assert!(Webhook::new(url, None).is_ok(), "{url}");
        }
        assert!(find_program("no-such-program-here").is_err());
    }
}
