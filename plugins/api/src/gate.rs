//! The gate: every request of a client passes it, whatever it asks for.

#![expect(
    clippy::disallowed_methods,
    reason = "clients, leases and limits of rates live by the wall clock"
)]

use crate::connections::Open;
use crate::problem::Problem;
use crate::token::{Role, Secret, Tokens};
use axum::extract::{Request, State};
use axum::http::{Extensions, HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a one-time code is good.
const CODE_LASTS: Duration = Duration::from_secs(600);
/// How long a page stays signed in.
const SESSION_LASTS: Duration = Duration::from_secs(12 * 3600);
/// Most pages that are signed in.
const MAX_SESSIONS: usize = 32;
/// Most one-time codes of clients that are not used yet.
const MAX_CODES: usize = 32;
/// Requests a second of all clients of one role together, and how many at once.
const REQUESTS: (f64, f64) = (2000.0, 4000.0);
/// Wrong tokens a second, and how many at once.
const MISTAKES: (f64, f64) = (5.0, 20.0);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) role: Role,
}

impl Caller {
    /// Refuses who may not do this.
    pub(crate) fn needs(self, role: Role) -> Result<(), Problem> {
        match self.role >= role {
            true => Ok(()),
            false => Err(Problem::forbidden(format!(
                "found a token of the role {}; expected {role}",
                self.role
            ))),
        }
    }
}

/// A rate that is not exceeded for long.
struct Bucket {
    rate: f64,
    size: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    fn new((rate, size): (f64, f64)) -> Self {
        Self {
            rate,
            size,
            left: size,
            at: Instant::now(),
        }
    }

    /// Whether one more is allowed now.
    fn take(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + elapsed * self.rate).min(self.size);
        self.at = now;
        let allowed = self.left >= 1.0;
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }
}

/// A page that is signed in.
struct Session {
    id: Secret,
    ends: Instant,
}

/// What the gate remembers.
pub(crate) struct Gate {
    tokens: Tokens,
    /// Values of `Host` that are this server.
    hosts: Vec<String>,
    /// Whether every address of this machine is served: `Host` may be any number, which no name leads to.
    is_any: bool,
    port: u16,
    /// Name of the page's cookie: browsers send cookies to all ports of a host.
    cookie: String,
    state: Mutex<GateState>,
}

struct GateState {
    /// The code that is printed at the start, until it is used.
    code: Option<(Secret, Instant)>,
    /// Codes of clients that cannot send a token, and what they may do.
    client_codes: VecDeque<(Secret, Instant, Caller)>,
    sessions: VecDeque<Session>,
    requests: [Bucket; 3],
    mistakes: Bucket,
}

