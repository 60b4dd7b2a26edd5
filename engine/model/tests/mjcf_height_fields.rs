//! Height fields of MJCF beside `hfield_data` of `MuJoCo` 4.0.0.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_components::body::{RobotModel, Shape};
use becomingone_components::height_field::HeightField;
use becomingone_model::{Disk, load_robot};
use std::fs;
use std::sync::Arc;

const GEOM: &str = "<geom type=\"hfield\" hfield=\"h\" pos=\"0 0 1\"/>";
const ROBOT: &str = "<body pos=\"0 0 3\"><freejoint/><geom size=\".1\" mass=\"2\"/></body>";

/// Loads an `<hfield>` and its geom beside these files.
fn load(hfield: &str, world: &str, files: &[(&str, Vec<u8>)]) -> Result<RobotModel, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let file = folder.path().join("a.xml");
    let asset = format!("<asset><hfield name=\"h\" {hfield}/></asset>");
    fs::write(
        &file,
        format!("<mujoco>{asset}<worldbody>{world}</worldbody></mujoco>"),
    )
    .unwrap();
    load_robot(&file, &Disk).map_err(|e| e.to_string())
}

fn field(hfield: &str, files: &[(&str, Vec<u8>)]) -> Arc<HeightField> {
    let model = load(hfield, &format!("{GEOM}{ROBOT}"), files).unwrap();
    assert!(
        !model.fixed_base && model.warnings.is_empty(),
        "{:?}",
        model.warnings
    );
    match &model.surroundings.colliders[0].shape {
        Shape::HeightField(field) => Arc::clone(field),
        other => panic!("{other:?}"),
    }
}

/// In units of the largest height.
fn units(field: &HeightField, top: f32) -> Vec<f32> {
    let units = field
        .heights_m
        .iter()
        .map(|h| (h / top * 1e4).round() / 1e4);
    units.collect()
}

#[test]
fn elevation_is_normalised_and_its_first_row_is_at_the_largest_y() {
    let size = "nrow=\"2\" ncol=\"3\" size=\"1 2 .5 .1\"";
    for (elevation, expected) in [
        ("elevation=\"0 1 2 3 4 5\"", [0.6, 0.8, 1.0, 0.0, 0.2, 0.4]),
        ("elevation=\"-4 1 2 3 4 6\"", [0.7, 0.8, 1.0, 0.0, 0.5, 0.6]),
        ("elevation=\"3 3 3 3 3 3\"", [0.0; 6]),
        ("", [0.0; 6]),
    ] {
        let field = field(&format!("{size} {elevation}"), &[]);
        assert_eq!(units(&field, 0.5), expected, "{elevation}");
        assert_eq!((field.rows, field.columns), (2, 3));
        assert_eq!(field.point(0, 0).truncate(), glam::Vec2::new(-1.0, -2.0));
        assert_eq!(field.point(1, 2).truncate(), glam::Vec2::new(1.0, 2.0));
    }
}

#[test]
fn binary_files_hold_the_row_at_the_least_y_first() {
    let mut bytes = Vec::new();
    bytes.extend(2_i32.to_le_bytes());
    bytes.extend(3_i32.to_le_bytes());
    bytes.extend((0..6_u8).flat_map(|k| f32::from(k).to_le_bytes()));
    let size = "size=\"1 2 .5 .1\"";
    let found = field(
        &format!("file=\"a.bin\" {size}"),
        &[("a.bin", bytes.clone())],
    );
    assert_eq!(units(&found, 0.5), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    bytes.pop();
    let error = load(&format!("file=\"a.bin\" {size}"), GEOM, &[("a.bin", bytes)]);
    let error = error.unwrap_err();
    assert!(
        error.contains("a.bin") && error.contains("31 bytes"),
        "{error}"
    );
}

fn png(color: png::ColorType, depth: png::BitDepth, [w, h]: [u32; 2], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, w, h);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(data)
        .unwrap();
    bytes
}

