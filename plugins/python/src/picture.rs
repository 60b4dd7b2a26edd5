//! Pictures of a world as arrays.

use crate::errors;
use becomingone::CoherenceEngine;
use becomingone_picture::{Camera, Picture, PictureError, Sketch};
use numpy::{PyArray1, PyArray3, PyArrayMethods as _};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// From where a picture is seen, and how large it is.
#[derive(Clone, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct View {
    agent: Option<String>,
    distance_m: Option<f64>,
    yaw_rad: f64,
    pitch_rad: f64,
    width: u32,
    height: u32,
}

impl View {
    pub(crate) fn draw(&self, engine: &CoherenceEngine) -> Result<Picture, PictureError> {
        let camera = Camera {
            agent: self.agent.clone(),
            distance_m: self.distance_m,
            yaw_rad: self.yaw_rad,
            pitch_rad: self.pitch_rad,
        };
        let size = [self.width, self.height];
        Sketch::check(&camera, size)?;
        Sketch::of(engine.world()).draw(&camera, size)
    }
}

/// As a PNG file.
pub(crate) fn png<'py>(
    py: Python<'py>,
    drawn: Result<Picture, PictureError>,
) -> PyResult<Bound<'py, PyBytes>> {
    let file = drawn.and_then(|picture| picture.png());
    let file = file.map_err(|error| errors::argument(error.to_string()))?;
    Ok(PyBytes::new(py, &file))
}

/// Shape (height, width, 3).
pub(crate) fn array<'py>(
    py: Python<'py>,
    drawn: Result<Picture, PictureError>,
) -> PyResult<Bound<'py, PyArray3<u8>>> {
    let picture = drawn.map_err(|error| errors::argument(error.to_string()))?;
    let [width, height] = picture.size().map(|side| side as usize);
    PyArray1::from_slice(py, picture.rgb()).reshape([height, width, 3])
}
