//! UDP driver: sockets, and the threads that serve them.

use crate::receiver::Receiver;
use becomingone_systems::links::{
    ActuatorEnd, ConfigError, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd,
    SensorEnd, read_config,
};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};
use socket2::{Domain, Socket, Type};
use std::collections::HashMap;
use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Longest wait for a datagram or command before the driver checks whether it is cancelled.
const POLL_PERIOD: Duration = Duration::from_millis(50);

/// Driver kind `udp`: JSON datagrams, see the crate's documentation.
pub struct UdpKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    listen: Option<Address>,
    #[serde(default)]
    sensor: Option<String>,
    #[serde(default)]
    to: Option<Address>,
}

/// Port on the loopback interface, or an address and a port.
#[derive(Clone, Copy)]
struct Address(SocketAddr);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AddressVisitor;
        impl Visitor<'_> for AddressVisitor {
            type Value = Address;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a port such as 5005, or an address and a port such as \"127.0.0.1:5005\" or \"[::]:5005\"",
                )
            }
            fn visit_u64<E: serde::de::Error>(self, port: u64) -> Result<Address, E> {
                let port = u16::try_from(port).ok().filter(|port| *port > 0);
                let port = port.ok_or_else(|| {
                    E::invalid_value(
                        serde::de::Unexpected::Other("a port outside 1 to 65535"),
                        &self,
                    )
                })?;
                Ok(Address(SocketAddr::new(
                    IpAddr::V4(Ipv4Addr::LOCALHOST),
                    port,
                )))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Address, E> {
                let address = text.parse::<SocketAddr>().ok();
                let address = address.filter(|a| a.port() > 0).map(Address);
                address.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer
            .deserialize_any(AddressVisitor)
            .map_err(D::Error::custom)
    }
}

impl DriverKind for UdpKind {
    fn name(&self) -> &'static str {
        "udp"
    }

    fn about(&self) -> &'static str {
        "JSON datagrams in both directions"
    }

    fn address_key(&self) -> &'static str {
        "listen"
    }

    fn port(&self, config: &str, endpoint: Endpoint<'_>) -> Result<String, ConfigError> {
        let config: Config = read_config(config)?;
        let invalid = |text: &str| Err(ConfigError::Meaning(text.to_owned()));
        match (endpoint, config) {
            (Endpoint::Sensor(_), Config { to: Some(_), .. }) => {
                invalid("found `to` in a sensor; expected `listen: \"127.0.0.1:5005\"`")
            }
            (Endpoint::Sensor(_), Config { listen: None, .. }) => invalid(
                "found no `listen`; expected `listen: \"127.0.0.1:5005\"`, the address that readings are sent to",
            ),
            (
                Endpoint::Sensor(_),
                Config {
                    listen: Some(at), ..
                },
            ) => Ok(at.0.to_string()),
            (
                Endpoint::Actuator(name),
                Config {
                    to: Some(at),
                    listen: None,
                    sensor: None,
                },
            ) => Ok(format!("{} to {}", name, at.0)),
            (Endpoint::Actuator(_), _) => invalid(
                "found no `to`, or further keys; expected only `to: \"127.0.0.1:5006\"`, the address that commands are sent to",
            ),
        }
    }

    fn open(&self, port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
        let mut listen = None;
        let mut sensors: HashMap<String, SensorEnd> = HashMap::new();
        for (config, end) in ends {
            let config: Config = read_config(&config).map_err(|e| e.to_string())?;
            match end {
                LinkEnd::Actuator(end) => {
                    let to = config.to.ok_or("found no `to`")?.0;
                    return Ok(Box::new(Sender { to, end }));
                }
                LinkEnd::Sensor(end) => {
                    listen = config.listen;
                    let name = config.sensor.unwrap_or_else(|| end.name().to_owned());
                    if let Some(other) = sensors.get(&name) {
                        return Err(format!(
                            "found the datagram name `{name}` for {} and {}; expected different values of `sensor`",
                            other.name(),
                            end.name()
                        ));
                    }
                    sensors.insert(name, end);
                }
            }
        }
        let listen = listen.ok_or("found no `listen`")?.0;
        let socket = bind(listen)
            .and_then(|socket| socket.set_read_timeout(Some(POLL_PERIOD)).map(|()| socket));
        let socket = socket.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => format!(
                "found {port} in use by another program or run; expected a free port"
            ),
            ErrorKind::AddrNotAvailable => {
                format!("found {port}, which is not an address of this machine; expected one that is")
            }
            _ => format!("cannot listen on {port}: {error}; expected an address of this machine and a free port"),
        })?;
        Ok(Box::new(Receiver::new(port, socket, sensors)))
    }
}

/// Socket of an address; `[::]` receives from both families, whatever the system's default.
fn bind(listen: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(listen), Type::DGRAM, None)?;
    if listen.is_ipv6() && listen.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&listen.into())?;
    Ok(socket.into())
}

/// Sends the commands of one actuator.
struct Sender {
    to: SocketAddr,
    end: ActuatorEnd,
}

impl Driver for Sender {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let failed = |error: std::io::Error| DriverError(error.to_string());
        let here = match self.to {
            SocketAddr::V4(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
            SocketAddr::V6(_) => SocketAddr::from(([0u16; 8], 0)),
        };
        let socket = UdpSocket::bind(here).map_err(failed)?;
        // A connected socket reports if no program listens at the address.
        socket.connect(self.to).map_err(failed)?;
        context.up();
        while !context.cancelled() {
            if let Some(command) = self.end.next(POLL_PERIOD) {
                socket
                    .send(&command.to_json(self.end.name()))
                    .map_err(failed)?;
                self.end.sent(command.sequence);
            }
        }
        // The final command may have been queued meanwhile.
        if let Some(command) = self.end.next(Duration::ZERO) {
            socket
                .send(&command.to_json(self.end.name()))
                .map_err(failed)?;
            self.end.sent(command.sequence);
        }
        Ok(())
    }
}
