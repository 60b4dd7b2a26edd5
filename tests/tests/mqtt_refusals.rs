//! What a broker refuses, and what is refused of it: users, certificates, no broker. Each is a clear error without a
//! storm of attempts, and without a secret in what is printed or recorded.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::mosquitto::Mosquitto;
use becomingone_tests::{CERTIFICATES, binary, finish, folder, tool};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SECRET: &str = "correct-horse";
/// Most attempts in the 3 s of a run: the pauses begin with at least 0.05 s and double.
const MAX_ATTEMPTS: usize = 8;

/// What a run of 3 s printed, its summary, and its recording.
struct Ran {
    stderr: String,
    link: Value,
}

/// Runs a sensor with these options for 3 s, with the user and password in the environment.
fn run(options: &str, password: &str, files: impl FnOnce(&Path)) -> Ran {
    let text = format!(
        "(version: 1, world: (ground: None), agents: [(name: \"box\", coherence: off, sensors: [(
            name: \"meter\", kind: Values(fields: [(name: \"x\", unit: \"1\")]), rate_hz: 100.0,
            source: Driver(\"mqtt\", (topic: \"t\", {options})), silence: (after_s: 1000.0))])])"
    );
    let folder = folder(&[("s.ron", &text)]);
    files(folder.path());
    let mut command = Command::new(binary());
    command.args([
        "run",
        "s.ron",
        "--rerun",
        "off",
        "--duration",
        "3s",
        "--summary",
        "s.json",
        "--record",
        "r.mcap",
    ]);
    command
        .env("BOX_USER", "robot")
        .env("BOX_PASSWORD", password)
        .current_dir(&folder);
    command.env("RUST_LOG", "trace");
    let ran = finish(&mut command, Duration::from_secs(60));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for (place, bytes) in [
        ("printed", (ran.stdout + &ran.stderr).into_bytes()),
        (
            "recorded",
            std::fs::read(folder.path().join("r.mcap")).unwrap(),
        ),
        (
            "summary",
            std::fs::read(folder.path().join("s.json")).unwrap(),
        ),
    ] {
        let has = bytes
            .windows(password.len())
            .any(|w| w == password.as_bytes());
        assert!(!has, "the password is in what is {place}");
    }
    let summary = std::fs::read(folder.path().join("s.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    Ran {
        stderr: ran.stderr,
        link: summary["agents"][0]["sensors"][0]["link"].clone(),
    }
}

/// Checks that a run's link was down for this reason, said once.
fn down(ran: &Ran, reason: &str) {
    let said = ran
        .stderr
        .lines()
        .filter(|line| line.contains("trying again"));
    let said: Vec<&str> = said.collect();
    assert_eq!(said.len(), 1, "{reason}: {}", ran.stderr);
    assert!(said[0].contains(reason), "no `{reason}` in {}", said[0]);
    let state = ran.link["state"]
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    assert!(state == "down" || state == "connecting", "{}", ran.link);
}

fn up(ran: &Ran) {
    let state = ran.link["state"]
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    assert_eq!(state, "up", "{}\n{}", ran.link, ran.stderr);
}

#[test]
fn a_wrong_password_is_named_by_the_broker_and_a_right_one_is_printed_nowhere() {
    let broker = Mosquitto::prepare(
        |folder| {
            tool(
                folder,
                &format!("mosquitto_passwd -b -c users robot {SECRET}"),
            );
        },
        "allow_anonymous false\npassword_file {folder}/users",
    );
    let Some(mut broker) = broker else { return };
    let login = "login: Env(user: \"BOX_USER\", password: \"BOX_PASSWORD\")";
    for version in [3, 5] {
        let options = format!("broker: \"{}\", version: {version}, {login}", broker.url());
        up(&run(&options, SECRET, |_| {}));
        let before = connections(&mut broker);
        broker.begin();
        let ran = run(&options, "battery-staple", |_| {});
        down(
            &ran,
            "the broker refused the connection: not authorized; expected a user and password that it knows",
        );
        let attempts = connections(&mut broker) - before - 1;
        assert!(
            (2..=MAX_ATTEMPTS).contains(&attempts),
            "{attempts} attempts"
        );
        broker.begin();
    }
    let options = format!(
        "broker: \"{}\", login: File(\"broker.login\")",
        broker.url()
    );
    up(&run(&options, SECRET, |folder| {
        std::fs::write(folder.join("broker.login"), format!("robot\n{SECRET}\n")).unwrap();
    }));
}

#[test]
fn a_broker_that_is_not_there_is_said_once() {
    let ran = run("broker: \"mqtt://127.0.0.1:1\"", SECRET, |_| {});
    down(&ran, "no connection: Connection refused");
    let ran = run("broker: \"mqtt://no-such-host.invalid\"", SECRET, |_| {});
    down(&ran, "no connection: ");
}

/// Ends the broker, whose log is whole then, and counts connections, accepted ones and those that failed in TLS; one is that
/// of its start.
fn connections(broker: &mut Mosquitto) -> usize {
    broker.end("TERM");
    broker.logged(" connection from ")
}

fn with_tls(certificate: &str, more: &str) -> Option<Mosquitto> {
    let lines = format!(
        "cafile {{folder}}/ca.pem\ncertfile {{folder}}/{certificate}.pem\nkeyfile {{folder}}/{certificate}.key\n{more}"
    );
    Mosquitto::prepare(|folder| tool(folder, CERTIFICATES), &lines)
}

/// Options of a connection, with files of the broker's folder.
fn tls(broker: &Mosquitto, ca: &str, client: Option<&str>) -> String {
    let at = broker.folder.path().display();
    let client =
        client.map(|name| format!(", certificate: \"{at}/{name}.pem\", key: \"{at}/{name}.key\""));
    format!(
        "broker: \"mqtts://127.0.0.1:{}\", ca: \"{at}/{ca}.pem\"{}",
        broker.port,
        client.unwrap_or_default()
    )
}

#[test]
fn an_expired_or_unknown_certificate_of_the_broker_is_refused() {
    let Some(broker) = with_tls("server", "") else {
        return;
    };
    up(&run(&tls(&broker, "ca", None), SECRET, |_| {}));
    up(&run(
        &(tls(&broker, "ca", None) + ", version: 5"),
        SECRET,
        |_| {},
    ));
    down(
        &run(&tls(&broker, "other", None), SECRET, |_| {}),
        "found a certificate of the broker of an issuer that is not known; expected that of `ca`",
    );
    drop(broker);
    let Some(mut broker) = with_tls("expired", "") else {
        return;
    };
    let ran = run(&tls(&broker, "ca", None), SECRET, |_| {});
    down(&ran, "found a certificate of the broker that has expired");
    let attempts = connections(&mut broker);
    assert!(
        (2..=MAX_ATTEMPTS + 1).contains(&attempts),
        "{attempts} attempts"
    );
}

#[test]
fn a_certificate_of_ours_is_accepted_or_refused_by_the_broker() {
    let Some(broker) = with_tls("server", "require_certificate true") else {
        return;
    };
    for version in [3, 5] {
        let with = |client| format!("{}, version: {version}", tls(&broker, "ca", client));
        up(&run(&with(Some("client")), SECRET, |_| {}));
        down(
            &run(&with(None), SECRET, |_| {}),
            "the broker wants a certificate of ours; expected `certificate` and `key`",
        );
        down(
            &run(&with(Some("old_client")), SECRET, |_| {}),
            "the broker refused our certificate: it has expired",
        );
        down(
            &run(&with(Some("stranger")), SECRET, |_| {}),
            "the broker refused our certificate: ",
        );
    }
}
