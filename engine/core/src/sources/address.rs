//! A source in one word, for `becomingone probe`: `serial:/dev/ttyUSB0?baud=9600&protocol=nmea`.

use super::{offset, unknown};
use becomingone_components::sensor::Schema;
use becomingone_scene::explain;
use becomingone_systems::kinds::Kinds;
use becomingone_systems::links::{ConfigError, DriverKind, Endpoint, LinkObserver, Probe};
use std::ops::Range;
use std::sync::Arc;

/// A source of a sensor: a driver, and a configuration that it accepts.
///
/// ```
/// use becomingone::sources::SourceAddress;
///
/// let kinds = becomingone::Plugins::new().kinds();
/// let source = SourceAddress::read("serial:/dev/ttyUSB0?baud=9600&protocol=nmea", &kinds)?;
/// assert_eq!(
///     source.to_string(),
///     r#"Driver("serial", (port: "/dev/ttyUSB0", baud: 9600, protocol: Nmea))"#
/// );
/// let error = SourceAddress::read("serial:/dev/ttyUSB0?bauds=9600", &kinds).err();
/// assert!(error.is_some_and(|e| e.contains("did you mean `baud`?")));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone)]
pub struct SourceAddress {
    driver: Arc<dyn DriverKind>,
    config: String,
    port: String,
}

/// What is written where there is no address.
const EXAMPLE: &str = "serial:/dev/ttyUSB0?baud=9600&protocol=nmea";

impl SourceAddress {
    /// Reads `DRIVER:ADDRESS?OPTION=VALUE&OPTION=VALUE`, a web address, or a source as in a scene: `serial(port: ..)`.
    ///
    /// Values are written as in a scene, without quotes and with names of any case; a list of texts is their words.
    ///
    /// # Errors
    ///
    /// Found and expected. Nothing of a text with an `@` is repeated: it may have a password.
    pub fn read(text: &str, kinds: &Kinds) -> Result<Self, String> {
        Self::parse(text, kinds).map_err(|error| {
            // Errors of a user or password name none.
            match text.contains('@') && !error.contains("scenes and recordings are not secret") {
                true => format!(
                    "found an address with `@`, which is not shown, as it may have a password; expected one as `{EXAMPLE}`, with the options of its driver"
                ),
                false => error,
            }
        })
    }

    fn parse(text: &str, kinds: &Kinds) -> Result<Self, String> {
        let web = match text.split_once("://") {
            Some(("http" | "https", _)) => Some("http"),
            Some(("ws" | "wss", _)) => Some("websocket"),
            _ => None,
        };
        let end = text.find([':', '(', '?']).unwrap_or(text.len());
        let (name, rest) = web.map_or_else(|| text.split_at(end), |name| (name, text));
        let Some((_, driver)) = kinds.drivers.get_key_value(name) else {
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            return Err(match is_name && !name.is_empty() {
                true => unknown(name, kinds),
                false => {
                    format!("found no driver; expected one before the address, as in `{EXAMPLE}`")
                }
            });
        };
        if rest.starts_with('(') {
            return Self::of(driver.clone(), rest.trim().to_owned()).map_err(|e| match e {
                ConfigError::Text(error) => reason(error.code),
                ConfigError::Meaning(text) => text,
            });
        }
        let rest = match web {
            Some(_) => rest,
            None => rest.strip_prefix(':').unwrap_or(rest),
        };
        let (address, options) = rest.split_once('?').unwrap_or((rest, ""));
        let address = (!address.is_empty()).then_some((driver.address_key(), address));
        let options = options.split('&').filter(|option| !option.is_empty());
        let options = options.map(|option| option.split_once('=').ok_or(option));
        let mut entries = Vec::new();
        for entry in address.map(Ok).into_iter().chain(options) {
            let (key, value) = entry.map_err(|option| {
                format!("found the option `{option}`; expected a value, as in `{option}=1`")
            })?;
            let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if key.is_empty() || !key.chars().all(is_key) {
                return Err(format!(
                    "found the option `{key}`; expected a name, as in `{EXAMPLE}`"
                ));
            }
            entries.push(Entry::new(key, value));
        }
        Self::of_entries(driver, entries)
    }

    fn of(driver: Arc<dyn DriverKind>, config: String) -> Result<Self, ConfigError> {
        let port = driver.port(&config, Endpoint::Sensor(becomingone_systems::links::PROBE))?;
        Ok(Self {
            driver,
            config,
            port,
        })
    }