impl Gate {
    /// A gate with these tokens, of the server at this address, for these values of `Host`.
    pub(crate) fn new(tokens: Tokens, hosts: Vec<String>, address: SocketAddr) -> Self {
        Self {
            tokens,
            hosts,
            is_any: address.ip().is_unspecified(),
            port: address.port(),
            cookie: format!("becomingone-{}", address.port()),
            state: Mutex::new(GateState {
                code: None,
                client_codes: VecDeque::new(),
                sessions: VecDeque::new(),
                requests: [0; 3].map(|_| Bucket::new(REQUESTS)),
                mistakes: Bucket::new(MISTAKES),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A code with which one page is signed in, once.
    pub(crate) fn code(&self) -> Result<String, String> {
        let code = Secret::random()?;
        let text = code.reveal().to_owned();
        self.lock().code = Some((code, Instant::now() + CODE_LASTS));
        Ok(text)
    }

    /// A code with which one client connects, once, and may do what this caller may; and how long it is good.
    pub(crate) fn client_code(&self, caller: Caller) -> Result<(String, Duration), Problem> {
        let code = Secret::random().map_err(Problem::unavailable)?;
        let text = code.reveal().to_owned();
        let mut state = self.lock();
        if state.client_codes.len() == MAX_CODES {
            state.client_codes.pop_front();
        }
        let until = Instant::now() + CODE_LASTS;
        state.client_codes.push_back((code, until, caller));
        Ok((text, CODE_LASTS))
    }

    /// Who connects with this code, which is good no longer.
    pub(crate) fn by_code(&self, code: &str) -> Result<Caller, Problem> {
        let now = Instant::now();
        let mut state = self.lock();
        state.client_codes.retain(|(_, until, _)| now < *until);
        let mut found = None;
        for (index, (secret, ..)) in state.client_codes.iter().enumerate() {
            if bool::from(secret.is(code)) {
                found = Some(index);
            }
        }
        let known = found.and_then(|index| state.client_codes.remove(index));
        known.map(|(.., caller)| caller).ok_or_else(|| {
            state.mistaken(
                "found a code that is not good, or not any more; expected one of POST /v1/foxglove/code, which is good once",
                now,
            )
        })
    }

    /// Signs a page in; returns its cookie.
    pub(crate) fn sign_in(&self, code: &str, is_secure: bool) -> Result<String, Problem> {
        let now = Instant::now();
        let mut state = self.lock();
        let is_right =
            |(secret, until): &(Secret, Instant)| bool::from(secret.is(code)) && now < *until;
        if !state.code.as_ref().is_some_and(is_right) {
            return Err(state.mistaken("found a code that is not good, or not any more; expected the one that the run prints at its start", now));
        }
        state.code = None;
        let id = Secret::random().map_err(Problem::unavailable)?;
        let secure = if is_secure { "; Secure" } else { "" };
        let cookie = format!(
            "{}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={}{secure}",
            self.cookie,
            id.reveal(),
            SESSION_LASTS.as_secs()
        );
        if state.sessions.len() == MAX_SESSIONS {
            state.sessions.pop_front();
        }
        state.sessions.push_back(Session {
            id,
            ends: now + SESSION_LASTS,
        });
        Ok(cookie)
    }

    /// Whether a request is for this server by its name: a page elsewhere may have made a browser ask here (DNS
    /// rebinding, requests of other sites).
    fn is_ours(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
        let known = |host: &str| {
            let address = host.parse::<SocketAddr>();
            self.hosts
                .iter()
                .any(|ours| ours.eq_ignore_ascii_case(host))
                || address.is_ok_and(|address| self.is_any && address.port() == self.port)
        };
        if !host.is_some_and(known) {
            return Err(Problem::new(
                StatusCode::MISDIRECTED_REQUEST,
                format!("found another `Host`; expected {}", self.hosts.join(" or ")),
            ));
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let is_known = origins.all(|origin| {
            let origin = origin.to_str().unwrap_or_default();
            let host = origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"));
            host.is_some_and(known)
        });
        match is_known {
            true => Ok(()),
            false => Err(Problem::forbidden(
                "found the `Origin` of another site; expected none, or this server's",
            )),
        }
    }

    /// Who asks, where it is known.
    pub(crate) fn knows(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        self.caller(headers, false)
    }

    /// Who asks, by a token or by the cookie of a page. A stop counts for no rate: others of its role may have used it up.
    pub(crate) fn caller(&self, headers: &HeaderMap, is_stop: bool) -> Result<Caller, Problem> {
        let now = Instant::now();
        let bearer = headers.get(header::AUTHORIZATION).map(|value| {
            let value = value.to_str().unwrap_or_default();
            let (scheme, token) = value.split_once(' ').unwrap_or_default();
            let token = token.trim();
            if scheme.eq_ignore_ascii_case("bearer") {
                token
            } else {
                ""
            }
        });
        let mut state = self.lock();
        let role = match bearer {
            Some(token) => self.tokens.role(token),
            None => {
                state.sessions.retain(|session| now < session.ends);
                let cookies = headers.get_all(header::COOKIE).iter();
                let cookies = cookies.filter_map(|cookie| cookie.to_str().ok());
                let ids = cookies.flat_map(|all| all.split(';')).filter_map(|cookie| {
                    let (name, id) = cookie.trim().split_once('=')?;
                    (name == self.cookie).then_some(id)
                });
                let mut is_known = false;
                for id in ids.take(4) {
                    for session in &state.sessions {
                        is_known |= bool::from(session.id.is(id));
                    }
                }
                is_known.then_some(Role::Owner)
            }
        };
        let Some(role) = role else {
            return Err(match bearer {
                Some(_) => state.mistaken(
                    "found another token; expected that of this server, or of its file",
                    now,
                ),
                None => Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "found no token; expected `Authorization: Bearer TOKEN`",
                ),
            });
        };
        match is_stop || state.requests[role as usize].take(now) {
            true => Ok(Caller { role }),
            false => Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                format!("expected at most {} requests a second", REQUESTS.0),
            )),
        }
    }
}

impl GateState {
    /// A wrong secret: refused, and slowed down where there are many.
    fn mistaken(&mut self, detail: &str, now: Instant) -> Problem {
        match self.mistakes.take(now) {
            true => Problem::new(StatusCode::UNAUTHORIZED, detail),
            false => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "found many wrong tokens; expected a pause",
            ),
        }
    }
}

/// Whether it stops agents: nothing is in its way but the gate itself.
pub(crate) fn is_stop(request: &Request) -> bool {
    let path = request.uri().path();
    let stops = ["/stop", "/Stop", "/StopAll"];
    request.method() == Method::POST && stops.iter().any(|stop| path.ends_with(stop))
}

/// Lets requests pass that are for this server.
pub(crate) async fn ours(
    State(gate): State<Arc<Gate>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    gate.is_ours(request.uri(), request.headers())?;
    Ok(next.run(request).await)
}

/// Lets requests pass whose caller is known, and tells who it is.
pub(crate) async fn known(
    State(gate): State<Arc<Gate>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let caller = gate.caller(request.headers(), is_stop(&request))?;
    know(request.extensions());
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// The same without a limit of the rate: what is asked from within has one.
pub(crate) async fn admitted(
    State(gate): State<Arc<Gate>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    gate.caller(request.headers(), true)?;
    know(request.extensions());
    Ok(next.run(request).await)
}

/// The connection of this request is one of somebody who is known.
pub(crate) fn know(extensions: &Extensions) {
    if let Some(open) = extensions.get::<Arc<Open>>() {
        open.know();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn gate() -> Gate {
        let tokens = Tokens::owner(TOKEN).unwrap();
        Gate::new(
            tokens,
            vec!["127.0.0.1:8420".to_owned(), "localhost:8420".to_owned()],
            "127.0.0.1:8420".parse().unwrap(),
        )
    }

    fn headers(all: &[(header::HeaderName, &str)]) -> HeaderMap {
        let all = all
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()));
        all.collect()
    }

    #[test]
    fn requests_of_other_sites_are_refused() {
        let gate = gate();
        let check = |all: &[(header::HeaderName, &str)]| {
            let ours = gate.is_ours(&Uri::from_static("/v1/agents"), &headers(all));
            ours.err().map(|problem| problem.status)
        };
        let host = (header::HOST, "127.0.0.1:8420");
        assert_eq!(check(std::slice::from_ref(&host)), None);
        assert_eq!(check(&[(header::HOST, "LOCALHOST:8420")]), None);
        for other in [
            "evil.example:8420",
            "127.0.0.1",
            "127.0.0.1:80",
            "",
            "127.0.0.1:8420.evil.example",
        ] {
            assert_eq!(check(&[(header::HOST, other)]), Some(421), "{other}");
        }
        assert_eq!(check(&[]), Some(421));
        for (origin, status) in [
            ("http://127.0.0.1:8420", None),
            ("https://localhost:8420", None),
            ("http://evil.example", Some(403)),
            ("null", Some(403)),
            ("http://127.0.0.1:8421", Some(403)),
            ("ftp://127.0.0.1:8420", Some(403)),
        ] {
            assert_eq!(
                check(&[host.clone(), (header::ORIGIN, origin)]),
                status,
                "{origin}"
            );
        }
    }

    #[test]
    fn a_token_or_a_page_that_is_signed_in_is_known() {
        let gate = gate();
        let caller = |name: header::HeaderName, value: &str| {
            gate.caller(&headers(&[(name, value)]), false)
                .map_err(|problem| problem.status)
        };
        let owner = Ok(Caller { role: Role::Owner });
        assert_eq!(
            caller(header::AUTHORIZATION, &format!("Bearer {TOKEN}")),
            owner
        );
        assert_eq!(
            caller(header::AUTHORIZATION, &format!("bearer  {TOKEN} ")),
            owner
        );
        for wrong in [
            "",
            "Bearer",
            "Bearer 0123456789abcdee",
            &format!("Basic {TOKEN}"),
            TOKEN,
        ] {
            assert_eq!(caller(header::AUTHORIZATION, wrong), Err(401), "{wrong}");
        }
        assert_eq!(caller(header::ACCEPT, "*/*"), Err(401));

        let code = gate.code().unwrap();
        assert_eq!(gate.sign_in(&code[1..], false).unwrap_err().status, 401);
        let cookie = gate.sign_in(&code, false).unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(&code));
        // Once.
        assert_eq!(gate.sign_in(&code, false).unwrap_err().status, 401);
        let sent = cookie.split(';').next().unwrap();
        assert_eq!(caller(header::COOKIE, &format!("a=b; {sent}")), owner);
        assert_eq!(caller(header::COOKIE, &sent[..sent.len() - 1]), Err(401));
    }

