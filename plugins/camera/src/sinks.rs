//! Sensors of one camera.

use crate::analyzer::Analyzer;
use crate::decode::decode;
use becomingone_components::sensor::{Measurement as _, Picture};
use becomingone_systems::links::document::Refusal;
use becomingone_systems::links::{Complaints, Content, Observed, Sample, SensorEnd};
use std::borrow::Cow;

/// A picture as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) bytes: Vec<u8>,
    /// When it began to arrive, on the run's clock (ns).
    pub(crate) arrival_ns: u64,
    /// On the camera's clock (ns).
    pub(crate) stamp_ns: Option<u64>,
}

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    Picture::FIELDS.iter().map(|field| field.name)
}

/// A sensor, and the numbers of a picture that it takes.
struct Sink {
    end: SensorEnd,
    places: Vec<usize>,
}

/// Sensors of one camera, which take the same pictures.
pub(crate) struct Sinks {
    all: Vec<Sink>,
    analyzer: Analyzer,
    complaints: Complaints,
    /// Connections so far.
    session: u64,
    /// Whole pictures of the connection so far, lost ones included.
    pictures: u64,
}

impl Sinks {
    pub(crate) fn new(port: &str) -> Self {
        Self {
            all: Vec::new(),
            analyzer: Analyzer::new(),
            complaints: Complaints::new(port, "pictures"),
            session: 0,
            pictures: 0,
        }
    }

    /// Adds a sensor.
    ///
    /// # Errors
    ///
    /// A number that pictures do not have.
    pub(crate) fn add(&mut self, end: SensorEnd) -> Result<(), String> {
        let place = |field: &String| names().position(|name| name == field);
        let places: Option<Vec<usize>> = end.fields().iter().map(place).collect();
        let places =
            places.ok_or_else(|| format!("{}: a number that pictures do not have", end.name()))?;
        self.all.push(Sink { end, places });
        Ok(())
    }

    /// A clock of the run, for stamps at capture.
    pub(crate) fn clock(&self) -> Option<SensorEnd> {
        self.all.first().map(|sink| sink.end.clone())
    }

    /// A new connection: the camera counts anew, and its first picture has no motion.
    pub(crate) fn begin_session(&mut self) {
        self.session += 1;
        self.pictures = 0;
        self.analyzer.forget();
    }

    /// Whole pictures that a newer one replaced before they were decoded: gaps of the link.
    pub(crate) fn lose(&mut self, pictures: u64) {
        self.pictures += pictures;
    }

    /// Counts an arrival that is no picture, and logs the first of its kind.
    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        let Refusal { kind, reason } = refusal;
        self.complaints
            .add(format!("thrown away, {kind}"), || reason.clone());
        self.all.iter().for_each(|sink| sink.end.garbage());
    }

    /// Takes a picture: decodes it, finds its numbers and queues readings. Returns why it is none.
    pub(crate) fn take(&mut self, raw: Raw) -> Result<(), Refusal> {
        let decoded = decode(raw.bytes)?;
        let numbers = self.analyzer.next(&decoded.luma);
        let mut all = Vec::with_capacity(Picture::FIELDS.len());
        numbers.visit(&mut |x| all.push(x));
        for Sink { end, places } in &self.all {
            if end.is_observed() {
                let named: Vec<(Cow<'static, str>, f64)> = names()
                    .map(Cow::Borrowed)
                    .zip(all.iter().copied())
                    .collect();
                let message = Observed::Message {
                    name: "picture",
                    select: "",
                    content: Content::Named(&named),
                };
                end.observe(raw.arrival_ns, message);
            }
            let bytes = match end.has_bytes() {
                true => decoded.jpeg.clone(),
                false => Vec::new(),
            };
            end.push(
                raw.arrival_ns,
                Sample {
                    sequence: Some(self.pictures),
                    session: Some(self.session),
                    stamp_ns: raw.stamp_ns,
                    numbers: places.iter().map(|&k| all[k]).collect(),
                    bytes,
                },
            );
        }
        self.pictures += 1;
        Ok(())
    }

    /// Logs the numbers of what was thrown away.
    pub(crate) fn report(&mut self) {
        self.complaints.report();
    }
}