    /// Tries the spellings of each value until the driver accepts it.
    fn of_entries(driver: &Arc<dyn DriverKind>, mut entries: Vec<Entry>) -> Result<Self, String> {
        loop {
            let (config, places) = config(&entries);
            let error = match Self::of(driver.clone(), config.clone()) {
                Ok(source) => return Ok(source),
                Err(ConfigError::Meaning(text)) => return Err(text),
                Err(ConfigError::Text(error)) => error,
            };
            let at = offset(&config, error.span.start.line, error.span.start.col);
            // An error of a value is within it, or just after.
            let wrong = places.iter().position(|place| place.contains(&at));
            let wrong = wrong.and_then(|k| entries.get_mut(k));
            let Some(wrong) = wrong.filter(|_| is_of_value(&error.code)) else {
                return Err(reason(error.code));
            };
            if !wrong.next(error.code) {
                let reason = wrong.error.take().unwrap_or_default();
                return Err(format!("option `{}`: {reason}", wrong.key));
            }
        }
    }

    /// The driver's name.
    pub fn driver(&self) -> &'static str {
        self.driver.name()
    }

    /// The resource that it opens: a port, a file.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// The same with a further option, in RON; unchanged if the driver does not accept it, or has it already.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Self {
        let inside = self.config.trim_end().trim_end_matches(')').trim_end();
        let inside = inside.trim_end_matches(',');
        let comma = if inside.ends_with('(') { "" } else { ", " };
        let config = format!("{inside}{comma}{key}: {value})");
        // Brackets that are part of a value were cut: then the driver refuses it.
        Self::of(self.driver.clone(), config).unwrap_or_else(|_| self.clone())
    }

    /// Opens it with its driver, as a run does.
    ///
    /// # Errors
    ///
    /// Options that do not fit the schema, or a resource that is not available.
    pub fn open(
        &self,
        schema: Option<&Schema>,
        observer: Arc<dyn LinkObserver>,
    ) -> Result<Probe, String> {
        Probe::open(&self.driver, &self.port, &self.config, schema, observer)
    }
}

/// As in a scene.
impl std::fmt::Display for SourceAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Driver({:?}, {})", self.driver.name(), self.config)
    }
}

/// Found and expected, without the names of the driver's own types.
fn reason(mut error: ron::Error) -> String {
    use ron::Error;
    if let Error::NoSuchStructField { outer, .. }
    | Error::NoSuchEnumVariant { outer, .. }
    | Error::MissingStructField { outer, .. }
    | Error::DuplicateStructField { outer, .. } = &mut error
    {
        *outer = None;
    }
    explain(&error)
}

/// Whether another spelling of a value may mend an error.
fn is_of_value(error: &ron::Error) -> bool {
    use ron::Error;
    !matches!(
        error,
        Error::NoSuchStructField { .. }
            | Error::MissingStructField { .. }
            | Error::DuplicateStructField { .. }
    )
}

/// An option, and the spellings of its value that are not tried yet.
struct Entry {
    key: String,
    value: String,
    spellings: Vec<String>,
    /// Error of the first spelling.
    error: Option<String>,
}

impl Entry {
    fn new(key: &str, value: &str) -> Self {
        let words: Vec<String> = value.split_whitespace().map(quoted).collect();
        // The last is tried first.
        let mut spellings = vec![format!("[{}]", words.join(", ")), quoted(value)];
        let is_name = value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && value.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_name {
            spellings.push(format!("{value}()"));
        }
        if ron::value::RawValue::from_ron(value).is_ok() && !value.contains("//") {
            spellings.push(value.trim().to_owned());
        }
        Self {
            key: key.to_owned(),
            value: spellings.pop().unwrap_or_default(),
            spellings,
            error: None,
        }
    }

    /// Takes the next spelling; returns whether there is one.
    fn next(&mut self, error: ron::Error) -> bool {
        if let ron::Error::NoSuchEnumVariant {
            expected, found, ..
        } = &error
        {
            let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
            let same = |name: &&&str| plain(name) == plain(found) && **name != found;
            if let Some(name) = expected.iter().find(same)
                && self.value.contains(found.as_str())
            {
                let mended = |text: &String| text.replacen(found.as_str(), name, 1);
                self.spellings = self.spellings.iter().map(mended).collect();
                self.value = mended(&self.value);
                return true;
            }
        }
        let is_unknown = matches!(error, ron::Error::NoSuchEnumVariant { .. });
        let value = &self.value;
        self.error.get_or_insert_with(|| {
            let text = reason(error);
            match text.split_once("here or just after; ") {
                Some((_, expected)) => format!("found `{value}`; {expected}"),
                None => text,
            }
        });
        match self.spellings.pop().filter(|_| !is_unknown) {
            Some(value) => {
                self.value = value;
                true
            }
            None => false,
        }
    }
}

/// A text in RON.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// The configuration, and the place of each entry in it, up to the next one.
fn config(entries: &[Entry]) -> (String, Vec<Range<usize>>) {
    let (mut text, mut places) = ("(".to_owned(), Vec::new());
    for entry in entries {
        if text.len() > 1 {
            text += ", ";
        }
        let begin = text.len();
        text += &format!("{}: {}", entry.key, entry.value);
        places.push(begin..text.len() + 2);
    }
    text.push(')');
    (text, places)
}

