//! Addresses that requests may reach: those that the scene itself names, and no private ones without an entry in `allow`.

use crate::links::document::without_query;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ureq::http::Uri;

/// Hosts of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Host and port of the `url`.
    origin: (String, u16),
    /// Hosts of `allow`, each with its port where there is one.
    allow: Vec<(String, Option<u16>)>,
}

impl Policy {
    /// Reads `url` and `allow`; the schemes are a plain one and that of TLS.
    ///
    /// # Errors
    ///
    /// Found and expected.
    pub fn read(url: &str, schemes: [&str; 2], allow: &[String]) -> Result<Self, String> {
        let [plain, secure] = schemes;
        let expected =
            format!("expected an address as {plain}://127.0.0.1:8080/state or {secure}://..");
        if has_user(url) {
            // Not shown: it may be a password.
            return Err("found a user or password in `url`; expected none: scenes and recordings are not secret".to_owned());
        }
        // Another `@` may belong to a password all the same, as of `http://me:pass/word@host`.
        let shown = match url.contains('@') {
            true => "an address with `@`".to_owned(),
            false => format!("`{}`", without_query(url)),
        };
        let uri = url.parse::<Uri>();
        let uri = uri.map_err(|error| format!("found {shown} as `url`: {error}; {expected}"))?;
        if !uri.scheme_str().is_some_and(|s| schemes.contains(&s)) {
            return Err(format!("found {shown} as `url`; {expected}"));
        }
        let Some(name) = host(&uri) else {
            return Err(format!("found no host in {shown}; {expected}"));
        };
        // A port that is no number is none to the parser.
        let after_host = uri.authority().zip(uri.host());
        let after_host = after_host.and_then(|(all, host)| all.as_str().strip_prefix(host));
        if uri.port_u16().is_none() && after_host.is_some_and(|rest| !rest.is_empty()) {
            return Err(format!(
                "found no port from 0 to 65535 in {shown}; {expected}"
            ));
        }
        let allow = allow.iter().map(|entry| {
            let uri = entry.parse::<Uri>().ok();
            let uri = uri.filter(|uri| uri.scheme().is_none() && uri.authority().is_some());
            let entry = uri.and_then(|uri| Some((host(&uri)?, uri.port_u16())));
            entry.ok_or("found an entry in `allow` that is no host; expected \"192.168.1.20\", \"lab.local:8080\" or \"[fd00::1]\"")
        });
        Ok(Self {
            origin: (name, port(&uri)),
            allow: allow.collect::<Result<_, _>>()?,
        })
    }

    /// Whether other ports of the host of `url` are reached, too.
    pub(super) fn allows_other_ports(&self) -> bool {
        let (host, port) = &self.origin;
        let is_other = |(name, its): &(String, Option<u16>)| {
            name == host && its.is_none_or(|its| its != *port)
        };
        self.allow.iter().any(is_other)
    }

    /// Checks an address of a host before it is connected to.
    ///
    /// # Errors
    ///
    /// Why it is refused, and what would allow it.
    pub fn admit(&self, uri: &Uri, address: IpAddr) -> Result<(), String> {
        let (host, port) = (host(uri).unwrap_or_default(), port(uri));
        let is_allowed = |(name, its): &(String, Option<u16>)| {
            *name == host && its.is_none_or(|its| its == port)
        };
        if self.allow.iter().any(is_allowed) {
            return Ok(());
        }
        let shown = match host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => host.clone(),
        };
        let allow = format!("`allow: [\"{shown}:{port}\"]` if it is trusted");
        if (host.as_str(), port) != (self.origin.0.as_str(), self.origin.1) {
            return Err(format!(
                "found a redirect to {shown}:{port}; expected an answer of {}:{}, or {allow}",
                self.origin.0, self.origin.1
            ));
        }
        if is_private(address) && !(is_loopback(address) && is_this_machine(uri)) {
            return Err(format!(
                "found the private address {address} of {shown}; expected a public one, or {allow}"
            ));
        }
        Ok(())
    }
}

/// Whether an address names a user, also where its slashes are missing or too many.
fn has_user(url: &str) -> bool {
    let after_scheme = match url.split_once(':') {
        Some((scheme, after)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => after,
        _ => url,
    };
    let is_slash = |c| matches!(c, '/' | '\\');
    let authority = after_scheme.trim_start_matches(is_slash);
    let end = authority.find(|c| is_slash(c) || matches!(c, '?' | '#'));
    authority[..end.unwrap_or(authority.len())].contains('@')
}

/// Whether TLS is wanted.
pub(crate) fn is_secure(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("https" | "wss"))
}

/// Whether the host of an address is this machine, by its name or number.
pub(crate) fn is_this_machine(uri: &Uri) -> bool {
    let host = host(uri).unwrap_or_default();
    host == "localhost" || host.parse().is_ok_and(is_loopback)
}

/// Host of an address, in one spelling; none without one.
pub fn host(uri: &Uri) -> Option<String> {
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    // One spelling of an address.
    let host = match host.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.trim_end_matches('.').to_ascii_lowercase(),
    };
    (!host.is_empty()).then_some(host)
}

/// Port of an address: the stated one, or that of its scheme.
pub fn port(uri: &Uri) -> u16 {
    let is_secure = is_secure(uri);
    uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 })
}

fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || inner(v6).is_some_and(|v4| v4.is_loopback()),
    }
}

