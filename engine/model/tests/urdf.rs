//! URDF beyond version 1.0, settings for `MuJoCo` in it, and XML that other readers accept. Numbers of settings are
//! those of `MuJoCo` 4.0, of versions those of urdfdom's own description of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_components::body::RobotModel;
use becomingone_model::{Disk, load_robot, parse_robot};
use glam::Vec3;
use std::path::Path;

fn parse(text: &str) -> RobotModel {
    parse_robot(text, Path::new("a.urdf"), &Disk).unwrap_or_else(|e| panic!("{e}"))
}

fn error(text: &str) -> String {
    let model = parse_robot(text, Path::new("a.urdf"), &Disk);
    model.map(drop).unwrap_err().to_string()
}

fn near(a: Vec3, b: Vec3) {
    assert!((a - b).length() < 1e-5, "{a} {b}");
}

/// Robot whose origins all have this rotation.
fn turned(version: &str, rotation: &str) -> String {
    format!(
        r#"<robot name="r" {version}><link name="a"><inertial><origin xyz="1 0 0" {rotation}/><mass value="1"/><inertia ixx="1" iyy="2" izz="2.5"/></inertial>
<visual><origin {rotation}/><geometry><box size="1 2 3"/></geometry></visual>
<collision><origin {rotation}/><geometry><box size="1 2 3"/></geometry></collision></link><link name="b"/>
<joint name="j" type="fixed"><parent link="a"/><child link="b"/><origin xyz="0 0 1" {rotation}/></joint></robot>"#
    )
}

#[test]
fn quaternions_turn_every_origin_as_their_angles_do() {
    let by_angles = parse(&turned("", "rpy=\"0.3 -0.4 0.5\""));
    // The quaternion of these angles, x y z w, by the product of the three turns.
    let by_quaternion = parse(&turned(
        "version=\"1.1\"",
        "quat_xyzw=\"0.190506 -0.154097 0.268515 0.931591\"",
    ));
    assert!(
        by_quaternion.warnings.is_empty(),
        "{:?}",
        by_quaternion.warnings
    );
    let [a, q] = [&by_angles, &by_quaternion].map(|m| &m.links[0]);
    for v in [Vec3::X, Vec3::Y] {
        let apart = |a: Vec3, b: Vec3| assert!((a - b).length() < 1e-4, "{a} {b}");
        apart(a.inertial.inertia_kg_m2 * v, q.inertial.inertia_kg_m2 * v);
        apart(
            a.visuals[0].pose.rotation * v,
            q.visuals[0].pose.rotation * v,
        );
        apart(
            a.colliders[0].pose.rotation * v,
            q.colliders[0].pose.rotation * v,
        );
        let turn = |m: &RobotModel| m.frame("b").unwrap().pose.rotation * v;
        apart(turn(&by_angles), turn(&by_quaternion));
    }
}

#[test]
fn quaternions_are_normalised_or_refused() {
    let model = parse(&turned("version=\"1.1\"", "quat_xyzw=\"0 0 2 2\""));
    near(model.frame("b").unwrap().pose.rotation * Vec3::X, Vec3::Y);
    assert_eq!(model.warnings.len(), 4, "{:?}", model.warnings);
    assert!(model.warnings[0].contains("it is normalised"));
    for (rotation, words) in [
        ("quat_xyzw=\"0 0 0 0\"", "expected a unit quaternion"),
        (
            "quat_xyzw=\"0 0 1\"",
            "(3 numbers); expected 4 numbers: x y z w",
        ),
        ("quat_xyzw=\"0,5 0 0 1\"", "comma"),
        (
            "rpy=\"0 0 0\" quat_xyzw=\"0 0 0 1\"",
            "both rpy and quat_xyzw; expected one",
        ),
    ] {
        let error = error(&turned("version=\"1.1\"", rotation));
        assert!(
            error.starts_with("a.urdf:1:") && error.contains(words),
            "{error}"
        );
    }
}