#[test]
fn images_give_their_first_channel_in_8_bits_and_their_top_row_at_the_largest_y() {
    use png::{BitDepth, ColorType};
    for (image, expected) in [
        (
            png(
                ColorType::Grayscale,
                BitDepth::Eight,
                [3, 2],
                &[0, 50, 100, 150, 200, 255],
            ),
            vec![0.5882, 0.7843, 1.0, 0.0, 0.1961, 0.3922],
        ),
        (
            png(
                ColorType::Rgb,
                BitDepth::Eight,
                [2, 2],
                &[255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255],
            ),
            vec![0.0, 1.0, 1.0, 0.0],
        ),
        (
            // 0, 300, 30000, 65535 of 16 bits.
            png(
                ColorType::Grayscale,
                BitDepth::Sixteen,
                [2, 2],
                &[0, 0, 1, 44, 117, 48, 255, 255],
            ),
            vec![0.4588, 1.0, 0.0, 0.0039],
        ),
        (
            png(
                ColorType::GrayscaleAlpha,
                BitDepth::Eight,
                [2, 2],
                &[0, 255, 10, 128, 20, 255, 40, 0],
            ),
            vec![0.5, 1.0, 0.0, 0.25],
        ),
    ] {
        let size = "size=\"1 2 .5 .1\"";
        let field_ = field(
            &format!("file=\"a.png\" {size}"),
            &[("a.png", image.clone())],
        );
        assert_eq!(units(&field_, 0.5), expected);
        // The type of the content wins over the name.
        let typed = format!("file=\"a\" content_type=\"image/png\" {size}");
        assert_eq!(units(&field(&typed, &[("a", image)]), 0.5), expected);
    }
    let error = load(
        "file=\"a.png\" size=\"1 2 .5 .1\"",
        GEOM,
        &[("a.png", b"no".into())],
    );
    assert!(error.unwrap_err().contains("no PNG image"));
}

#[test]
fn invalid_height_fields_are_rejected() {
    for (hfield, words) in [
        (
            "nrow=\"2\" ncol=\"3\" size=\"1 2 .5 .1\" elevation=\"1 2 3\"",
            "nrow * ncol = 6",
        ),
        (
            "nrow=\"1\" ncol=\"3\" size=\"1 2 .5 .1\"",
            "2 or more each way",
        ),
        (
            "nrow=\"100000\" ncol=\"100000\" size=\"1 2 .5 .1\"",
            "at most 4194304",
        ),
        ("nrow=\"2\" ncol=\"3\" size=\"1 2 0 .1\"", "above zero"),
        ("nrow=\"2\" ncol=\"3\"", "without size"),
    ] {
        let error = load(hfield, GEOM, &[]).unwrap_err();
        assert!(
            error.contains("a.xml:1:") && error.contains(words),
            "{error}"
        );
    }
    let size = "nrow=\"2\" ncol=\"3\" size=\"1 2 .5 .1\"";
    let error = load(size, "<geom type=\"hfield\" hfield=\"k\"/>", &[]).unwrap_err();
    assert!(error.contains("\"k\""), "{error}");
    let moving = format!("<body><joint/><geom size=\".1\"/>{GEOM}</body>");
    let error = load(size, &moving, &[]).unwrap_err();
    assert!(error.contains("which moves"), "{error}");
}

#[test]
fn robots_stand_over_a_height_field_as_in_the_file() {
    let size = "nrow=\"2\" ncol=\"2\" size=\"1 2 .5 .1\" elevation=\"0 0 1 1\"";
    let model = load(size, &format!("{GEOM}{ROBOT}"), &[]).unwrap();
    let surroundings = &model.surroundings;
    assert_eq!(surroundings.root_height_m, 3.0);
    assert_eq!(surroundings.colliders[0].pose.translation_m.z, -2.0);
    assert_eq!(surroundings.start_height_m(), 3.0);
    // A field below the scene's ground is raised with its robot.
    let low = GEOM.replace("0 0 1", "0 0 -4");
    let model = load(size, &format!("{low}{ROBOT}"), &[]).unwrap();
    assert_eq!(model.surroundings.start_height_m(), 7.0);
}
