//! A web server of a scene: which addresses are reached, by which certificates, with which token.

mod policy;

use super::site::SourceSite;
use super::tls::{self, Certificates, read_file};
pub use policy::{Policy, host, port};
use policy::{is_secure, is_this_machine};
use serde::Deserialize;
use std::time::Duration;
use ureq::config::{Config, ConfigBuilder, RedirectAuthHeaders};
use ureq::http::{HeaderValue, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

/// Schemes of HTTP.
pub const HTTP: [&str; 2] = ["http", "https"];
/// Most redirects that are followed.
pub const MAX_REDIRECTS: u32 = 3;

/// Where a token is that the server asks for: sent as `Authorization: Bearer ..` (RFC 6750).
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Token {
    /// In the environment variable of this name.
    Env(String),
    /// In the first line of a file.
    File(String),
}

impl Token {
    fn read(&self, site: &SourceSite) -> Result<HeaderValue, String> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| {
                format!("found no environment variable `{name}`; expected that of `token`")
            })?,
            Self::File(path) => {
                let bytes = read_file(path, site)?;
                let text = String::from_utf8_lossy(&bytes);
                text.lines().next().unwrap_or_default().to_owned()
            }
        };
        let value = HeaderValue::from_str(&format!("Bearer {}", text.trim()));
        let mut value = value.map_err(|_| "found signs in the token that a header cannot have")?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// A server, and how it is reached.
#[derive(Clone, PartialEq)]
pub struct Server {
    /// Its address.
    pub uri: Uri,
    /// Which addresses are reached.
    pub policy: Policy,
    /// Issuers of its certificate.
    pub certificates: Certificates,
    token: Option<Token>,
}

impl Server {
    /// Reads the options of a source; nothing else is read.
    ///
    /// # Errors
    ///
    /// Found and expected; no secret is in it.
    pub fn new(
        url: &str,
        schemes: [&str; 2],
        allow: &[String],
        ca: Option<String>,
        token: Option<Token>,
    ) -> Result<Self, String> {
        let policy = Policy::read(url, schemes, allow)?;
        let uri = url.parse::<Uri>().map_err(|error| error.to_string())?;
        let [plain, secure] = schemes;
        if ca.is_some() && !is_secure(&uri) {
            return Err(format!(
                "found `ca` with {plain}://; expected {secure}://, or no certificate"
            ));
        }
        if token.is_some() && !is_secure(&uri) && !is_this_machine(&uri) {
            return Err(format!(
                "found `token` with {plain}:// to another machine; expected {secure}://, as anyone between could read it"
            ));
        }
        if let Some(Token::Env(name)) = &token {
            let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            if name.is_empty() || !name.chars().all(is_part) {
                return Err("found a text in `token` that is no name of an environment variable; expected names of A to Z, 0 to 9 and _, such as `token: Env(\"LAB_TOKEN\")`: scenes and recordings are not secret".to_owned());
            }
        }
        Ok(Self {
            uri,
            policy,
            certificates: Certificates { ca, client: None },
            token,
        })
    }

    /// Whether TLS is wanted.
    pub fn is_secure(&self) -> bool {
        is_secure(&self.uri)
    }

    /// The header of its token; none without one.
    ///
    /// # Errors
    ///
    /// The variable or file that is missing.
    pub fn authorization(&self, site: &SourceSite) -> Result<Option<HeaderValue>, String> {
        self.token.as_ref().map(|t| t.read(site)).transpose()
    }