#[test]
fn versions_that_are_unknown_or_too_low_are_told() {
    for (version, words) in [
        ("version=\"1.0\"", ""),
        ("version=\"1.1\"", ""),
        ("version=\"1.2\"", ""),
        (
            "version=\"2.0\"",
            "a.urdf:1:26: version = \"2.0\" of URDF is unknown",
        ),
        ("version=\"x\"", "is unknown"),
    ] {
        let model = parse(&turned(version, ""));
        let warned = model.warnings.iter().any(|w| w.contains("version"));
        assert_eq!(warned, !words.is_empty(), "{version} {:?}", model.warnings);
        assert!(words.is_empty() || model.warnings[0].contains(words));
    }
    let model = parse(&turned("", "quat_xyzw=\"0 0 0.7071068 0.7071068\""));
    near(model.frame("b").unwrap().pose.rotation * Vec3::X, Vec3::Y);
    assert_eq!(model.warnings.len(), 1, "{:?}", model.warnings);
    assert!(model.warnings[0].contains("ignore it below version=\"1.1\""));
}

/// Two links of 1 kg, each a cube of water of 1 m, on a joint that turns.
fn compiled(compiler: &str, ixx: f64) -> RobotModel {
    let link = |name: &str| {
        format!(
            r#"<link name="{name}"><inertial><mass value="1"/><inertia ixx="{ixx}" iyy="1" izz="1"/></inertial>
            <collision><geometry><box size="1 1 1"/></geometry></collision></link>"#
        )
    };
    parse(&format!(
        r#"<robot name="r"><mujoco>{compiler}</mujoco>{}{}<joint name="j" type="continuous"><parent link="a"/><child link="b"/></joint></robot>"#,
        link("a"),
        link("b")
    ))
}

#[test]
fn masses_and_inertias_follow_the_settings_for_mujoco() {
    for (compiler, ixx, kg, moment) in [
        ("<compiler/>", 1.0, 1.0, 1.0),
        ("<compiler balanceinertia=\"true\"/>", 5.0, 1.0, 7.0 / 3.0),
        ("<compiler boundmass=\"5\"/>", 1.0, 5.0, 1.0),
        ("<compiler boundinertia=\"7\"/>", 1.0, 1.0, 7.0),
        ("<compiler settotalmass=\"10\"/>", 1.0, 5.0, 5.0),
        (
            "<compiler inertiafromgeom=\"true\"/>",
            1.0,
            1000.0,
            166.666_67,
        ),
        (
            "<compiler inertiafromgeom=\"false\" angle=\"degree\" discardvisual=\"false\" fusestatic=\"false\"/>",
            1.0,
            1.0,
            1.0,
        ),
    ] {
        let model = compiled(compiler, ixx);
        for link in &model.links {
            assert!((link.inertial.mass_kg - kg).abs() < 1e-4 * kg, "{compiler}");
            near(link.inertial.inertia_kg_m2 * Vec3::X / moment, Vec3::X);
        }
        assert!(model.warnings.is_empty(), "{:?}", model.warnings);
    }
    let model = compiled(
        "<compiler strippaht=\"true\"/><option gravity=\"0 0 -1\"/>",
        1.0,
    );
    for words in ["did you mean `strippath`?", "the scene's gravity applies"] {
        assert!(
            model.warnings.iter().any(|w| w.contains(words)),
            "{:?}",
            model.warnings
        );
    }
}

#[test]
fn meshes_are_found_where_mujoco_finds_them() {
    let obj = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n";
    let folder = tempfile::tempdir().unwrap();
    for name in ["assets/t.obj", "assets/pkg/m/u.obj", "urdf/v w.obj"] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, obj).unwrap();
    }
    for (settings, mesh, is_found) in [
        ("meshdir=\"../assets\"", "package://pkg/meshes/t.obj", true),
        (
            "meshdir=\"../assets\" strippath=\"true\"",
            "/abs/t.obj",
            true,
        ),
        (
            "meshdir=\"../assets/\" strippath=\"false\"",
            "package://pkg/m/u.obj",
            true,
        ),
        (
            "meshdir=\"../assets\" strippath=\"false\"",
            "package://pkg/x/t.obj",
            false,
        ),
        ("assetdir=\"../assets\"", "t.obj", true),
        ("", "file://v%20w.obj", true),
        ("", "https://example.org/t.obj", false),
    ] {
        let text = format!(
            r#"<robot name="r"><mujoco><compiler {settings}/></mujoco><link name="a"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1"/></inertial>
            <collision><geometry><sphere radius="1"/></geometry></collision>
            <collision><geometry><mesh filename="{mesh}"/></geometry></collision></link></robot>"#
        );
        let file = folder.path().join("urdf/a.urdf");
        std::fs::write(&file, text).unwrap();
        let model = load_robot(&file, &Disk).unwrap();
        let found = model.links[0].colliders.len() == 2;
        assert_eq!(found, is_found, "{settings} {mesh} {:?}", model.warnings);
        assert_eq!(model.warnings.is_empty(), is_found);
    }
}

