//! Shapes and masses of MJCF beside the values of `MuJoCo` 4.0.0 (`geom_size`, `body_mass`, `body_ipos`,
//! `body_inertia` in the body's axes).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_components::body::{Link, RobotModel, Shape};
use becomingone_model::{Disk, parse_robot};
use glam::{Mat3, Vec3};
use std::path::Path;

/// An irregular body of five vertices.
const BODY: &str = "0 0 0  .3 0 0  0 .2 0  .05 .03 .4  .25 .1 .3";

fn parse(text: &str) -> Result<RobotModel, String> {
    parse_robot(text, Path::new("a.xml"), &Disk).map_err(|e| e.to_string())
}

fn with(compiler: &str, mesh: &str, geom: &str) -> Result<Link, String> {
    let text = format!(
        "<mujoco><compiler {compiler}/><asset><mesh name=\"m\" {mesh}/></asset><worldbody>\
         <body><freejoint/><geom {geom}/></body></worldbody></mujoco>"
    );
    parse(&text).map(|model| model.links[0].clone())
}

fn inertia(xx: f32, yy: f32, zz: f32, [xy, xz, yz]: [f32; 3]) -> Mat3 {
    Mat3::from_cols(
        Vec3::new(xx, xy, xz),
        Vec3::new(xy, yy, yz),
        Vec3::new(xz, yz, zz),
    )
}

#[track_caller]
fn close(link: &Link, kg: f32, com: [f32; 3], expected: Mat3) {
    let found = link.inertial;
    assert!(
        (found.mass_kg - kg).abs() < 1e-4 * kg,
        "{found:?}, expected {kg} kg"
    );
    assert!(
        (found.com_m - Vec3::from(com)).length() < 1e-5,
        "{found:?} {com:?}"
    );
    let error = (found.inertia_kg_m2 - expected).to_cols_array();
    let most = 2e-4
        * expected
            .x_axis
            .x
            .max(expected.y_axis.y)
            .max(expected.z_axis.z);
    assert!(
        error.iter().all(|e| e.abs() < most),
        "{found:?}, expected {expected:?}"
    );
}

/// Sizes as in MJCF.
fn sizes(shape: &Shape) -> Vec<f32> {
    match shape {
        Shape::Sphere { radius_m } => vec![*radius_m],
        Shape::Capsule { radius_m, length_m } | Shape::Cylinder { radius_m, length_m } => {
            vec![*radius_m, length_m / 2.0]
        }
        Shape::Box { half_extents_m } => half_extents_m.to_array().to_vec(),
        Shape::Mesh(mesh) => {
            let points = mesh.vertices_m.iter().map(|&v| Vec3::from(v).abs());
            points.reduce(Vec3::max).unwrap().to_array().to_vec()
        }
        Shape::HeightField(_) => panic!("a height field"),
    }
}

