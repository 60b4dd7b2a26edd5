//! The kernel alone: detection in stamped rows.

use crate::errors;
use becomingone_kernel as kernel;
use numpy::{PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods as _};
use numpy::{PyArrayMethods as _, ndarray};
use pyo3::prelude::*;
use std::sync::{Mutex, TryLockError};

/// Largest number of channels.
const MOST: usize = 64;

/// The kernel has a fixed largest number of channels: the smallest one that is enough is used.
enum Any {
    Few(Box<kernel::Monitor<8>>),
    Some(Box<kernel::Monitor<16>>),
    Many(Box<kernel::Monitor<MOST>>),
}

/// Detects faults in channels of real numbers.
#[pyclass(frozen, module = "becomingone._native")]
pub(crate) struct Monitor {
    any: Mutex<Any>,
    channels: usize,
}

/// Verdicts of rows, column by column.
#[derive(Default)]
struct Verdicts {
    surprise: Vec<f64>,
    alarm: Vec<bool>,
    cause: Vec<i64>,
    blame: Vec<f64>,
}

/// Rows between two looks at signals.
const LOOK: usize = 1 << 12;

fn push<const N: usize>(
    monitor: &mut kernel::Monitor<N>,
    channels: usize,
    t_s: ndarray::ArrayView1<'_, f64>,
    rows: ndarray::ArrayView2<'_, f64>,
    all: &mut Verdicts,
) {
    let mut values = vec![0.0; channels];
    for (t_s, row) in t_s.iter().zip(rows.rows()) {
        for (value, x) in values.iter_mut().zip(row) {
            *value = *x;
        }
        match monitor.push(*t_s, &values) {
            None => {
                all.surprise.push(f64::NAN);
                all.alarm.push(false);
                all.cause.push(-1);
                all.blame.extend(std::iter::repeat_n(f64::NAN, channels));
            }
            Some(verdict) => {
                all.surprise.push(verdict.surprise);
                all.alarm.push(verdict.dissipated);
                // At most 64.
                all.cause
                    .push(verdict.cause.map_or(-1, |cause| cause as i64));
                all.blame.extend(&verdict.blame[..channels]);
            }
        }
    }
}

type Pushed<'py> = (
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<bool>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray2<f64>>,
);

impl Monitor {
    fn any(&self) -> PyResult<std::sync::MutexGuard<'_, Any>> {
        match self.any.try_lock() {
            Ok(any) => Ok(any),
            Err(TryLockError::WouldBlock) => Err(errors::busy()),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
        }
    }
}

#[pymethods]
impl Monitor {
    #[new]
    fn new(channels: usize) -> PyResult<Self> {
        let wrong =
            |_| errors::argument(format!("found {channels} channels; expected 1 to {MOST}"));
        let any = match channels {
            0..=8 => Any::Few(Box::new(kernel::Monitor::new(channels).map_err(wrong)?)),
            9..=16 => Any::Some(Box::new(kernel::Monitor::new(channels).map_err(wrong)?)),
            _ => Any::Many(Box::new(kernel::Monitor::new(channels).map_err(wrong)?)),
        };
        Ok(Self {
            any: Mutex::new(any),
            channels,
        })
    }

    /// Rows of values with their times (s): surprise, alarm, index of the cause (-1: none), shares of the channels.
    fn push<'py>(
        &self,
        py: Python<'py>,
        t_s: PyReadonlyArray1<'py, f64>,
        rows: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<Pushed<'py>> {
        let [count, width] = [0, 1].map(|k| rows.shape()[k]);
        if width != self.channels || t_s.len() != count {
            return Err(errors::argument(format!(
                "found {} times and values of shape ({count}, {width}); expected n times and values of shape (n, {})",
                t_s.len(),
                self.channels
            )));
        }
        let mut any = self.any()?;
        let (t_s, rows, channels) = (t_s.as_array(), rows.as_array(), self.channels);
        let any = &mut *any;
        let mut all = Verdicts::default();
        for from in (0..count).step_by(LOOK) {
            let to = count.min(from + LOOK);
            let t_s = t_s.slice(ndarray::s![from..to]);
            let rows = rows.slice(ndarray::s![from..to, ..]);
            py.detach(|| match any {
                Any::Few(monitor) => push(monitor, channels, t_s, rows, &mut all),
                Any::Some(monitor) => push(monitor, channels, t_s, rows, &mut all),
                Any::Many(monitor) => push(monitor, channels, t_s, rows, &mut all),
            });
            py.check_signals()?;
        }
        let blame = PyArray1::from_vec(py, all.blame);
        Ok((
            PyArray1::from_vec(py, all.surprise),
            PyArray1::from_vec(py, all.alarm),
            PyArray1::from_vec(py, all.cause),
            blame.reshape([count, channels])?,
        ))
    }

    /// Discards the model; the next rows are learned from.
    fn rebaseline(&self) -> PyResult<()> {
        match &mut *self.any()? {
            Any::Few(monitor) => monitor.rebaseline(),
            Any::Some(monitor) => monitor.rebaseline(),
            Any::Many(monitor) => monitor.rebaseline(),
        }
        Ok(())
    }

    /// Whether it has learned.
    fn is_trained(&self) -> PyResult<bool> {
        Ok(match &*self.any()? {
            Any::Few(monitor) => monitor.model().thresholds().is_some(),
            Any::Some(monitor) => monitor.model().thresholds().is_some(),
            Any::Many(monitor) => monitor.model().thresholds().is_some(),
        })
    }
}
