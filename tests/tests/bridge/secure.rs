//! TLS and tokens of `http` and `websocket`: certificates by openssl, servers on Python.

use super::websocket::{python, serve};
use super::{Peer, Run, free_port, listens, meter};
use becomingone::components::link::LinkState;
use becomingone_tests::{CERTIFICATES, folder, run, tool};

const SECRET: &str = "correct-horse";

/// A web server of the standard library, by TLS, which wants a token for `/state`.
const WEB_SERVER: &str = "
import http.server, ssl, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.headers.get('Authorization') == 'Bearer correct-horse'
        body = b'{\"x\": 4}' if known else b'no token'
        self.send_response(200 if known else 401)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), H)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[2] + '.pem', sys.argv[2] + '.key')
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()";

#[test]
fn certificates_and_tokens_are_checked_and_no_secret_is_printed() {
    let Some(python) = python() else { return };
    let here = folder(&[("web.py", WEB_SERVER), ("token", SECRET), ("other", "x")]);
    tool(here.path(), CERTIFICATES);
    let at = here.path().display();
    let start = |certificate: &str| {
        let (web, socket) = (free_port(), free_port());
        let text = web.to_string();
        let argv = [python.as_str(), "web.py", &text, certificate];
        let peer = Peer::start(here.path(), &argv);
        listens(web);
        let (pem, key) = (format!("{certificate}.pem"), format!("{certificate}.key"));
        let other = serve(here.path(), socket, &[&pem, &key]).unwrap();
        let http =
            format!("Driver(\"http\", (url: \"https://127.0.0.1:{web}/state\", every_s: 0.05");
        let socket = format!(
            "Driver(\"websocket\", (url: \"wss://localhost:{socket}/token\", pick: \"/tank/level\""
        );
        ((peer, other), [http, socket])
    };
    let options =
        |ca: &str, token: &str| format!(", ca: \"{at}/{ca}.pem\", token: File(\"{at}/{token}\")))");
    let (_peers, sources) = start("server");
    for source in &sources {
        let scene = meter(&format!("{source}{}", options("ca", "token")));
        let mut run_here = Run::new(&scene, &[]);
        run_here.until("a reading", |l| l.received > 2 && l.state == LinkState::Up);
    }
    let (_expired, old) = start("expired");
    for (sources, ca, token, reason) in [
        (&sources, "other", "token", "of an issuer that is not known"),
        (
            &old,
            "ca",
            "token",
            "certificate of the server that has expired",
        ),
        (&sources, "ca", "other", "found status 401 Unauthorized"),
    ] {
        for source in sources {
            let scene = meter(&format!("{source}{}", options(ca, token)));
            let here = folder(&[("s.ron", &scene)]);
            let args = ["run", "s.ron", "--rerun", "off", "--duration", "2s"];
            let ran = run(here.path(), &[&args[..], &["--record", "r.mcap"]].concat());
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            assert_eq!(ran.stderr.matches(reason).count(), 1, "{}", ran.stderr);
            let recorded = std::fs::read(here.path().join("r.mcap")).unwrap();
            let secret = SECRET.as_bytes();
            assert!(!recorded.windows(secret.len()).any(|w| w == secret));
            assert!(!ran.stderr.contains(SECRET) && !ran.stdout.contains(SECRET));
        }
    }
    // A file that is missing ends the run at its start.
    let scene = meter(&format!("{}{}", sources[0], options("none", "token")));
    let here = folder(&[("s.ron", &scene)]);
    let ran = run(here.path(), &["run", "s.ron", "--rerun", "off", "--quiet"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("none.pem: "), "{}", ran.stderr);
}
