//! A connection to a device: found, connected, subscribed, served until it is lost.

use crate::config::{Config, Device};
use crate::device::{self, REQUEST, bounded};
use crate::protocol::{Decoder, Part};
use becomingone_systems::links::{
    Context, Driver, DriverError, LinkEnd, Observed, Readers, SensorEnd, read_config,
};
use btleplug::api::{
    Central as _, CentralEvent, CharPropFlags, Characteristic, Peripheral as _, ValueNotification,
};
use btleplug::platform::Peripheral;
use futures_util::future::{pending, try_join_all};
use futures_util::{Stream, StreamExt as _};
use serde_json::Map;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Longest wait before the end of the run is noticed.
const POLL: Duration = Duration::from_millis(50);
/// Longest time to connect: `bluetoothd` waits for an advertisement of a device that it knows.
const CONNECT: Duration = Duration::from_secs(20);
/// Longest time until the services of a connected device are known.
const DISCOVER: Duration = Duration::from_secs(10);
/// Longest time to disconnect at the end of the run.
const CLOSE: Duration = Duration::from_secs(1);
/// Time between two checks whether the device is still connected.
const CHECK: Duration = Duration::from_secs(1);

/// Driver of the sensors of a device.
///
/// # Errors
///
/// Found and expected, where a source does not fit its sensor.
pub(crate) fn open(port: &str, ends: Vec<(String, LinkEnd)>) -> Result<Box<dyn Driver>, String> {
    let mut shared: Option<(Device, Option<String>)> = None;
    let mut sources = Vec::new();
    for (config, end) in ends {
        let config: Config = read_config(&config).map_err(|e| e.to_string())?;
        let LinkEnd::Sensor(end) = end else {
            return Err(format!("found a drive at {port}; expected a sensor"));
        };
        shared.get_or_insert_with(|| (config.device.clone(), config.adapter.clone()));
        let mut readers = Readers::new(port, "values");
        readers.add(end.clone(), config.places(end.site())?)?;
        sources.push(Source {
            decoder: config.decoder(end.fields()),
            config,
            clock: end,
            readers,
        });
    }
    let (device, adapter) = shared.ok_or("found no sensor")?;
    Ok(Box::new(Bluetooth {
        device,
        adapter,
        sources,
    }))
}

/// A sensor, and how its values are decoded.
struct Source {
    config: Config,
    decoder: Decoder,
    clock: SensorEnd,
    readers: Readers,
}

impl Source {
    /// Takes values of its characteristics that arrived at this time, as one reading.
    fn take(&mut self, values: &[(usize, Vec<u8>)], arrival_ns: u64) {
        let mut all = Map::new();
        let mut bytes = Vec::new();
        for (part, value) in values {
            match self.decoder.decode(*part, value, arrival_ns) {
                Ok(Some(numbers)) => {
                    bytes.extend_from_slice(value);
                    all.extend(numbers);
                }
                Ok(None) => {}
                Err(refusal) => {
                    self.clock.observe(arrival_ns, Observed::Packet(value));
                    let hex: Vec<String> = value.iter().map(|b| format!("{b:02x}")).collect();
                    self.readers.refuse(&refusal, hex.join(" ").as_bytes());
                }
            }
        }
        if !all.is_empty() {
            let document = self.decoder.document(all);
            self.readers.take(Ok(Some(document)), &bytes, arrival_ns);
        }
    }
}

/// Driver of a device.
struct Bluetooth {
    device: Device,
    adapter: Option<String>,
    sources: Vec<Source>,
}

impl Driver for Bluetooth {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| DriverError(error.to_string()))?;
        let done = runtime.block_on(async {
            // Those that this driver connected, and no others, are disconnected at the end.
            let mut ours: Option<Peripheral> = None;
            let done = tokio::select! {
                biased;
                () = cancelled(context) => Ok(()),
                done = self.session(context, &mut ours) => done,
            };
            if let Some(device) = ours {
                // A device that is gone needs none.
                let _ = timeout(CLOSE, device.disconnect()).await;
            }
            done
        });
        for source in &mut self.sources {
            source.decoder.restart();
            source.readers.report();
        }
        done.map_err(DriverError)
    }
}

async fn cancelled(context: &Context) {
    while !context.cancelled() {
        sleep(POLL).await;
    }
}

impl Bluetooth {
    async fn session(
        &mut self,
        context: &Context,
        ours: &mut Option<Peripheral>,
    ) -> Result<(), String> {
        let adapter = device::adapter(self.adapter.as_deref()).await?;
        let device = self.device.find(&adapter).await?;
        let events = bounded("events", REQUEST, adapter.events()).await?;
        if !bounded("device", REQUEST, device.is_connected()).await? {
            *ours = Some(device.clone());
            bounded("connect", CONNECT, device.connect()).await?;
        }
        let present = discover(&device).await?;
        let (mut notified, mut polled) = (Vec::new(), Vec::new());
        for source in &mut self.sources {
            let characteristics = source.characteristics(&present, &self.device)?;
            let notifies = |c: &Characteristic| {
                c.properties
                    .intersects(CharPropFlags::NOTIFY | CharPropFlags::INDICATE)
            };
            let every_s = source.config.every_s(characteristics.iter().all(notifies));
            match every_s.map(Duration::from_secs_f64) {
                Some(every) => polled.push((source, characteristics, every)),
                None => notified.push((source, characteristics)),
            }
        }
        for (source, characteristics) in &mut notified {
            // A state that does not change is not notified.
            if source.decoder.is_state() {
                read(&device, source, characteristics).await?;
            }
        }
        let notifications = bounded("notifications", REQUEST, device.notifications()).await?;
        for characteristic in notified.iter().flat_map(|(_, all)| all) {
            let what = format!("subscribe to {}", characteristic.uuid);
            bounded(&what, DISCOVER, device.subscribe(characteristic)).await?;
        }
        context.up();
        let polls = polled
            .iter_mut()
            .map(|(source, all, every)| poll(&device, source, all, *every));
        let polls = async {
            try_join_all(polls).await?;
            pending().await
        };
        // None of them ends but by an error.
        tokio::select! {
            done = notify(notifications, &mut notified) => done,
            done = polls => done,
            done = watch(&device, events) => done,
        }
    }
}

