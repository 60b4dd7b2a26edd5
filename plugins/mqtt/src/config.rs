//! Options of a source in a scene.

use crate::address::Address;
use crate::protocol::Decode;
use crate::secrets::Login;
use crate::topics::{check_filter, check_topic};
use becomingone_systems::links::pick::Pointer;
use becomingone_systems::links::tls::Certificates;
use becomingone_systems::links::{Endpoint, Pick, Places, SourceSite};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Longest name of a client (bytes); a broker of MQTT 3.1.1 may refuse more than 23.
const MAX_CLIENT: usize = 256;

/// Defines options of a connection, with those of one use of it.
macro_rules! options {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            broker: Address,
            #[serde(default)]
            version: Option<u8>,
            #[serde(default)]
            client: Option<String>,
            #[serde(default)]
            login: Option<Login>,
            #[serde(default)]
            in_clear: bool,
            #[serde(default)]
            ca: Option<String>,
            #[serde(default)]
            certificate: Option<String>,
            #[serde(default)]
            key: Option<String>,
            /// Refused, with what to write.
            #[serde(default)]
            user: Option<IgnoredAny>,
            #[serde(default)]
            password: Option<IgnoredAny>,
            $($(#[$doc])* pub(crate) $field: $type,)*
        }

        impl $name {
            /// The connection.
            ///
            /// # Errors
            ///
            /// Found and expected.
            pub(crate) fn broker(&self) -> Result<Broker, String> {
                if self.user.is_some() || self.password.is_some() {
                    return Err(
                        "found `user` or `password`; expected `login: Env(user: \"MQTT_USER\", password: \"MQTT_PASSWORD\")`, the names of environment variables, or `login: File(\"broker.login\")`: scenes and recordings are not secret"
                            .to_owned(),
                    );
                }
                Broker {
                    address: self.broker.clone(),
                    is_v5: match self.version {
                        None | Some(3) => false,
                        Some(5) => true,
                        Some(other) => {
                            return Err(format!(
                                "found `version: {other}`; expected 3 (MQTT 3.1.1) or 5"
                            ));
                        }
                    },
                    client: self.client.clone(),
                    is_kept: self.client.is_some(),
                    login: self.login.clone(),
                    certificates: Certificates {
                        ca: self.ca.clone(),
                        client: match (&self.certificate, &self.key) {
                            (Some(certificate), Some(key)) => {
                                Some((certificate.clone(), key.clone()))
                            }
                            (None, None) => None,
                            _ => {
                                return Err(
                                    "found one of `certificate` and `key`; expected both or none"
                                        .to_owned(),
                                );
                            }
                        },
                    },
                }
                .checked(self.in_clear)
            }
        }
    };
}

options! {
    /// Options of what a run publishes.
    Publication {
        #[serde(default)]
        prefix: Option<String>,
        #[serde(default)]
        discovery: Option<String>,
        #[serde(default)]
        every_s: Option<f64>,
        #[serde(default)]
        commands: Option<bool>,
    }
}

options! {
    /// Options of one source.
    Config {
        topic: String,
        #[serde(default)]
        qos: u8,
        #[serde(default)]
        decode: Option<Decode>,
        #[serde(default)]
        pick: Option<Pick>,
        #[serde(default)]
        sequence: Option<Pointer>,
        #[serde(default)]
        stamp_s: Option<Pointer>,
        #[serde(default)]
        retained: Option<bool>,
    }
}

/// A broker, and how to connect to it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) address: Address,
    pub(crate) is_v5: bool,
    /// Name; none: one at random.
    pub(crate) client: Option<String>,
    /// Whether the broker keeps the session under that name.
    pub(crate) is_kept: bool,
    pub(crate) login: Option<Login>,
    pub(crate) certificates: Certificates,
}

impl Broker {
    fn checked(self, in_clear: bool) -> Result<Self, String> {
        if let Some(client) = &self.client
            && !(1..=MAX_CLIENT).contains(&client.len())
        {
            return Err(format!(
                "found a `client` of {} bytes; expected 1 to {MAX_CLIENT}",
                client.len()
            ));
        }
        if !self.address.is_tls && self.certificates != Certificates::default() {
            return Err(format!(
                "found certificates for {}; expected `mqtts://`",
                self.address
            ));
        }
        if let Some(login) = &self.login {
            login.check()?;
            if !self.address.is_tls && !self.address.is_this_machine() && !in_clear {
                return Err(
                    "found `login` with mqtt:// to another machine; expected mqtts://, as anyone between can read the password, or `in_clear: true` where that may be"
                        .to_owned(),
                );
            }
        }
        Ok(self)
    }
}

impl Config {
    /// Checks the options, and returns the name of the connection, which the sensors and the drive of one agent share, or
    /// all of one `client`.
    ///
    /// # Errors
    ///
    /// Found and expected.
    pub(crate) fn port(&self, endpoint: Endpoint<'_>) -> Result<String, String> {
        let broker = self.broker()?;
        let most_qos = match endpoint {
            Endpoint::Sensor(_) => 2,
            Endpoint::Actuator(_) => 1,
        };
        if self.qos > most_qos {
            return Err(format!(
                "found `qos: {}`; expected 0 to {most_qos}",
                self.qos
            ));
        }
        let name = match endpoint {
            Endpoint::Sensor(name) => {
                check_filter(&self.topic)?;
                name
            }
            Endpoint::Actuator(name) => {
                check_topic(&self.topic)?;
                let has = [
                    self.decode.is_some(),
                    self.pick.is_some(),
                    self.sequence.is_some(),
                    self.stamp_s.is_some(),
                    self.retained.is_some(),
                ];
                if has.contains(&true) {
                    return Err(
                        "found `decode`, `pick`, `sequence`, `stamp_s` or `retained` in a drive; expected them in a sensor"
                            .to_owned(),
                    );
                }
                name
            }
        };
        Ok(match broker.client {
            Some(client) => format!("{} as {client}", broker.address),
            None => {
                let agent = name.split_once('/').map_or(name, |(agent, _)| agent);
                format!("{} for {agent}", broker.address)
            }
        })
    }

    /// Places of a sensor's reading in the payload.
    pub(crate) fn places(&self, site: &SourceSite) -> Places {
        // A text is the whole document.
        let is_one = self.decode == Some(Decode::Raw) && site.fields.len() == 1 && !site.is_row;
        let pick = self.pick.clone();
        Places {
            pick: pick.unwrap_or_else(|| match is_one {
                true => Pick::One(Pointer::default()),
                false => Pick::Names,
            }),
            sequence: self.sequence.clone(),
            stamp_s: self.stamp_s.clone(),
        }
    }
}
