//! Address of a broker.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::fmt;
use std::net::IpAddr;

/// Port of brokers, and with TLS.
const PORTS: [u16; 2] = [1883, 8883];

/// Address of a broker: `mqtt://host:1883`, or `mqtts://host:8883` with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Name or number; one of IPv6 in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// Found and expected; never a password.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected an address such as `mqtt://host:1883` or `mqtts://host`";
        // First: whatever else is wrong, it is not printed.
        if text.contains('@') {
            return Err(format!(
                "found a user or a password in the address of a broker, and scenes and recordings are not secret; {EXPECTED}, and `login: Env(user: \"MQTT_USER\", password: \"MQTT_PASSWORD\")`"
            ));
        }
        let wrong = || format!("found the broker `{text}`; {EXPECTED}");
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let is_tls = match scheme {
            "mqtt" => false,
            "mqtts" => true,
            _ => return Err(wrong()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let name_end = rest.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match rest[name_end..].find(':') {
            None => (rest, PORTS[usize::from(is_tls)]),
            Some(colon) => {
                let (host, port) = rest.split_at(name_end + colon);
                (host, port[1..].parse().map_err(|_| wrong())?)
            }
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        if host.is_empty() || port == 0 || !host.chars().all(is_host) {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            is_tls,
        })
    }

    /// Whether the host is this machine, by its name or number.
    pub(crate) fn is_this_machine(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let number = host.parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost")
            || number.is_ok_and(|n| n.to_canonical().is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "mqtts" } else { "mqtt" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_has_a_host_a_port_and_no_password() {
        for (text, whole) in [
            ("mqtt://localhost", "mqtt://localhost:1883"),
            ("mqtt://10.0.0.7:1884/", "mqtt://10.0.0.7:1884"),
            ("mqtts://broker.lan", "mqtts://broker.lan:8883"),
            ("mqtt://[::1]:1885", "mqtt://[::1]:1885"),
            ("mqtt://[::1]", "mqtt://[::1]:1883"),
        ] {
            assert_eq!(Address::read(text).unwrap().to_string(), whole);
        }
        for text in [
            "localhost",
            "http://x",
            "mqtt://",
            "mqtt://x:0",
            "mqtt://x:y",
            "mqtt://x/y",
        ] {
            assert!(Address::read(text).is_err(), "{text}");
        }
        for (text, is_here) in [
            ("mqtt://LocalHost", true),
            ("mqtt://127.1.2.3", true),
            ("mqtt://[::1]:1885", true),
            ("mqtt://[::ffff:127.0.0.1]", true),
            ("mqtt://localhost.lan", false),
            ("mqtt://10.0.0.7", false),
            ("mqtt://0.0.0.0", false),
        ] {
            let address = Address::read(text).unwrap();
            assert_eq!(address.is_this_machine(), is_here, "{text}");
        }
        let error = Address::read("mqtt://robot:hunter2@broker").unwrap_err();
        assert!(
            error.contains("login: Env(") && !error.contains("hunter2"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error(text: String) {
            let _ = Address::read(&text);
            let _ = Address::read(&format!("mqtt://{text}"));
        }
    }
}