    /// Requests to it, with these limits of time, and without its token.
    ///
    /// # Errors
    ///
    /// A certificate that is missing.
    pub fn agent(
        &self,
        site: &SourceSite,
        limits: impl FnOnce(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope>,
    ) -> Result<Agent, String> {
        let mut config = limits(Agent::config_builder())
            .max_redirects(MAX_REDIRECTS)
            .max_redirects_will_error(true)
            .http_status_as_error(false)
            .https_only(self.is_secure())
            // Of `SameHost`, a port is no part: only where no other one of this host is reached.
            .redirect_auth_headers(match self.policy.allows_other_ports() {
                true => RedirectAuthHeaders::Never,
                false => RedirectAuthHeaders::SameHost,
            })
            // A proxy would resolve names itself, past the check of addresses.
            .proxy(None);
        // Without TLS, too: a redirect may lead there.
        let issuers = self.certificates.issuers(site);
        let issuers = match self.is_secure() {
            true => issuers?,
            // A machine without certificates trusts no one.
            false => issuers.unwrap_or_default(),
        };
        let issuers: Vec<_> = issuers
            .iter()
            .map(|issuer| Certificate::from_der(issuer).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(tls::provider())
            .root_certs(RootCerts::new_with_certs(&issuers));
        config = config.tls_config(tls.build());
        let resolver = PolicyResolver {
            policy: self.policy.clone(),
            system: DefaultResolver::default(),
        };
        Ok(Agent::with_parts(
            config.build(),
            DefaultConnector::default(),
            resolver,
        ))
    }
}

/// Why a request failed.
pub fn describe(error: Error, timeout: Duration) -> String {
    match error {
        Error::Other(refused) => refused.to_string(),
        Error::Timeout(_) => no_answer(timeout),
        Error::RequireHttpsOnly(_) => {
            "found a redirect to an address without TLS; expected https://, as in `url`".to_owned()
        }
        Error::BodyExceedsLimit(most) => {
            format!("found an answer of more than {most} bytes; expected at most these")
        }
        Error::TooManyRedirects => {
            format!(
                "found more than {MAX_REDIRECTS} redirects, or one of a command; expected an answer"
            )
        }
        Error::Rustls(error) => tls::describe(&error, "the server"),
        Error::Io(error) => tls_reason(&error).unwrap_or_else(|| error.to_string()),
        other => other.to_string(),
    }
}

/// The text of a time-out.
pub fn no_answer(timeout: Duration) -> String {
    format!("no answer within {} s", timeout.as_secs_f64())
}

/// Why TLS broke a connection to a server, if it did.
pub fn tls_reason(error: &std::io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(tls::describe(error, "the server"))
}

/// Checks every address, also that of a redirect, right before it is connected to.
#[derive(Debug)]
struct PolicyResolver {
    policy: Policy,
    system: DefaultResolver,
}

/// A refusal as an error of the resolver.
#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Resolver for PolicyResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let addresses = self.system.resolve(uri, config, timeout)?;
        for address in addresses.iter() {
            let admitted = self.policy.admit(uri, address.ip());
            admitted.map_err(|reason| Error::Other(Box::new(Refused(reason))))?;
        }
        Ok(addresses)
    }
}

/// A time of the configuration.
///
/// # Errors
///
/// It is not from 1 ms to an hour.
pub fn seconds(name: &str, value: Option<f64>, default: f64) -> Result<Duration, String> {
    let value = value.unwrap_or(default);
    if (0.001..=3600.0).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        Err(format!("found `{name}: {value}`; expected 0.001 to 3600"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str, ca: Option<&str>, token: Option<Token>) -> Result<Server, String> {
        Server::new(url, HTTP, &[], ca.map(str::to_owned), token)
    }

    #[test]
    fn a_token_comes_from_a_file_or_the_environment_and_errors_print_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hunter2\r\nmore\n").unwrap();
        let site = SourceSite {
            folder: folder.path().to_owned(),
            ..SourceSite::default()
        };
        let file = |name: &str| Some(Token::File(name.to_owned()));
        let found = server("https://a.example/", None, file("token")).unwrap();
        let value = found.authorization(&site).unwrap().unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer hunter2");
        assert!(!format!("{value:?}").contains("hunter2"));
        let none = server("http://127.0.0.1/", None, file("none")).unwrap();
        assert!(none.authorization(&site).unwrap_err().contains("none: "));
        let variable = Some(Token::Env("NO_SUCH_TOKEN".to_owned()));
        let none = server("http://localhost:80/", None, variable).unwrap();
        let error = none.authorization(&site).unwrap_err();
        assert!(error.contains("`NO_SUCH_TOKEN`"), "{error}");
    }

    #[test]
    fn a_token_is_sent_to_other_machines_by_tls_alone() {
        let file = Some(Token::File("token".to_owned()));
        let error = server("http://a.example/", None, file).err().unwrap();
        assert!(error.contains("expected https://"), "{error}");
        let error = server("http://127.0.0.1/", Some("ca.pem"), None);
        assert!(error.err().unwrap().contains("found `ca` with http://"));
        let text = Some(Token::Env("hunter2".to_owned()));
        let error = server("https://a.example/", None, text).err().unwrap();
        assert!(
            error.contains("no name of") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