/// IPv4 address within one of IPv6: mapped (RFC 4291), translated (RFC 6052), 6to4 (RFC 3056).
fn inner(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let bytes = v6.octets();
    let at = |k: usize| Ipv4Addr::new(bytes[k], bytes[k + 1], bytes[k + 2], bytes[k + 3]);
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xFFFF, ..] | [0x64, 0xFF9B, 0, 0, 0, 0, ..] => Some(at(12)),
        [0x2002, ..] => Some(at(2)),
        _ => None,
    }
}

/// Whether an address is not globally reachable, by the registries of special-purpose addresses (RFC 6890).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_test = a == 198 && (18..20).contains(&b);
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || v4.is_multicast()
                || is_shared
                || is_test
                || a == 0
                || a >= 240
                || (a, b, c) == (192, 0, 0)
        }
        IpAddr::V6(v6) => match inner(v6) {
            Some(v4) => is_private(IpAddr::V4(v4)),
            None => {
                let first = v6.segments()[0];
                v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || first & 0xFE00 == 0xFC00
                    || first & 0xFFC0 == 0xFE80
                    // Everything outside of global unicast (RFC 4291).
                    || first & 0xE000 != 0x2000
                    || v6.segments()[..2] == [0x2001, 0xDB8]
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP: [&str; 2] = ["http", "https"];

    /// Examples of the IANA registries of special-purpose addresses, and public ones beside them.
    #[test]
    fn private_addresses_are_those_of_the_registries() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:c0a8:101::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "::7f00:1",
        ] {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
        for text in [
            "1.1.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.169.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2a00:1450::1",
        ] {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }

    fn admits(url: &str, allow: &[&str], to: &str, address: &str) -> Result<(), String> {
        let allow: Vec<String> = allow.iter().map(|&a| a.to_owned()).collect();
        Policy::read(url, HTTP, &allow)?.admit(&to.parse().unwrap(), address.parse().unwrap())
    }

    #[test]
    fn only_what_the_scene_names_is_reached() {
        let local = "http://127.0.0.1:8080/state";
        assert_eq!(
            admits(local, &[], "http://127.0.0.1:8080/other", "127.0.0.1"),
            Ok(())
        );
        assert_eq!(
            admits("http://localhost:80/", &[], "http://localhost/", "::1"),
            Ok(())
        );
        assert_eq!(
            admits("http://[0:0::1]:9/", &[], "http://[::1]:9/", "::1"),
            Ok(())
        );
        assert_eq!(
            admits("http://a.example/", &[], "http://A.example./", "1.1.1.1"),
            Ok(())
        );
        for (url, to, address, word) in [
            // A redirect to another port of the same machine, and to a cloud's metadata.
            (
                local,
                "http://127.0.0.1:22/",
                "127.0.0.1",
                "redirect to 127.0.0.1:22",
            ),
            (
                local,
                "http://169.254.169.254/",
                "169.254.169.254",
                "redirect to 169.254.169.254:80",
            ),
            // A name that resolves to this machine or its network.
            (
                "http://a.example/",
                "http://a.example/",
                "127.0.0.1",
                "private address 127.0.0.1",
            ),
            (
                "http://a.example/",
                "http://a.example/",
                "::ffff:10.0.0.1",
                "private address",
            ),
            (
                "http://192.168.1.20/",
                "http://192.168.1.20/",
                "192.168.1.20",
                "allow: [\"192.168.1.20:80\"]",
            ),
            (
                "http://[fd00::1]:8/",
                "http://[fd00::1]:8/",
                "fd00::1",
                "allow: [\"[fd00::1]:8\"]",
            ),
        ] {
            let refused = admits(url, &[], to, address);
            assert!(
                refused.as_ref().is_err_and(|e| e.contains(word)),
                "{to}: {refused:?}"
            );
        }
        for allow in ["192.168.1.20", "192.168.1.20:80", "lab.local", "[fd00::1]"] {
            let host = allow.trim_end_matches(":80");
            let url = format!("http://{host}/");
            assert_eq!(
                admits(local, &[allow], &url, "192.168.1.20"),
                Ok(()),
                "{allow}"
            );
            let url = format!("http://{host}:81/");
            let admitted = admits(local, &[allow], &url, "192.168.1.20").is_ok();
            assert_eq!(admitted, !allow.ends_with(":80"), "{allow}");
        }
    }

    #[test]
    fn addresses_that_are_none_and_secrets_are_refused_without_showing_them() {
        for url in [
            "",
            "x",
            "ftp://a/",
            "wss://a.example/",
            "http:///x",
            "http://a:b/",
            "http://a:70000/",
            "http://a:/",
            "http://",
        ] {
            assert!(Policy::read(url, HTTP, &[]).is_err(), "{url}");
        }
        for url in [
            "http://me:hunter2@a.example/",
            "http://me:hunter2@a b/",
            "hunter2@x",
            "http:/me:hunter2@a/",
            "http:me:hunter2@a/",
            "http:///me:hunter2@a/",
            "/me:hunter2@a/",
            "http:\\\\me:hunter2@a/",
        ] {
            let error = Policy::read(url, HTTP, &[]).unwrap_err();
            assert!(
                error.contains("password") && !error.contains("hunter2"),
                "{error}"
            );
        }
        for url in [
            "http://me:hunter2/x@a/",
            "http://me:hunter2?x@a/",
            "ftp://a/hunter2@b",
            "ftp://a/b?hunter2",
        ] {
            let error = Policy::read(url, HTTP, &[]).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(Policy::read("http://a/users/@me?of=b@c", HTTP, &[]).is_ok());
        for allow in ["", "http://a/", "a/b"] {
            assert!(
                Policy::read("http://a/", HTTP, &[allow.to_owned()]).is_err(),
                "{allow}"
            );
        }
    }
}