#[test]
fn hyphens_declarations_and_document_types_do_not_stop_a_file() {
    let model = parse(
        "\n<!-- ----- by hand ----- --><?xml version='1.0'?>\n<!DOCTYPE robot>\n<!--- a ---><robot name='r--s'><link name='a--b'/><!----></robot>",
    );
    assert_eq!(
        (model.name.as_str(), model.links[0].name.as_str()),
        ("r--s", "a--b")
    );
    let error = error("<!-- -- -->\n<robot name='r'> <!-- a -- b --><link nam='a'/></robot>");
    assert!(
        error.starts_with("a.urdf:2:33: <link> without name"),
        "{error}"
    );
    for (text, words) in [
        (
            "<robot name='a&b'/>",
            "a bare &; expected an entity; write &amp; for &",
        ),
        (
            "<robot name='a<b'/>",
            "< in an attribute; expected none; write &lt; for <",
        ),
        ("<robot name='a' name='b'/>", "a second attribute \"name\""),
        ("<robot name='&deg;'/>", "the entity &deg;"),
    ] {
        let error = self::error(text);
        assert!(
            error.starts_with("a.urdf:1:") && error.contains(words),
            "{error}"
        );
    }
}

/// tinyxml2, and so urdfdom and `MuJoCo`, take a prefix as a part of the name.
#[test]
fn undeclared_prefixes_are_told_and_what_has_them_is_ignored() {
    let model = parse(
        "<robot name='r'><drake:group name='g'/><link name='a'><drake:collision/><inertial><mass value='2'/></inertial>\
         </link></robot>",
    );
    assert_eq!(model.links[0].inertial.mass_kg, 2.0);
    let told = "a.urdf:1:1: undeclared prefixes: drake; what has them is ignored";
    assert!(
        model.warnings.iter().any(|w| w == told),
        "{:?}",
        model.warnings
    );
    // Places are those of the file as it is.
    let error = error("<robot name='r'><gz:x/><link nam='a'/></robot>");
    assert!(
        error.starts_with("a.urdf:1:24: <link> without name"),
        "{error}"
    );
    let error = self::error("<robot name='r'><xacro:macro/></robot>");
    assert!(error.contains("xacro"), "{error}");
}

#[test]
fn a_declared_encoding_is_read_and_a_wrong_one_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.urdf");
    let load = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        load_robot(&file, &Disk).map_err(|e| e.to_string())
    };
    let robot = b"<robot name=\"gr\xFCn\"><link name=\"a\"/></robot>";
    let declared = |label: &str| {
        [
            format!("<?xml version=\"1.0\" encoding=\"{label}\"?>").as_bytes(),
            robot,
        ]
        .concat()
    };
    assert_eq!(load(&declared("ISO-8859-1")).unwrap().name, "grün");
    assert_eq!(load(&declared("windows-1252")).unwrap().name, "grün");
    let wide: Vec<u8> = "\u{feff}<robot name=\"grün\"><link name=\"a\"/></robot>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(load(&wide).unwrap().name, "grün");
    for (bytes, words) in [
        (declared("UTF-8"), "declare the encoding"),
        (robot.to_vec(), "declare the encoding"),
        (
            declared("klingon"),
            "the encoding \"klingon\", which is unknown",
        ),
    ] {
        let error = load(&bytes).unwrap_err();
        assert!(
            error.contains("a.urdf:1:") && error.contains(words),
            "{error}"
        );
    }
    let utf_8 = "<?xml version=\"1.0\" encoding=\"latin1\"?><robot name=\"grün\"><link name=\"a\"/></robot>";
    let model = load(utf_8.as_bytes()).unwrap();
    assert!(
        model.warnings[0].contains("declares the encoding latin1"),
        "{:?}",
        model.warnings
    );
}
