//! Pictures from their files.

use crate::luma::Luma;
use crate::multipart::MAX_PICTURE;
use becomingone_systems::links::document::Refusal;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use std::io::Cursor;

/// Most pixels of a picture.
const MAX_PIXELS: u64 = 1 << 24;
/// Longest side of a picture (pixels).
const MAX_SIDE: u32 = 16_384;
/// Most memory of a picture while it is decoded (bytes): 16-bit colours and opacity.
const MAX_MEMORY: u64 = 8 * MAX_PIXELS;
/// Quality of pictures that are encoded anew.
const QUALITY: u8 = 90;

/// A picture.
pub(crate) struct Decoded {
    pub(crate) luma: Luma,
    /// As a JPEG file.
    pub(crate) jpeg: Vec<u8>,
}

/// Decodes a JPEG or PNG file.
///
/// # Errors
///
/// Found and expected.
pub(crate) fn decode(mut bytes: Vec<u8>) -> Result<Decoded, Refusal> {
    if bytes.len() > MAX_PICTURE {
        return Err(Refusal {
            kind: "too large",
            reason: format!(
                "found {} bytes; expected at most {MAX_PICTURE}",
                bytes.len()
            ),
        });
    }
    let is_jpeg = bytes.starts_with(b"\xFF\xD8");
    if !is_jpeg && !bytes.starts_with(b"\x89PNG") {
        return Err(Refusal {
            kind: "no pictures",
            reason: format!(
                "found {} bytes that are no picture; expected a JPEG or PNG file",
                bytes.len()
            ),
        });
    }
    if is_jpeg {
        // Cameras fill their buffers up behind the end.
        let end = bytes.iter().rposition(|b| !matches!(b, 0 | b'\r' | b'\n'));
        bytes.truncate(end.map_or(0, |end| end + 1));
        // A decoder shows what there is of a half picture.
        if !bytes.ends_with(b"\xFF\xD9") {
            return Err(Refusal {
                kind: "cut off",
                reason: format!(
                    "found a JPEG picture of {} bytes without its end (FF D9)",
                    bytes.len()
                ),
            });
        }
    }
    let image = image(&bytes, is_jpeg)?;
    let width = image.width() as usize;
    let luma = match &image {
        DynamicImage::ImageLuma8(grey) => Luma::new(width, grey.as_raw().clone()),
        DynamicImage::ImageRgb8(rgb) => Luma::of_rgb(width, rgb.as_raw()),
        other => Luma::of_rgb(width, other.to_rgb8().as_raw()),
    };
    let jpeg = match is_jpeg {
        true => bytes,
        false => encode(image)?,
    };
    Ok(Decoded { luma, jpeg })
}

fn broken(error: &image::ImageError) -> Refusal {
    Refusal {
        kind: "broken",
        reason: format!("found a broken picture: {error}"),
    }
}

fn image(bytes: &[u8], is_jpeg: bool) -> Result<DynamicImage, Refusal> {
    let format = if is_jpeg {
        ImageFormat::Jpeg
    } else {
        ImageFormat::Png
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|e| broken(&e))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Refusal {
            kind: "too large",
            reason: format!(
                "found a picture of {width} x {height} pixels; expected at most {MAX_PIXELS}"
            ),
        });
    }
    DynamicImage::from_decoder(decoder).map_err(|e| broken(&e))
}

fn encode(image: DynamicImage) -> Result<Vec<u8>, Refusal> {
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    let done = match image {
        DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_) => {
            image.write_with_encoder(encoder)
        }
        other => DynamicImage::from(other.to_rgb8()).write_with_encoder(encoder),
    };
    done.map_err(|e| broken(&e))?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32, grey: u8) -> Vec<u8> {
        let mut png = Cursor::new(Vec::new());
        let image = image::GrayImage::from_pixel(width, height, image::Luma([grey]));
        image.write_to(&mut png, ImageFormat::Png).unwrap();
        png.into_inner()
    }

    #[test]
    fn a_png_becomes_a_jpeg_of_the_same_luminance() {
        let first = decode(png(40, 30, 200)).unwrap();
        assert_eq!(first.luma.size(), [40, 30]);
        assert_eq!(first.luma.mean(), 200.0 / 255.0);
        let again = decode(first.jpeg).unwrap();
        assert!((again.luma.mean() - 200.0 / 255.0).abs() < 0.5 / 255.0);
    }

    #[test]
    fn what_is_no_whole_picture_is_refused() {
        let jpeg = decode(png(64, 64, 9)).unwrap().jpeg;
        assert!(decode([&jpeg[..], &[0, 0, b'\r', b'\n']].concat()).is_ok());
        let kind = |bytes: &[u8]| decode(bytes.to_vec()).err().map(|r| r.kind);
        assert_eq!(kind(b""), Some("no pictures"));
        assert_eq!(kind(b"<html>"), Some("no pictures"));
        assert_eq!(kind(&jpeg[..jpeg.len() / 2]), Some("cut off"));
        assert_eq!(kind(b"\xFF\xD8\xFF\xD9"), Some("broken"));
        let whole = png(64, 64, 9);
        assert_eq!(kind(&whole[..whole.len() - 20]), Some("broken"));
        // A file of some kilobytes that has a billion pixels.
        let mut bomb = png(64, 64, 9);
        bomb[16..24].copy_from_slice(&[0, 0, 0x80, 0, 0, 0, 0x80, 0]);
        assert!(kind(&bomb).is_some());
    }
}
