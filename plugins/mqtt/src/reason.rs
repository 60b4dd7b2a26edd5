//! Why a connection failed, in words.

use becomingone_systems::links::tls::{self, words};
use rumqttc::{mqttbytes, v5};
use rustls::AlertDescription;
use std::error::Error;
use std::io;

/// Largest message (bytes); it is announced to a broker of MQTT 5, another one's connection is closed by a larger one.
pub(crate) const MAX_MESSAGE: usize = 1 << 20;

/// Why a connection failed: what the broker or the network says, and what to do.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(known) = known(error) {
            return known;
        }
        next = error.source();
    }
    error.to_string()
}

fn known(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<rumqttc::ConnectionError>() {
        return match error {
            rumqttc::ConnectionError::ConnectionRefused(code) => {
                Some(refused(&format!("{code:?}")))
            }
            rumqttc::ConnectionError::NetworkTimeout => Some(NO_ANSWER.to_owned()),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<v5::ConnectionError>() {
        return match error {
            v5::ConnectionError::ConnectionRefused(code) => Some(refused(&format!("{code:?}"))),
            v5::ConnectionError::Timeout(_) => Some(NO_ANSWER.to_owned()),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<rumqttc::StateError>() {
        return match error {
            rumqttc::StateError::ConnectionAborted => Some(CLOSED.to_owned()),
            rumqttc::StateError::AwaitPingResp => Some(NO_ANSWER.to_owned()),
            rumqttc::StateError::Deserialization(error) => Some(packet(error)),
            _ => None,
        };
    }
    if let Some(error) = error.downcast_ref::<v5::StateError>() {
        return match error {
            v5::StateError::ConnectionAborted => Some(CLOSED.to_owned()),
            v5::StateError::AwaitPingResp => Some(NO_ANSWER.to_owned()),
            v5::StateError::Deserialization(error) => Some(match error {
                v5::mqttbytes::Error::Io(error) => broke(error),
                error => format!("found a packet that is not MQTT: {error}"),
            }),
            v5::StateError::ServerDisconnect {
                reason_code,
                reason_string,
            } => {
                let code = words(&format!("{reason_code:?}"));
                let more = reason_string.as_ref().map(|text| format!(" ({text})"));
                let hint = match code.as_str() {
                    "session taken over" => "; expected a `client` that no other run has",
                    _ => "",
                };
                Some(format!(
                    "the broker closed the connection: {code}{}{hint}",
                    more.unwrap_or_default()
                ))
            }
            _ => None,
        };
    }
    let error = error.downcast_ref::<io::Error>()?;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    Some(match inner {
        Some(error) => secure(error),
        None => format!("no connection: {error}"),
    })
}

const NO_ANSWER: &str = "no answer of the broker";
const CLOSED: &str = "the broker closed the connection";

fn packet(error: &mqttbytes::Error) -> String {
    match error {
        mqttbytes::Error::PayloadSizeLimitExceeded(size) => {
            format!("found a message of {size} bytes; expected at most {MAX_MESSAGE}")
        }
        mqttbytes::Error::Io(error) => broke(error),
        error => format!("found a packet that is not MQTT: {error}"),
    }
}

fn broke(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.map_or_else(|| format!("the connection broke: {error}"), secure)
}

/// Why TLS failed.
fn secure(error: &rustls::Error) -> String {
    let text = tls::describe(error, "the broker");
    match error {
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
        ) => text + "; expected `certificate` and `key`",
        _ => text,
    }
}

/// A code such as `NotAuthorized`.
fn refused(code: &str) -> String {
    let hint = match code {
        "NotAuthorized" | "BadUserNamePassword" => {
            "; expected a user and password that it knows, by `login`"
        }
        "RefusedProtocolVersion" | "UnsupportedProtocolVersion" => {
            "; expected `version: 3` or `version: 5`, whichever it has"
        }
        _ => "",
    };
    format!("the broker refused the connection: {}{hint}", words(code))
}
