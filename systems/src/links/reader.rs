//! Sensors that share a source of documents: each takes its reading out of every document.

use super::complaints::Complaints;
use super::document::{Document, Refusal, excerpt};
use super::driver::ConfigError;
use super::observe::{Content, Observed};
use super::pick::{Pick, Picker, Pointer};
use super::queue::SensorEnd;
use super::site::SourceSite;

/// Places of a sensor's reading in a document, from its configuration.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The numbers.
    pub pick: Pick,
    /// The sender's number of the reading.
    pub sequence: Option<Pointer>,
    /// The time of the measurement on the sender's clock (s).
    pub stamp_s: Option<Pointer>,
}

impl Places {
    fn picker(self, site: &SourceSite) -> Result<Picker, String> {
        Ok(Picker::new(&self.pick, site)?.with_order(self.sequence, self.stamp_s))
    }

    /// Checks that they fit a sensor's fields; an actuator has none.
    ///
    /// # Errors
    ///
    /// Found and expected.
    pub fn check(self, site: &SourceSite) -> Result<(), ConfigError> {
        if site.fields.is_empty() {
            return Ok(());
        }
        self.picker(site).map(drop).map_err(ConfigError::Meaning)
    }
}

/// Sensors of one source of documents.
pub struct Readers {
    all: Vec<(SensorEnd, Picker)>,
    complaints: Complaints,
    /// Starts of the sender; none where they are unknown.
    session: Option<u64>,
}

impl Readers {
    /// None yet, of a port and with the plural of what arrives there: `lines`.
    pub fn new(port: &str, noun: &'static str) -> Self {
        Self {
            all: Vec::new(),
            complaints: Complaints::new(port, noun),
            session: None,
        }
    }

    /// Adds a sensor.
    ///
    /// # Errors
    ///
    /// Places that do not fit its fields.
    pub fn add(&mut self, end: SensorEnd, places: Places) -> Result<(), String> {
        let picker = places.picker(end.site());
        let picker = picker.map_err(|e| format!("{}: {e}", end.name()))?;
        self.all.push((end, picker));
        Ok(())
    }

    /// The sender was started: its sequence numbers begin anew.
    pub fn begin_session(&mut self) {
        self.session = Some(self.session.map_or(0, |session| session + 1));
    }

    /// Whether there is no sensor.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A clock of the run, for stamps at capture.
    pub fn clock(&self) -> Option<SensorEnd> {
        self.all.first().map(|(end, _)| end.clone())
    }

    /// Takes the readings of a document that was captured at this time (ns); `bytes` is its text, for messages.
    pub fn take(
        &mut self,
        decoded: Result<Option<Document>, Refusal>,
        bytes: &[u8],
        arrival_ns: u64,
    ) {
        for (end, _) in &self.all {
            end.observe(arrival_ns, Observed::Packet(bytes));
        }
        let (document, not_finite) = match decoded {
            Ok(Some(document)) => document,
            Ok(None) => return,
            Err(refusal) => return self.refuse(&refusal, bytes),
        };
        let complaints = &mut self.complaints;
        if not_finite > 0 {
            complaints.add("with NaN or Infinity".to_owned(), || {
                "found NaN or Infinity, which JSON does not have; taken as null, a missing value"
                    .to_owned()
            });
        }
        for (end, picker) in &self.all {
            let name = end.name();
            let shown = Observed::Message {
                name: "document",
                select: "",
                content: Content::Document(&document),
            };
            end.observe(arrival_ns, shown);
            match picker.sample(&document) {
                Ok(mut sample) => {
                    sample.session = self.session;
                    if let Some(misfit) = end.misfit(&sample) {
                        complaints.add(format!("thrown away, not fitting `{name}`"), || {
                            format!("`{name}`: {misfit}; it is `{}`", excerpt(bytes))
                        });
                    }
                    end.push(arrival_ns, sample);
                }
                Err(reason) => {
                    complaints.add(format!("thrown away, without a value of `{name}`"), || {
                        format!("{name}: {reason}; it is `{}`", excerpt(bytes))
                    });
                    end.garbage();
                }
            }
        }
    }

    /// Counts an arrival that is no document, and logs the first of its kind.
    pub fn refuse(&mut self, refusal: &Refusal, bytes: &[u8]) {
        let Refusal { kind, reason } = refusal;
        self.complaints
            .add(format!("thrown away, {kind}"), || match bytes {
                [] => reason.clone(),
                bytes => format!("{reason}; it is `{}`", excerpt(bytes)),
            });
        self.all.iter().for_each(|(end, _)| end.garbage());
    }

    /// Logs the numbers of what was thrown away.
    pub fn report(&mut self) {
        self.complaints.report();
    }
}