    #[test]
    fn a_code_is_good_once_and_for_what_its_caller_may() {
        let gate = gate();
        let viewer = Caller { role: Role::Viewer };
        let (code, lasts) = gate.client_code(viewer).unwrap();
        assert_eq!(lasts, Duration::from_secs(600));
        assert_eq!(gate.by_code(&code[1..]).unwrap_err().status, 401);
        assert_eq!(gate.by_code(TOKEN).unwrap_err().status, 401);
        assert_eq!(gate.by_code(&code), Ok(viewer));
        assert_eq!(gate.by_code(&code).unwrap_err().status, 401);
        // The page's code and those of clients are not each other's.
        let page = gate.code().unwrap();
        assert_eq!(gate.by_code(&page).unwrap_err().status, 401);
        // Too many that nobody uses: the oldest is dropped.
        let codes: Vec<_> = (0..=MAX_CODES)
            .map(|_| gate.client_code(viewer).unwrap().0)
            .collect();
        assert_eq!(gate.by_code(&codes[0]).unwrap_err().status, 401);
        assert_eq!(gate.by_code(&codes[1]), Ok(viewer));
    }

    #[test]
    fn who_guesses_is_slowed_down() {
        let gate = gate();
        let wrong = headers(&[(header::AUTHORIZATION, "Bearer 0123456789abcdee")]);
        let statuses: Vec<u16> = (0..100)
            .map(|_| gate.caller(&wrong, false).unwrap_err().status)
            .collect();
        assert_eq!(statuses[0], 401);
        assert_eq!(statuses[99], 429);
        // Who knows the token is not.
        let right = headers(&[(header::AUTHORIZATION, "Bearer 0123456789abcdef")]);
        assert!(gate.caller(&right, false).is_ok());
    }

