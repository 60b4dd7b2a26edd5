//! Redirects by a server with TLS: where they lead, and who gets the token. Certificates by openssl.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_systems::links::SourceSite;
use becomingone_systems::links::tls::provider;
use becomingone_systems::links::web::{HTTP, Server, Token, describe};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use ureq::http::header::AUTHORIZATION;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Makes a certificate of this machine that is its own issuer.
fn certificate(folder: &Path, constraints: &str) {
    let made = Command::new("openssl")
        .current_dir(folder)
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args([
            "-keyout", "key.pem", "-out", "ca.pem", "-days", "2", "-subj", "/CN=lab",
        ])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", constraints])
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// Answers the requests of a connection: `answer` has their paths and tokens.
fn serve(stream: impl Read + Write, answer: impl Fn(&str, Option<&str>) -> String) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let path = lines[0].split(' ').nth(1).unwrap_or_default();
        let header = |l: &String| {
            Some(l.split_once(": ")?.1.to_owned())
                .filter(|_| l.to_ascii_lowercase().starts_with("authorization:"))
        };
        let token = lines.iter().find_map(header);
        let text = format!("HTTP/1.1 {}\r\n\r\n", answer(path, token.as_deref()));
        if stream.get_mut().write_all(text.as_bytes()).is_err() || stream.get_mut().flush().is_err()
        {
            return;
        }
    }
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A server with this certificate, until the test ends.
fn secure(
    folder: &Path,
    listener: TcpListener,
    answer: impl Fn(&str, Option<&str>) -> String + Send + Sync + 'static,
) {
    let chain = vec![CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, answer) = (Arc::new(config), Arc::new(answer));
    std::thread::spawn(move || {
        for tcp in listener.incoming() {
            let (config, answer) = (config.clone(), answer.clone());
            std::thread::spawn(move || {
                let tls = ServerConnection::new(config).unwrap();
                serve(StreamOwned::new(tls, tcp.unwrap()), &*answer);
            });
        }
    });
}

/// The status of an answer to a request with a token, or why there is none.
fn get(folder: &TempDir, url: &str, allow: &[String]) -> Result<u16, String> {
    std::fs::write(folder.path().join("token"), "open sesame").unwrap();
    let site = SourceSite {
        folder: folder.path().to_owned(),
        ..SourceSite::default()
    };
    let token = Some(Token::File("token".to_owned()));
    let ca = Some("ca.pem".to_owned());
    let server = Server::new(url, HTTP, allow, ca, token)?;
    let agent = server.agent(&site, |config| config.timeout_global(Some(TIMEOUT)))?;
    let token = server.authorization(&site)?.unwrap();
    let answer = agent.get(&server.uri).header(AUTHORIZATION, token).call();
    answer
        .map(|answer| answer.status().as_u16())
        .map_err(|error| describe(error, TIMEOUT))
}

fn redirect(to: &str) -> String {
    format!("302 Found\r\nLocation: {to}\r\nContent-Length: 0")
}

#[test]
fn a_redirect_keeps_tls_and_gives_the_token_to_its_own_origin_alone() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "basicConstraints=critical,CA:FALSE");
    let (plain, plain_port) = listen();
    let (other, other_port) = listen();
    let (own, port) = listen();
    std::thread::spawn(move || {
        for tcp in plain.incoming() {
            serve(tcp.unwrap(), |_, _| {
                "200 OK\r\nContent-Length: 0".to_owned()
            });
        }
    });
    let check = |token: Option<&str>| match token {
        Some("Bearer open sesame") => "200 OK\r\nContent-Length: 0".to_owned(),
        _ => "401 Unauthorized\r\nContent-Length: 0".to_owned(),
    };
    secure(folder.path(), other, move |_, token| check(token));
    secure(folder.path(), own, move |path, token| match path {
        "/plain" => redirect(&format!("http://127.0.0.1:{plain_port}/")),
        "/state" => redirect("/state/"),
        "/other" => redirect(&format!("https://127.0.0.1:{other_port}/")),
        _ => check(token),
    });
    let at = |path: &str| format!("https://127.0.0.1:{port}{path}");
    assert_eq!(get(&folder, &at("/state/"), &[]), Ok(200));
    assert_eq!(get(&folder, &at("/state"), &[]), Ok(200), "the same origin");
    let refused = get(&folder, &at("/other"), &[]).unwrap_err();
    assert!(refused.contains("found a redirect to"), "{refused}");
    for allow in ["127.0.0.1".to_owned(), format!("127.0.0.1:{other_port}")] {
        let status = get(&folder, &at("/other"), &[allow]);
        assert_eq!(status, Ok(401), "another port gets no token");
    }
    let allow = [format!("127.0.0.1:{plain_port}")];
    let refused = get(&folder, &at("/plain"), &allow).unwrap_err();
    assert!(refused.contains("without TLS"), "{refused}");
}

/// That of `openssl req -x509` without further options.
#[test]
fn a_certificate_of_an_issuer_is_named_with_what_to_make_instead() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path(), "basicConstraints=critical,CA:TRUE");
    let (own, port) = listen();
    secure(folder.path(), own, |_, _| String::new());
    let refused = get(&folder, &format!("https://127.0.0.1:{port}/"), &[]).unwrap_err();
    assert!(
        refused.contains("CA:TRUE") && refused.contains("basicConstraints=critical,CA:FALSE"),
        "{refused}"
    );
}
