//! Sensors that share a source: each takes its reading out of every document.

use crate::lines::{Line, MAX_LINE};
use crate::protocol::{Decoder, Document, Refusal};
use becomingone_systems::links::document::excerpt;
use becomingone_systems::links::pick::Pointer;
use becomingone_systems::links::{
    Complaints, ConfigError, Content, Observed, Pick, Picker, SensorEnd, SourceSite,
};

/// Places of a sensor's reading, from its configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) pick: Pick,
    pub(crate) sequence: Option<Pointer>,
    pub(crate) stamp_s: Option<Pointer>,
}

impl Places {
    pub(crate) fn picker(self, site: &SourceSite) -> Result<Picker, String> {
        Ok(Picker::new(&self.pick, site)?.with_order(self.sequence, self.stamp_s))
    }

    /// Checks that they fit a sensor's fields; an actuator has none.
    pub(crate) fn check(self, site: &SourceSite) -> Result<(), ConfigError> {
        if site.fields.is_empty() {
            return Ok(());
        }
        self.picker(site).map(drop).map_err(ConfigError::Meaning)
    }
}

pub(crate) struct Sensors {
    all: Vec<(SensorEnd, Picker)>,
    complaints: Complaints,
    /// Starts of the sender; none where they are unknown.
    session: Option<u64>,
}

impl Sensors {
    pub(crate) fn new(port: &str, noun: &'static str) -> Self {
        Self {
            all: Vec::new(),
            complaints: Complaints::new(port, noun),
            session: None,
        }
    }

    pub(crate) fn add(&mut self, end: SensorEnd, places: Places) -> Result<(), String> {
        let picker = places.picker(end.site());
        let picker = picker.map_err(|e| format!("{}: {e}", end.name()))?;
        self.all.push((end, picker));
        Ok(())
    }

    /// The sender was started: its sequence numbers begin anew.
    pub(crate) fn begin_session(&mut self) {
        self.session = Some(self.session.map_or(0, |session| session + 1));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A clock of the run, for stamps at capture.
    pub(crate) fn clock(&self) -> Option<SensorEnd> {
        self.all.first().map(|(end, _)| end.clone())
    }

    /// Takes the readings of a line that was captured at this time (ns).
    pub(crate) fn line(&mut self, line: &Line<'_>, decoder: &mut Decoder, arrival_ns: u64) {
        match line {
            Line::Text(text) => self.decoded(decoder.line(text), text, arrival_ns),
            Line::TooLong => {
                let reason = format!("found more than {MAX_LINE} bytes without a line end");
                self.refuse(
                    &Refusal {
                        kind: "too long",
                        reason,
                    },
                    b"",
                );
            }
        }
    }

    /// Takes the readings of a document.
    pub(crate) fn decoded(
        &mut self,
        decoded: Result<Option<Document>, Refusal>,
        text: &[u8],
        arrival_ns: u64,
    ) {
        for (end, _) in &self.all {
            end.observe(arrival_ns, Observed::Packet(text));
        }
        let (document, not_finite) = match decoded {
            Ok(Some(document)) => document,
            Ok(None) => return,
            Err(refusal) => return self.refuse(&refusal, text),
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
                            format!("`{name}`: {misfit}; it is `{}`", excerpt(text))
                        });
                    }
                    end.push(arrival_ns, sample);
                }
                Err(reason) => {
                    complaints.add(format!("thrown away, without a value of `{name}`"), || {
                        format!("{name}: {reason}; it is `{}`", excerpt(text))
                    });
                    end.garbage();
                }
            }
        }
    }

    /// Counts an arrival that is no document, and logs the first of its kind.
    pub(crate) fn refuse(&mut self, refusal: &Refusal, text: &[u8]) {
        let Refusal { kind, reason } = refusal;
        self.complaints
            .add(format!("thrown away, {kind}"), || match text {
                [] => reason.clone(),
                text => format!("{reason}; it is `{}`", excerpt(text)),
            });
        self.all.iter().for_each(|(end, _)| end.garbage());
    }

    /// Logs the numbers of what was thrown away.
    pub(crate) fn report(&mut self) {
        self.complaints.report();
    }
}
