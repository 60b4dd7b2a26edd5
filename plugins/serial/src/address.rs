//! Where a port is: a serial device, a USB device by its ids, or an address of the network.

use crate::open_port::{OpenPort, POLL_PERIOD, WRITE_TIMEOUT};
use crate::settings::{Flow, Parity, Settings, StopBits};
use crate::tcp;
use serde::de::{Deserialize, Deserializer, Unexpected, Visitor};
use serialport::{ErrorKind, SerialPortInfo, SerialPortType};
use std::fmt;
use std::io;

/// Ports that are listed in a message.
const MAX_LISTED: usize = 8;

/// Where a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// `/dev/ttyUSB0`, `COM3`.
    Device(String),
    /// Host and port of the other side.
    Tcp(String),
    /// Vendor, product, and the serial number where it was given.
    Usb(u16, u16, Option<String>),
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        if let Some(host) = text.strip_prefix("tcp://") {
            let (name, port) = host.rsplit_once(':')?;
            let is_one = !name.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0);
            return is_one.then(|| Self::Tcp(host.to_owned()));
        }
        if let Some(ids) = text.strip_prefix("usb:") {
            let mut parts = ids.splitn(3, ':');
            let mut id = || u16::from_str_radix(parts.next()?, 16).ok();
            let (vendor, product) = (id()?, id()?);
            let serial = parts.next().map(str::to_owned);
            return Some(Self::Usb(vendor, product, serial));
        }
        let is_one = !text.is_empty() && !text.contains("://");
        is_one.then(|| Self::Device(text.to_owned()))
    }

    /// Whether it has a baud rate.
    pub(crate) fn is_serial(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => f.write_str(path),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Usb(vendor, product, None) => write!(f, "usb:{vendor:04x}:{product:04x}"),
            Self::Usb(vendor, product, Some(serial)) => {
                write!(f, "usb:{vendor:04x}:{product:04x}:{serial}")
            }
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AddressVisitor;
        impl Visitor<'_> for AddressVisitor {
            type Value = Address;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a device such as \"/dev/ttyUSB0\" or \"COM3\", \"usb:VID:PID\" in hexadecimal digits, or \"tcp://host:port\"",
                )
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Address, E> {
                Address::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(AddressVisitor)
    }
}

impl Address {
    /// Opens the port.
    ///
    /// # Errors
    ///
    /// Found, expected, and what to do.
    pub(crate) fn open(&self, settings: Settings) -> Result<OpenPort, String> {
        match self {
            Self::Device(path) => device(path, settings),
            Self::Tcp(host) => tcp::open(host).map_err(|e| format!("cannot connect: {e}")),
            Self::Usb(vendor, product, serial) => {
                let found = usb(&present(), *vendor, *product, serial.as_deref())?;
                device(&found, settings)
            }
        }
    }
}

fn device(path: &str, settings: Settings) -> Result<OpenPort, String> {
    let parity = match settings.parity {
        Parity::None => serialport::Parity::None,
        Parity::Even => serialport::Parity::Even,
        Parity::Odd => serialport::Parity::Odd,
    };
    let stop_bits = match settings.stop_bits {
        StopBits::One => serialport::StopBits::One,
        StopBits::Two => serialport::StopBits::Two,
    };
    let flow = match settings.flow {
        Flow::None => serialport::FlowControl::None,
        Flow::Hardware => serialport::FlowControl::Hardware,
        Flow::Software => serialport::FlowControl::Software,
    };
    let port = serialport::new(path, settings.baud)
        .parity(parity)
        .stop_bits(stop_bits)
        .flow_control(flow)
        .timeout(POLL_PERIOD);
    let reader = port.open().map_err(|error| not_opened(path, &error))?;
    let mut writer = reader.try_clone().map_err(|e| e.to_string())?;
    writer
        .set_timeout(WRITE_TIMEOUT)
        .map_err(|e| e.to_string())?;
    Ok(OpenPort {
        reader: Box::new(reader),
        writer: Box::new(writer),
    })
}

fn not_opened(path: &str, error: &serialport::Error) -> String {
    match error.kind {
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => format!(
            "found no permission to open {path}; expected a user who may: on most systems, sudo usermod -aG dialout $USER, then log in again"
        ),
        ErrorKind::NoDevice | ErrorKind::Io(io::ErrorKind::NotFound)
            if !std::path::Path::new(path).exists() =>
        {
            format!(
                "found no device {path}; expected one of {}",
                listed(&present())
            )
        }
        _ => format!("cannot open {path}: {error}"),
    }
}