    #[test]
    fn a_stop_is_taken_where_its_role_has_asked_too_much() {
        let gate = gate();
        let right = headers(&[(header::AUTHORIZATION, "Bearer 0123456789abcdef")]);
        let most = REQUESTS.1 as usize * 3;
        let refused = (0..most).any(|_| gate.caller(&right, false).is_err());
        assert!(refused);
        assert!((0..10).all(|_| gate.caller(&right, true).is_ok()));
        let wrong = headers(&[(header::AUTHORIZATION, "Bearer 0123456789abcdee")]);
        assert!(gate.caller(&wrong, true).is_err());
    }

    #[test]
    fn every_number_of_this_machine_is_ours_and_no_other_name() {
        let tokens = Tokens::owner(TOKEN).unwrap();
        let gate = Gate::new(
            tokens,
            vec!["robot:8420".to_owned()],
            "0.0.0.0:8420".parse().unwrap(),
        );
        let is_ours = |host: &str| {
            let headers = headers(&[(header::HOST, host)]);
            gate.is_ours(&Uri::from_static("/"), &headers).is_ok()
        };
        for (host, expected) in [
            ("192.168.1.7:8420", true),
            ("[fe80::1]:8420", true),
            ("robot:8420", true),
            ("192.168.1.7:80", false),
            ("192.168.1.7", false),
            ("evil.example:8420", false),
            ("192.168.1.7.evil.example:8420", false),
        ] {
            assert_eq!(is_ours(host), expected, "{host}");
        }
    }
}
