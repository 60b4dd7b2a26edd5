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
    let mut bytes = Vec::new();
    let read = File::open(site.path(path)).and_then(|f| f.take(MAX_FILE).read_to_end(&mut bytes));
    read.map_err(|e| format!("{path}: {e}"))?;
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