/// Serial ports of this machine.
pub(crate) fn present() -> Vec<SerialPortInfo> {
    let mut ports = serialport::available_ports().unwrap_or_default();
    ports.sort_by(|a, b| a.port_name.cmp(&b.port_name));
    ports
}

fn listed(ports: &[SerialPortInfo]) -> String {
    let mut names: Vec<String> = ports.iter().take(MAX_LISTED).map(describe).collect();
    match ports.len() {
        0 => "those that are plugged in: none is".to_owned(),
        all => {
            if all > MAX_LISTED {
                names.push(format!("{} others", all - MAX_LISTED));
            }
            names.join(", ")
        }
    }
}

/// One line about a port: `/dev/ttyUSB0 (usb:0403:6001:A10K, FTDI FT232R)`.
pub(crate) fn describe(port: &SerialPortInfo) -> String {
    let SerialPortType::UsbPort(usb) = &port.port_type else {
        return port.port_name.clone();
    };
    let serial = usb.serial_number.as_ref();
    let serial = serial.map_or_else(String::new, |serial| format!(":{serial}"));
    let words: Vec<&str> = [&usb.manufacturer, &usb.product]
        .into_iter()
        .filter_map(Option::as_deref)
        .collect();
    let comma = if words.is_empty() { "" } else { ", " };
    format!(
        "{} (usb:{:04x}:{:04x}{serial}{comma}{})",
        port.port_name,
        usb.vid,
        usb.pid,
        words.join(" ")
    )
}

/// Device of a USB id.
fn usb(
    ports: &[SerialPortInfo],
    vendor: u16,
    product: u16,
    serial: Option<&str>,
) -> Result<String, String> {
    let matching = ports.iter().filter(|port| {
        let SerialPortType::UsbPort(usb) = &port.port_type else {
            return false;
        };
        (usb.vid, usb.pid) == (vendor, product)
            && serial.is_none_or(|serial| usb.serial_number.as_deref() == Some(serial))
    });
    let matching: Vec<SerialPortInfo> = matching.cloned().collect();
    match matching.as_slice() {
        [one] => Ok(one.port_name.clone()),
        [] => Err(format!(
            "found no device of these USB ids; expected one of {}",
            listed(ports)
        )),
        several => Err(format!(
            "found several devices of these USB ids; expected one, by its serial number: {}",
            listed(several)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serialport::UsbPortInfo;

    fn port(name: &str, vid: u16, serial: &str) -> SerialPortInfo {
        SerialPortInfo {
            port_name: name.to_owned(),
            port_type: SerialPortType::UsbPort(UsbPortInfo {
                vid,
                pid: 0x6001,
                serial_number: Some(serial.to_owned()),
                manufacturer: Some("FTDI".to_owned()),
                product: None,
            }),
        }
    }

    #[test]
    fn a_usb_device_is_found_by_its_ids_wherever_it_is_plugged_in() {
        let ports = [
            port("/dev/ttyUSB0", 0x0403, "A1"),
            port("/dev/ttyUSB3", 0x0403, "A2"),
            port("/dev/ttyACM0", 0x1546, "B"),
        ];
        let found = |vendor, serial| usb(&ports, vendor, 0x6001, serial);
        assert_eq!(found(0x1546, None).as_deref(), Ok("/dev/ttyACM0"));
        assert_eq!(found(0x0403, Some("A2")).as_deref(), Ok("/dev/ttyUSB3"));
        let several = found(0x0403, None).unwrap_err();
        assert!(several.contains("usb:0403:6001:A2"), "{several}");
        let none = found(0x9999, None).unwrap_err();
        assert!(
            none.contains("/dev/ttyACM0 (usb:1546:6001:B, FTDI)"),
            "{none}"
        );
    }

    #[test]
    fn addresses_are_read_and_others_are_refused() {
        for (text, shown) in [
            ("/dev/ttyUSB0", "/dev/ttyUSB0"),
            ("COM3", "COM3"),
            ("tcp://10.0.0.1:4001", "tcp://10.0.0.1:4001"),
            ("usb:403:6001", "usb:0403:6001"),
            ("usb:0403:6001:A:1", "usb:0403:6001:A:1"),
        ] {
            let found = Address::parse(text).map(|address| address.to_string());
            assert_eq!(found.as_deref(), Some(shown));
        }
        for text in [
            "",
            "tcp://host",
            "tcp://:5",
            "tcp://h:0",
            "usb:zz:1",
            "usb:1",
            "udp://h:1",
        ] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
