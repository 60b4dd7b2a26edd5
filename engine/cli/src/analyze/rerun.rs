//! Recording of an analysis for Rerun.

use super::arguments::Analyze;
use crate::failure::Failure;
use becomingone_kernel::Detector;
use becomingone_replay::{Row, Table};
use std::path::Path;
#[cfg(feature = "rerun")]
use {
    crate::show::{MAX_NUMBER, Rerun, print_renamed},
    becomingone_kernel::Health,
    becomingone_rerun::{ExpectedValue, RerunError, RowScores, RowState, TableRecording},
    becomingone_systems::output_file::{is_busy, numbered},
    std::fmt::Write as _,
    std::path::PathBuf,
};

#[cfg(feature = "rerun")]
pub(super) struct RerunFile(TableRecording, PathBuf);

#[cfg(feature = "rerun")]
impl RerunFile {
    fn error(&self, why: String) -> Failure {
        Failure::Run(format!("the recording {}: {why}", self.1.display()))
    }

    pub(super) fn push<const N: usize>(
        &mut self,
        row: &Row,
        detector: &Detector<N>,
    ) -> Result<(), Failure> {
        let statistics = detector.finding().map(|f| RowScores {
            state: match f.health {
                Health::Healthy => RowState::Healthy,
                Health::Fault => RowState::Fault,
                Health::Changed => RowState::Changed,
                Health::Outside => RowState::Outside,
            },
            t_emissary: f.t_emissary,
            t_master: f.t_master,
            delta: f.delta(),
            coherence: f.coherence,
            ratios: f.ratios,
            severity: f.severity,
            surprise: f.surprise,
            flagged: f.cause.filter(|_| f.is_fault()),
        });
        let expected = (0..row.values.len()).map(|channel| {
            let expected = detector.expected(channel)?;
            Some(ExpectedValue {
                value: expected.value,
                band: expected.band,
            })
        });
        let pushed = self.0.push(
            row.number,
            row.stamp_ns,
            &row.values,
            statistics.as_ref(),
            expected,
        );
        pushed.map_err(|why| self.error(why))
    }

    pub(super) fn log(&mut self, row: u64, ns: Option<i64>, text: &str) -> Result<(), Failure> {
        self.0
            .log_event(row, ns, text)
            .map_err(|why| self.error(why))
    }

    pub(super) fn path(&self) -> &Path {
        &self.1
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        let Self(recording, file) = self;
        let failed = |why| Failure::Run(format!("the recording {}: {why}", file.display()));
        recording.finish().map_err(failed)
    }
}

#[cfg(not(feature = "rerun"))]
pub(super) enum RerunFile {}

#[cfg(not(feature = "rerun"))]
impl RerunFile {
    pub(super) fn push<const N: usize>(&mut self, _: &Row, _: &Detector<N>) -> Result<(), Failure> {
        match *self {}
    }

    pub(super) fn log(&mut self, _: u64, _: Option<i64>, _: &str) -> Result<(), Failure> {
        match *self {}
    }

    pub(super) fn path(&self) -> &Path {
        match *self {}
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {}
    }
}

impl Analyze {
    #[cfg(feature = "rerun")]
    pub(super) fn record(
        &self,
        table: &Table,
        file: Option<&Path>,
        stamped: bool,
    ) -> Result<Option<RerunFile>, Failure> {
        let Some(file) = file else { return Ok(None) };
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let mut about = format!(
            "# {}\n\nLearned from {}.\n\n| column | |\n|---|---|\n",
            self.file.display(),
            self.learned_from()
        );
        for column in table.columns() {
            let kind = format!("{:?}", column.kind).to_lowercase();
            let _ = writeln!(about, "| {} | {kind} |", column.name.replace('|', "\\|"));
        }
        let epoch = table.time().map(|t| t.epoch).filter(|_| stamped);
        let create =
            |file: &Path| TableRecording::create(file, &stem, &about, table.channels(), epoch);
        let mut path = file.to_owned();
        let mut recording = create(&path);
        for number in 2..=MAX_NUMBER {
            // A recording whose name was not requested gets another one.
            match &recording {
                Err(RerunError::File { cause, .. })
                    if is_busy(cause) && self.rerun == Rerun::Auto =>
                {
                    path = numbered(file, number);
                    recording = create(&path);
                }
                _ => break,
            }
        }
        let recording = recording.map_err(Failure::bad_input)?;
        if path != file {
            print_renamed(file, &path);
        }
        Ok(Some(RerunFile(recording, path)))
    }

    #[cfg(not(feature = "rerun"))]
    pub(super) fn record(
        &self,
        _: &Table,
        _: Option<&Path>,
        _: bool,
    ) -> Result<Option<RerunFile>, Failure> {
        Ok(None)
    }
}