#[cfg(test)]
#[cfg(all(feature = "bridge", feature = "serial", feature = "udp"))]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let kinds = crate::Plugins::new().kinds();
        SourceAddress::read(text, &kinds).map(|source| source.to_string())
    }

    #[test]
    fn values_are_spelled_as_the_driver_expects_them() {
        for (text, source) in [
            ("udp:5005", r#"Driver("udp", (listen: 5005))"#),
            (
                "udp:127.0.0.1:5005?sensor=imu",
                r#"Driver("udp", (listen: "127.0.0.1:5005", sensor: "imu"))"#,
            ),
            (
                "serial:tcp://box:4001?protocol=json_lines",
                r#"Driver("serial", (port: "tcp://box:4001", protocol: JsonLines))"#,
            ),
            (
                "serial:/dev/ttyACM0?baud=115200&protocol=csv&parity=even",
                r#"Driver("serial", (port: "/dev/ttyACM0", baud: 115200, protocol: Csv(), parity: Even))"#,
            ),
            (
                r#"serial:COM3?baud=9600&protocol=Csv(columns: ["t", "x"])"#,
                r#"Driver("serial", (port: "COM3", baud: 9600, protocol: Csv(columns: ["t", "x"])))"#,
            ),
            (
                "file:my log.csv?decode=csv&pick=/level",
                r#"Driver("file", (path: "my log.csv", decode: Csv(), pick: "/level"))"#,
            ),
            (
                "file:5?follow=false",
                r#"Driver("file", (path: "5", follow: false))"#,
            ),
            (
                "process:./probe --fast",
                r#"Driver("process", (argv: ["./probe", "--fast"]))"#,
            ),
            (
                "http://127.0.0.1:8080/state?every_s=2",
                r#"Driver("http", (url: "http://127.0.0.1:8080/state", every_s: 2))"#,
            ),
            (
                "wss://a.example/state?subscribe=all",
                r#"Driver("websocket", (url: "wss://a.example/state", subscribe: ["all"]))"#,
            ),
            (
                r#"file(path: "a", follow: false)"#,
                r#"Driver("file", (path: "a", follow: false))"#,
            ),
        ] {
            assert_eq!(read(text).as_deref(), Ok(source), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named_with_what_was_expected() {
        for (text, words) in [
            ("serail:/dev/ttyUSB0", "did you mean `serial`?"),
            ("/dev/ttyUSB0", "expected one before the address"),
            ("", "expected one before the address"),
            ("serial", "found no `port`"),
            ("serial:/dev/ttyUSB0", "found no `protocol`"),
            (
                "serial:/dev/ttyUSB0?protocol=nmea",
                "expected that of the device, such as `baud: 9600`",
            ),
            (
                "serial:/dev/ttyUSB0?protocol=nmeaa&baud=9600",
                "option `protocol`: found unknown kind `nmeaa`",
            ),
            (
                "serial:/dev/ttyUSB0?protocol=nmea&baud=fast",
                "option `baud`: ",
            ),
            (
                "serial:/dev/ttyUSB0?protocol=nmea&bauds=1",
                "did you mean `baud`?",
            ),
            ("udp:5005?sensor", "expected a value, as in `sensor=1`"),
            ("udp:5005?sen sor=1", "expected a name"),
            ("udp:70000", "expected a port such as 5005"),
            ("udp(listen: 5005", "expected comma"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn nothing_of_a_text_that_may_have_a_password_is_repeated() {
        for text in [
            "http://me:hunter2@a/",
            "http:/me:hunter2@a/",
            "http:me:hunter2@a/",
            "http://me:hunter2/x@a/",
            "http://me:x?hunter2&y@a/",
            "http://me:x?y=1&hunter2@a/",
            "hunter2://me@a/",
            "hunter2:me@a",
            "me:hunter2@a",
            "udp:hunter2@a",
            "serial:/dev/hunter2@a",
            "websocket(url: \"ws://me:hunter2@a/\")",
            "http(url: \"http://a/\", hunter2: \"b@c\")",
        ] {
            let error = read(text).expect_err(text);
            assert!(!error.contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn an_option_is_added_once() {
        let kinds = crate::Plugins::new().kinds();
        let source = SourceAddress::read("udp:5005", &kinds).unwrap();
        let source = source.with("sensor", "\"a\"");
        assert_eq!(
            source.to_string(),
            r#"Driver("udp", (listen: 5005, sensor: "a"))"#
        );
        let again = source.with("sensor", "\"b\"").with("speed", "1");
        assert_eq!(again.to_string(), source.to_string());
    }
}
