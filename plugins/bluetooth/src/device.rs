//! Adapters and devices, by btleplug.

use crate::config::Device;
use btleplug::api::{Central as _, Manager as _, Peripheral as _, ScanFilter};
use btleplug::platform::{Adapter, Manager, Peripheral};
use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Time that a list scans.
pub(crate) const LIST_SCAN: Duration = Duration::from_secs(5);
/// Longest time of a request to the Bluetooth service.
pub(crate) const REQUEST: Duration = Duration::from_secs(3);
/// Time that a device is scanned for before the driver reports that it is not there.
const SCAN: Duration = Duration::from_secs(10);
/// Time between two looks for a device while the adapter scans.
const LOOK: Duration = Duration::from_millis(250);

/// A request with a time limit.
///
/// # Errors
///
/// The request, and why it failed.
pub(crate) async fn bounded<T>(
    what: &str,
    limit: Duration,
    request: impl Future<Output = btleplug::Result<T>>,
) -> Result<T, String> {
    match timeout(limit, request).await {
        Ok(done) => done.map_err(|error| format!("{what}: {error}")),
        Err(_) => Err(format!("{what}: no answer within {} s", limit.as_secs())),
    }
}

/// The adapter of this name or address; by default the first.
///
/// # Errors
///
/// No Bluetooth service, or no such adapter.
pub(crate) async fn adapter(wanted: Option<&str>) -> Result<Adapter, String> {
    let service = |error| {
        let start = match cfg!(target_os = "linux") {
            true => "bluetoothd (BlueZ) on the system bus: sudo systemctl start bluetooth",
            false => "Bluetooth, switched on",
        };
        format!("found no Bluetooth service ({error}); expected {start}")
    };
    let manager = bounded("connect", REQUEST, Manager::new()).await;
    let manager = manager.map_err(service)?;
    let adapters = bounded("list adapters", REQUEST, manager.adapters()).await;
    let mut all = Vec::new();
    for adapter in adapters.map_err(service)? {
        let name = bounded("adapter", REQUEST, adapter.adapter_info()).await?;
        let address = bounded("adapter", REQUEST, adapter.adapter_address()).await?;
        let address = address.map(|address| address.to_string());
        all.push((name, address, adapter));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let names: Vec<String> = all.iter().map(|(name, ..)| format!("`{name}`")).collect();
    let is_wanted = |name: &str, address: Option<&str>| {
        let word = name.split_whitespace().next().unwrap_or_default();
        wanted.is_none_or(|w| word == w || address.is_some_and(|a| a.eq_ignore_ascii_case(w)))
    };
    let found = all
        .into_iter()
        .find(|(name, address, _)| is_wanted(name, address.as_deref()));
    found.map(|(.., adapter)| adapter).ok_or_else(|| {
        let wanted = wanted.map_or_else(String::new, |wanted| format!(" `{wanted}`"));
        match names.as_slice() {
            [] => format!("found no Bluetooth adapter{wanted}; expected one that is plugged in and not blocked (rfkill)"),
            names => format!("found no Bluetooth adapter{wanted}; expected one of {}", names.join(", ")),
        }
    })
}

impl Device {
    /// Finds the device among those that the adapter knows, or scans for it.
    ///
    /// # Errors
    ///
    /// No such device, or a request that failed.
    pub(crate) async fn find(&self, adapter: &Adapter) -> Result<Peripheral, String> {
        if let Some(found) = self.look(adapter).await? {
            return Ok(found);
        }
        let filter = ScanFilter::default();
        bounded("start a scan", REQUEST, adapter.start_scan(filter)).await?;
        let look = async {
            loop {
                sleep(LOOK).await;
                match self.look(adapter).await {
                    Ok(None) => {}
                    Ok(Some(found)) => return Ok(found),
                    Err(error) => return Err(error),
                }
            }
        };
        let found = timeout(SCAN, look).await;
        // A scan that cannot be stopped ends with the connection to the service.
        let _ = bounded("stop the scan", REQUEST, adapter.stop_scan()).await;
        found.unwrap_or_else(|_| {
            Err(format!(
                "found no device {self} in {} s of scanning; expected one that is switched on, in range and not connected to another host: `becomingone list bluetooth` lists them",
                SCAN.as_secs()
            ))
        })
    }

    async fn look(&self, adapter: &Adapter) -> Result<Option<Peripheral>, String> {
        for device in bounded("list devices", REQUEST, adapter.peripherals()).await? {
            let is_it = match self {
                Self::Address(address) => device.address().into_inner() == *address,
                Self::Name(begin) => name(&device).await.is_some_and(|n| n.starts_with(begin)),
            };
            if is_it {
                return Ok(Some(device));
            }
        }
        Ok(None)
    }
}

async fn name(device: &Peripheral) -> Option<String> {
    // A device may vanish between the list and this.
    let properties = bounded("device", REQUEST, device.properties())
        .await
        .ok()??;
    properties.local_name.or(properties.advertisement_name)
}

/// One line about each device in range: address, name, signal strength; the strongest first. It scans for this time.
///
/// # Errors
///
/// No Bluetooth service, no adapter, or a service that does not answer.
pub fn devices(scan: Duration) -> Result<Vec<String>, String> {
    let (send, receive) = mpsc::channel();
    // Connecting to the bus blocks without a limit of its own.
    let thread = std::thread::Builder::new().name("bluetooth list".to_owned());
    let list = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let _ = send.send(match runtime {
            Ok(runtime) => runtime.block_on(list(scan)),
            Err(error) => Err(error.to_string()),
        });
    };
    thread.spawn(list).map_err(|error| error.to_string())?;
    let limit = scan + 3 * REQUEST;
    receive.recv_timeout(limit).unwrap_or_else(|_| {
        Err(format!(
            "found no answer of the Bluetooth service within {} s; expected one: is bluetoothd running?",
            limit.as_secs()
        ))
    })
}

async fn list(scan: Duration) -> Result<Vec<String>, String> {
    let adapter = adapter(None).await?;
    let filter = ScanFilter::default();
    bounded("start a scan", REQUEST, adapter.start_scan(filter)).await?;
    sleep(scan).await;
    let mut found = Vec::new();
    for device in bounded("list devices", REQUEST, adapter.peripherals()).await? {
        let properties = bounded("device", REQUEST, device.properties()).await;
        let properties = properties.ok().flatten().unwrap_or_default();
        let rssi = properties.rssi;
        let strength = rssi.map_or_else(|| "not in range".to_owned(), |dbm| format!("{dbm} dBm"));
        let name = properties.local_name.or(properties.advertisement_name);
        let name = name.unwrap_or_default();
        // Names come from the air: no control characters on a terminal.
        let name = name.replace(char::is_control, " ");
        found.push((rssi, format!("{}  {strength:12}  {name}", device.address())));
    }
    let _ = bounded("stop the scan", REQUEST, adapter.stop_scan()).await;
    found.sort_by(|a, b| b.cmp(a));
    Ok(found
        .into_iter()
        .map(|(_, line)| line.trim_end().to_owned())
        .collect())
}
