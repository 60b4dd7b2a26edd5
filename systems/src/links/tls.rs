//! TLS of drivers: certificates of the scene's folder or of the machine, and errors in words.

use super::site::SourceSite;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

/// Longest file (bytes).
const MAX_FILE: u64 = 1 << 20;

/// Its cryptography; another crate of the program may have another one.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Files of TLS, in PEM; relative to the file that states the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Issuers of the server's certificate; none: those of the machine.
    pub ca: Option<String>,
    /// Our certificate, with its chain, and its key.
    pub client: Option<(String, String)>,
}

impl Certificates {
    /// The issuers: those of `ca`, or of the machine.
    ///
    /// # Errors
    ///
    /// The file, found and expected; a machine without certificates.
    pub fn issuers(&self, site: &SourceSite) -> Result<Vec<CertificateDer<'static>>, String> {
        if let Some(path) = &self.ca {
            return chain(path, site);
        }
        let found = rustls_native_certs::load_native_certs().certs;
        if found.is_empty() {
            return Err(
                "found no certificates of this machine; expected `ca: \"ca.pem\"`, the issuer of the server's certificate"
                    .to_owned(),
            );
        }
        Ok(found)
    }

    /// Reads the files.
    ///
    /// # Errors
    ///
    /// The file, found and expected.
    pub fn read(&self, site: &SourceSite) -> Result<ClientConfig, String> {
        let mut roots = RootCertStore::empty();
        let issuers = self.issuers(site)?;
        match &self.ca {
            Some(path) => {
                for certificate in issuers {
                    let added = roots.add(certificate);
                    added.map_err(|e| format!("{path}: {e}"))?;
                }
            }
            // A machine may have some that cannot be read.
            None => {
                roots.add_parsable_certificates(issuers);
            }
        }
        let wrong = |e: rustls::Error| format!("the certificates of TLS: {e}");
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(wrong)?
            .with_root_certificates(roots);
        let Some((certificate, key_path)) = &self.client else {
            return Ok(config.with_no_client_auth());
        };
        let key = PrivateKeyDer::from_pem_slice(&read_file(key_path, site)?);
        let key = key.map_err(|e| {
            format!("{key_path}: found no private key: {e}; expected one in PEM, not encrypted")
        })?;
        config
            .with_client_auth_cert(chain(certificate, site)?, key)
            .map_err(|e| format!("{certificate} and {key_path}: {e}"))
    }
}

fn chain(path: &str, site: &SourceSite) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read_file(path, site)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!(
            "{path}: found no certificate; expected some in PEM"
        )),
        Err(e) => Err(format!("{path}: {e}; expected certificates in PEM")),
    }
}

/// A file of the scene's folder, at most 1 MB.
///
/// # Errors
///
/// Its name and why it cannot be read.
pub fn read_file(path: &str, site: &SourceSite) -> Result<Vec<u8>, String> {
    let at = site.path(path);
    let about = std::fs::metadata(&at).map_err(|e| format!("{path}: {e}"))?;
    // A pipe without a writer would block.
    if !about.is_file() {
        return Err(format!("{path}: found no regular file; expected one"));
    }
    let mut bytes = Vec::new();
    let read = File::open(at).and_then(|f| f.take(MAX_FILE + 1).read_to_end(&mut bytes));
    read.map_err(|e| format!("{path}: {e}"))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!(
            "{path}: found more than {MAX_FILE} bytes; expected at most these"
        ));
    }
    Ok(bytes)
}

/// Why TLS failed, with what to do; `server` as in "the broker".
pub fn describe(error: &rustls::Error, server: &str) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => {
            let found = match error {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "that has expired".to_owned()
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "that is not valid yet; expected the clock of this machine to be right"
                        .to_owned()
                }
                CertificateError::UnknownIssuer => {
                    "of an issuer that is not known; expected that of `ca`".to_owned()
                }
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => {
                    "of another host; expected that of its address".to_owned()
                }
                // `openssl req -x509` makes such certificates without further options.
                CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
                    "that is one of an issuer (CA:TRUE); expected one of a server: made with `openssl req -x509 -addext basicConstraints=critical,CA:FALSE ..`, it is its own `ca`".to_owned()
                }
                other => format!("that is not valid: {other}"),
            };
            format!("found a certificate of {server} {found}")
        }
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateExpired => {
                format!("{server} refused our certificate: it has expired")
            }
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure => {
                format!("{server} wants a certificate of ours")
            }
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::DecryptError => {
                format!(
                    "{server} refused our certificate: {}",
                    words(&format!("{alert:?}"))
                )
            }
            alert => format!("{server} ended TLS: {}", words(&format!("{alert:?}"))),
        },
        error => format!("TLS: {error}"),
    }
}

/// `NotAuthorized` as `not authorized`.
pub fn words(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(folder: &std::path::Path) -> SourceSite {
        SourceSite {
            folder: folder.to_owned(),
            ..SourceSite::default()
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_an_error_and_not_cut() {
        let here = tempfile::tempdir().unwrap();
        let most = MAX_FILE as usize;
        for (size, is_read) in [(most, true), (most + 1, false)] {
            std::fs::write(here.path().join("ca.pem"), vec![b'x'; size]).unwrap();
            let read = read_file("ca.pem", &site(here.path()));
            assert_eq!(read.map(|bytes| bytes.len()).ok(), is_read.then_some(size));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_place_of_a_file_holds_nothing_up() {
        let here = tempfile::tempdir().unwrap();
        let pipe = here.path().join("token");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let (done, read) = std::sync::mpsc::channel();
        let site = site(here.path());
        std::thread::spawn(move || done.send(read_file("token", &site)));
        let read = read.recv_timeout(std::time::Duration::from_secs(10));
        let error = read.unwrap().unwrap_err();
        assert!(error.contains("no regular file"), "{error}");
    }
}