type Notifications = Pin<Box<dyn Stream<Item = ValueNotification> + Send>>;
type Events = Pin<Box<dyn Stream<Item = CentralEvent> + Send>>;

/// Characteristics of a connected device: they are known a while after it is connected.
async fn discover(device: &Peripheral) -> Result<Vec<Characteristic>, String> {
    let discovered = async {
        loop {
            device.discover_services().await?;
            let all = device.characteristics();
            if !all.is_empty() {
                return Ok(all.into_iter().collect());
            }
            sleep(POLL).await;
        }
    };
    bounded("discover services", DISCOVER, discovered).await
}

impl Source {
    /// The device's characteristics for its parts. A probe has no numbers of its own, and takes those that are there.
    fn characteristics(
        &mut self,
        present: &[Characteristic],
        device: &Device,
    ) -> Result<Vec<Characteristic>, String> {
        let is = |c: &Characteristic, part: &Part| {
            c.uuid == part.characteristic && c.service_uuid == part.service
        };
        let find = |part: &Part| present.iter().find(|c| is(c, part)).cloned();
        if self.clock.fields().is_empty() {
            let all = self.decoder.parts().to_vec();
            if all.iter().any(|part| find(part).is_some()) {
                let absent = all.iter().filter(|part| find(part).is_none());
                absent.for_each(|part| self.decoder.without(*part));
            }
        }
        let found = self.decoder.parts().iter().map(|part| {
            find(part).ok_or_else(|| {
                let listed: Vec<String> = present
                    .iter()
                    .map(|c| format!("{} in {}", c.uuid, c.service_uuid))
                    .collect();
                format!(
                    "{}: found no {} ({} in service {}) at {device}; expected a device that has it; this one has {}",
                    self.clock.name(),
                    self.config.characteristic.name(),
                    part.characteristic,
                    part.service,
                    listed.join(", ")
                )
            })
        });
        found.collect()
    }
}

/// Reads the values of a source, as one reading.
async fn read(
    device: &Peripheral,
    source: &mut Source,
    characteristics: &[Characteristic],
) -> Result<(), String> {
    let mut values = Vec::new();
    for (part, characteristic) in characteristics.iter().enumerate() {
        if characteristic.properties.contains(CharPropFlags::READ) {
            let what = format!("read {}", characteristic.uuid);
            values.push((
                part,
                bounded(&what, REQUEST, device.read(characteristic)).await?,
            ));
        }
    }
    let now_ns = source.clock.now_ns();
    source.take(&values, now_ns);
    Ok(())
}

async fn poll(
    device: &Peripheral,
    source: &mut Source,
    characteristics: &[Characteristic],
    every: Duration,
) -> Result<(), String> {
    if let Some(other) = characteristics
        .iter()
        .find(|c| !c.properties.contains(CharPropFlags::READ))
    {
        return Err(format!(
            "{}: found the characteristic {}, which cannot be read; expected no `every_s`",
            source.clock.name(),
            other.uuid
        ));
    }
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        read(device, source, characteristics).await?;
    }
}

async fn notify(
    mut notifications: Notifications,
    sources: &mut [(&mut Source, Vec<Characteristic>)],
) -> Result<(), String> {
    while let Some(ValueNotification {
        uuid,
        service_uuid,
        value,
    }) = notifications.next().await
    {
        for (source, _) in &mut *sources {
            let now_ns = source.clock.now_ns();
            let is_it = |part: &Part| part.characteristic == uuid && part.service == service_uuid;
            if let Some(part) = source.decoder.parts().iter().position(is_it) {
                source.take(&[(part, value.clone())], now_ns);
            }
        }
    }
    Err("the notifications ended".to_owned())
}

/// Ends when the device is lost: at its own event, or where the service does not know it any more, or is gone.
async fn watch(device: &Peripheral, mut events: Events) -> Result<(), String> {
    let lost = "the device disconnected: out of range, or switched off";
    let disconnected = async {
        while let Some(event) = events.next().await {
            if matches!(event, CentralEvent::DeviceDisconnected(id) if id == device.id()) {
                return;
            }
        }
        pending::<()>().await;
    };
    let unknown = async {
        loop {
            sleep(CHECK).await;
            match bounded("the device is gone", REQUEST, device.is_connected()).await {
                Ok(true) => {}
                Ok(false) => return lost.to_owned(),
                Err(error) => return error,
            }
        }
    };
    tokio::select! {
        () = disconnected => Err(lost.to_owned()),
        error = unknown => Err(error),
    }
}