#[test]
fn primitives_fit_to_a_mesh_as_in_mujoco() {
    let com = [0.11614, 0.068956, 0.134368];
    let middle = [0.170472, 0.059601, 0.174311];
    for (fit_box, kind, kg, size, com, moments, products) in [
        (
            "false",
            "sphere",
            5.383151,
            &[0.108722][..],
            com,
            [0.0254524; 3],
            [0.0; 3],
        ),
        (
            "false",
            "capsule",
            7.952758,
            &[0.087281, 0.107963],
            com,
            [0.0890279, 0.090416, 0.0298325],
            [0.00045742, -0.00962361, 0.00288612],
        ),
        (
            "false",
            "cylinder",
            7.256477,
            &[0.087281, 0.151603],
            com,
            [0.0683918, 0.0693213, 0.0287529],
            [0.000306301, -0.00644424, 0.00193262],
        ),
        (
            "false",
            "ellipsoid",
            4.446317,
            &[0.062457, 0.112105, 0.151603],
            com,
            [0.0240516, 0.0312222, 0.0148926],
            [0.00171696, -0.00140929, 0.000515823],
        ),
        (
            "false",
            "box",
            8.49184,
            &[0.062457, 0.112105, 0.151603],
            com,
            [0.0765585, 0.0993832, 0.0474045],
            [0.00546526, -0.0044859, 0.00164192],
        ),
        (
            "true",
            "sphere",
            36.199122,
            &[0.205212],
            middle,
            [0.609768; 3],
            [0.0; 3],
        ),
        (
            "true",
            "capsule",
            25.927686,
            &[0.165913, 0.039299],
            middle,
            [0.382065, 0.383841, 0.306322],
            [0.000585288, -0.0123138, 0.0036929],
        ),
        (
            "true",
            "cylinder",
            35.49296,
            &[0.165913, 0.205212],
            middle,
            [0.736271, 0.741922, 0.495276],
            [0.00186224, -0.0391795, 0.0117499],
        ),
        (
            "true",
            "ellipsoid",
            13.913478,
            &[0.097558, 0.165913, 0.205212],
            middle,
            [0.145088, 0.191278, 0.104172],
            [0.0110205, -0.00613339, 0.0024453],
        ),
        (
            "true",
            "box",
            26.572785,
            &[0.097558, 0.165913, 0.205212],
            middle,
            [0.461829, 0.608856, 0.331591],
            [0.0350794, -0.0195232, 0.00778363],
        ),
    ] {
        let compiler = format!("fitaabb=\"{fit_box}\"");
        let mesh = format!("vertex=\"{BODY}\"");
        for scale in [1.0_f32, 0.5] {
            let geom = format!("type=\"{kind}\" mesh=\"m\" fitscale=\"{scale}\"");
            let link = with(&compiler, &mesh, &geom).unwrap();
            let [xx, yy, zz] = moments.map(|m| m * scale.powi(5));
            let products = products.map(|m| m * scale.powi(5));
            close(
                &link,
                kg * scale.powi(3),
                com,
                inertia(xx, yy, zz, products),
            );
            let found = sizes(&link.colliders[0].shape);
            assert_eq!(found.len(), size.len());
            for (found, expected) in found.iter().zip(size) {
                // The ellipsoid's triangles reach its axes to 1 %.
                assert!(
                    (found - expected * scale).abs() < 2e-2 * expected,
                    "{kind} {found}"
                );
            }
        }
    }
}

#[test]
fn fitscale_is_beside_the_scale_of_the_mesh_and_comes_from_a_class_too() {
    let mesh = format!("vertex=\"{BODY}\" scale=\"2 1 1\"");
    let link = with("", &mesh, "type=\"box\" mesh=\"m\" fitscale=\"0.5\"").unwrap();
    let products = [0.000683158, -0.000560737, 0.00010262];
    let expected = inertia(0.00478491, 0.0127954, 0.00954677, products);
    close(&link, 2.12296, [0.23228, 0.068956, 0.134368], expected);
    let text = format!(
        "<mujoco><default><default class=\"c\"><geom type=\"box\" fitscale=\".5\"/></default></default>\
         <asset><mesh name=\"m\" {mesh}/></asset><worldbody><body><freejoint/>\
         <geom class=\"c\" mesh=\"m\"/></body></worldbody></mujoco>"
    );
    let of_class = parse(&text).unwrap();
    assert_eq!(of_class.links[0].inertial, link.inertial);
}

#[test]
fn invalid_fitscale_is_rejected() {
    for scale in ["0", "-1", "1 2", "inf"] {
        let geom = format!("type=\"box\" mesh=\"m\" fitscale=\"{scale}\"");
        let error = with("", &format!("vertex=\"{BODY}\""), &geom).unwrap_err();
        assert!(
            error.contains("fitscale") && error.starts_with("a.xml:1:"),
            "{error}"
        );
    }
}

