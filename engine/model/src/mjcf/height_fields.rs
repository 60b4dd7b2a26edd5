//! `<hfield>`: height fields from PNG images, `MuJoCo`'s binary files, and numbers in the MJCF file.

use super::element::Values;
use super::settings::Settings;
use crate::ModelError;
use crate::draft::{ALLOW_MISSING, Warnings};
use crate::mesh_cache::MeshCache;
use becomingone_components::height_field::HeightField;
use std::path::Path;
use std::sync::Arc;

/// Most samples of a field: its mesh in a viewer takes some 150 MB.
const MAX_SAMPLES: usize = 1 << 22;

/// A height field, or why there is none.
pub(super) enum Field {
    Read(Arc<HeightField>),
    /// Missing; already reported.
    Missing(String),
    Invalid(ModelError),
}

/// Raw samples, the first row at the least y.
struct Samples {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

/// Reads a `<hfield>`. A missing file is a warning; the error of an invalid one is kept for the geoms that use it.
pub(super) fn read(
    v: &Values,
    settings: &Settings,
    mesh_cache: &mut MeshCache,
    warnings: &mut Warnings,
) -> Result<Field, ModelError> {
    let Some([x, y, top, base]) = v.exactly::<4>("size")? else {
        let expected = "expected size=\"radius_x radius_y elevation_z base_z\" (metres)";
        return Err(v.refuse("size", "<hfield> without size", expected));
    };
    if [x, y, top, base]
        .iter()
        .any(|&s| s.is_nan() || s as f32 <= 0.0)
    {
        let found = format!("a height field of size {x} {y} {top} {base}");
        return Err(v.refuse("size", found, "expected four lengths above zero (metres)"));
    }
    let samples = match v.text("file") {
        None => in_text(v)?,
        Some(file) => {
            let name = settings.mesh_path(file);
            let bytes = match mesh_cache.bytes(&name) {
                Ok(bytes) => bytes,
                Err(cause) if cause.missing => {
                    let found = cause.found.replacen("mesh", "file", 1);
                    // Ground that is missing leaves a hole, whatever else is there.
                    if !mesh_cache.allows_missing() {
                        let error = v.refuse("file", found, cause.expected);
                        return Ok(Field::Invalid(error.hint(ALLOW_MISSING)));
                    }
                    let text = format!("height field ignored: {found}; {}", cause.expected);
                    warnings.push(&v.place("file"), text);
                    return Ok(Field::Missing(cause.lost()));
                }
                Err(cause) => {
                    let error = ModelError::at(&v.place("file"), cause.found, cause.expected);
                    return Ok(Field::Invalid(error));
                }
            };
            let is_png = match v.text("content_type") {
                Some(kind) => kind == "image/png",
                None => Path::new(file)
                    .extension()
                    .is_some_and(|e| e.eq_ignore_ascii_case("png")),
            };
            let read = if is_png { png(&bytes) } else { binary(&bytes) };
            match read {
                Ok(samples) => samples,
                Err((found, expected)) => {
                    let found = format!("height field {name:?}: {found}");
                    return Ok(Field::Invalid(v.refuse("file", found, expected)));
                }
            }
        }
    };
    let Samples {
        rows,
        columns,
        mut values,
    } = samples;
    // Scaled to 0..1; a level field is 0.
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = high - low;
    for value in &mut values {
        let unit = if range > 0.0 {
            (*value - low) / range
        } else {
            0.0
        };
        *value = unit * top as f32;
    }
    Ok(Field::Read(Arc::new(HeightField {
        name: v
            .text("name")
            .or(v.text("file"))
            .unwrap_or_default()
            .to_owned(),
        rows,
        columns,
        half_size_m: [x as f32, y as f32],
        heights_m: values,
    })))
}

/// Checks the sides of a field before its samples are allocated.
fn checked(rows: f64, columns: f64) -> Result<(usize, usize), (String, String)> {
    let fits = |n: f64| n >= 2.0 && n.fract() == 0.0;
    if fits(rows) && fits(columns) && rows * columns <= MAX_SAMPLES as f64 {
        return Ok((rows as usize, columns as usize));
    }
    Err((
        format!("{rows} x {columns} samples"),
        format!("expected 2 or more each way, and at most {MAX_SAMPLES} together"),
    ))
}

/// `nrow`, `ncol` and `elevation`, whose first row is at the largest y.
fn in_text(v: &Values) -> Result<Samples, ModelError> {
    let side = |name: &str| Ok::<_, ModelError>(v.number(name)?.unwrap_or_default());
    let (rows, columns) = checked(side("nrow")?, side("ncol")?)
        .map_err(|(found, expected)| v.refuse("nrow", found, expected))?;
    let mut values = vec![0.0; rows * columns];
    if let Some(elevation) = v.numbers("elevation")? {
        if elevation.len() != values.len() {
            let found = format!("elevation with {} numbers", elevation.len());
            let expected = format!("expected nrow * ncol = {}", values.len());
            return Err(v.refuse("elevation", found, expected));
        }
        let lines = values.chunks_exact_mut(columns).rev();
        for (to, from) in lines.zip(elevation.chunks_exact(columns)) {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = from as f32;
            }
        }
    }
    if let Some(wrong) = values.iter().find(|x: &&f32| !x.is_finite()) {
        let found = format!("an elevation of {wrong}");
        return Err(v.refuse("elevation", found, "expected numbers below 3e38"));
    }
    Ok(Samples {
        rows,
        columns,
        values,
    })
}

/// Found and expected.
type Wrong = (String, String);

/// `MuJoCo`'s format: number of rows and columns (i32), then the samples (f32), all little-endian.
fn binary(bytes: &[u8]) -> Result<Samples, Wrong> {
    let whole = || {
        (
            format!("{} bytes", bytes.len()),
            "expected nrow and ncol (int32) and nrow * ncol samples (float32), or a name that ends in .png"
                .to_owned(),
        )
    };
    let (words, rest) = bytes.as_chunks::<4>();
    let [rows, columns, samples @ ..] = words else {
        return Err(whole());
    };
    let [rows, columns] = [rows, columns].map(|w| i32::from_le_bytes(*w));
    let (rows, columns) = checked(rows.into(), columns.into())?;
    if !rest.is_empty() || samples.len() != rows * columns {
        return Err(whole());
    }
    let values: Vec<_> = samples.iter().map(|w| f32::from_le_bytes(*w)).collect();
    match values.iter().position(|x| !x.is_finite()) {
        Some(k) => Err((
            format!("sample {k} is {}", values[k]),
            "expected finite samples".to_owned(),
        )),
        None => Ok(Samples {
            rows,
            columns,
            values,
        }),
    }
}

/// The first channel of a PNG image, in 8 bits as `MuJoCo` reads it; its top row is at the largest y.
fn png(bytes: &[u8]) -> Result<Samples, Wrong> {
    let wrong =
        |e: png::DecodingError| (format!("no PNG image: {e}"), "expected a PNG image".into());
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(wrong)?;
    let (rows, columns) = checked(header.height.into(), header.width.into())?;
    let mut reader = decoder.read_info().map_err(wrong)?;
    let size = reader.output_buffer_size().unwrap_or(usize::MAX);
    // Four channels at most.
    if size > 4 * MAX_SAMPLES {
        return Err((
            format!("{size} bytes of pixels"),
            "expected a PNG image".into(),
        ));
    }
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(wrong)?;
    let channels = frame.color_type.samples();
    let lines = pixels.chunks_exact(frame.line_size).take(rows);
    let lines: Vec<_> = lines.collect();
    let first = |line: &&[u8]| {
        line.iter()
            .step_by(channels)
            .map(|&b| f32::from(b))
            .collect()
    };
    let values: Vec<Vec<f32>> = lines.iter().rev().map(first).collect();
    Ok(Samples {
        rows,
        columns,
        values: values.concat(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_checked_before_the_samples_are_allocated() {
        let mut bytes = vec![0; 8];
        bytes[..4].copy_from_slice(&i32::MAX.to_le_bytes());
        bytes[4..].copy_from_slice(&i32::MAX.to_le_bytes());
        let (found, expected) = binary(&bytes).err().unwrap();
        assert!(found.contains("2147483647 x 2147483647"), "{found}");
        assert!(expected.contains("4194304"), "{expected}");
        for sides in [(1.0, 3.0), (-2.0, 3.0), (2.5, 3.0), (f64::NAN, 3.0)] {
            assert!(checked(sides.0, sides.1).is_err(), "{sides:?}");
        }
    }
}