/// A U of boxes along y: not convex.
fn channel() -> String {
    let outline = [
        (0, 0),
        (3, 0),
        (3, 3),
        (2, 3),
        (2, 1),
        (1, 1),
        (1, 3),
        (0, 3),
    ];
    let mut vertex = String::new();
    for y in [0, 2] {
        for (x, z) in outline {
            vertex += &format!(
                "{} {} {} ",
                f64::from(x) / 10.0,
                f64::from(y) / 10.0,
                f64::from(z) / 10.0
            );
        }
    }
    let mut face = String::new();
    for [a, b, c] in [
        [0, 1, 4],
        [0, 4, 5],
        [1, 2, 3],
        [1, 3, 4],
        [0, 5, 6],
        [0, 6, 7],
    ] {
        face += &format!("{a} {b} {c} {} {} {} ", a + 8, c + 8, b + 8);
    }
    for i in 0..8 {
        let j = (i + 1) % 8;
        face += &format!("{i} {} {j} {j} {} {} ", i + 8, i + 8, j + 8);
    }
    format!("vertex=\"{vertex}\" face=\"{face}\"")
}

#[test]
fn mesh_inertia_is_that_of_mujoco_by_each_rule() {
    for (rule, kg, z, [xx, yy, zz]) in [
        ("", 17.235789, 0.142684, [0.17384, 0.256653, 0.189089]),
        (
            "inertia=\"legacy\"",
            17.235789,
            0.142684,
            [0.17384, 0.256653, 0.189089],
        ),
        (
            "inertia=\"exact\"",
            14.000001,
            0.135714,
            [0.155476, 0.240476, 0.178333],
        ),
        ("inertia=\"convex\"", 18.000002, 0.15, [0.195, 0.27, 0.195]),
        (
            "inertia=\"shell\"",
            460.00003,
            0.145652,
            [7.24131, 9.89131, 7.58333],
        ),
    ] {
        let mesh = format!("{} {rule}", channel());
        let link = with("", &mesh, "type=\"mesh\" mesh=\"m\"").unwrap();
        close(&link, kg, [0.15, 0.1, z], inertia(xx, yy, zz, [0.0; 3]));
        let link = with("", &mesh, "type=\"mesh\" mesh=\"m\" density=\"20\"").unwrap();
        assert!((link.inertial.mass_kg - kg / 50.0).abs() < 1e-4 * kg);
        let link = with("", &mesh, "type=\"mesh\" mesh=\"m\" mass=\"2\"").unwrap();
        let [xx, yy, zz] = [xx, yy, zz].map(|m| m * 2.0 / kg);
        close(&link, 2.0, [0.15, 0.1, z], inertia(xx, yy, zz, [0.0; 3]));
    }
    let error = with(
        "",
        &format!("{} inertia=\"solid\"", channel()),
        "type=\"mesh\" mesh=\"m\"",
    );
    assert!(error.unwrap_err().contains("legacy, exact, convex, shell"));
}

#[test]
fn shells_of_primitives_and_of_fitted_ones_weigh_as_in_mujoco() {
    let link = with(
        "",
        &format!("vertex=\"{BODY}\""),
        "type=\"box\" size=\".1 .2 .3\" shellinertia=\"true\"",
    );
    close(
        &link.unwrap(),
        880.0,
        [0.0; 3],
        inertia(54.1333, 42.1333, 24.2667, [0.0; 3]),
    );
    // A shell's box of equal inertia, as a shell itself.
    let mesh = format!("vertex=\"{BODY}\" inertia=\"shell\"");
    let link = with(
        "",
        &mesh,
        "type=\"cylinder\" mesh=\"m\" shellinertia=\"true\"",
    )
    .unwrap();
    let products = [0.0123293, -0.354947, 0.139573];
    let expected = inertia(8.01903, 8.04553, 4.03223, products);
    close(&link, 349.9963, [0.121039, 0.066922, 0.141654], expected);
}
