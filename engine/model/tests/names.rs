//! Misspelt names, files that stand for others, and meshes that are guessed. What `MuJoCo` 4.0 refuses is an error or a
//! warning; what urdfdom ignores in silence is a warning.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_components::body::RobotModel;
use becomingone_model::{Disk, load_robot, parse_robot};
use std::path::Path;

fn parse(text: &str, file: &str) -> Result<RobotModel, String> {
    parse_robot(text, Path::new(file), &Disk).map_err(|e| e.to_string())
}

fn urdf(link: &str, rest: &str) -> RobotModel {
    let text = format!(
        "<robot name=\"r\" xmlns:drake=\"d\"><link name=\"a\">{link}</link>{rest}\
         <link name=\"b\"/><joint name=\"j\" type=\"fixed\"><parent link=\"a\"/><child link=\"b\"/></joint></robot>"
    );
    parse(&text, "a.urdf").unwrap()
}

#[test]
fn misspelt_names_of_urdf_are_told() {
    for (link, rest, words) in [
        (
            "<colision/>",
            "",
            "the unknown element <colision> in <link> is ignored; did you mean `collision`?",
        ),
        (
            "<inertal/>",
            "",
            "<inertal> in <link> is ignored; did you mean `inertial`?",
        ),
        (
            "<Visual/>",
            "",
            "<Visual> in <link> is ignored; did you mean `visual`?",
        ),
        (
            "<origin xyz=\"1 0 0\"/>",
            "",
            "<origin> in <link> is ignored",
        ),
        (
            "<inertial><mas value=\"1\"/></inertial>",
            "",
            "<mas> in <inertial> is ignored; did you mean `mass`?",
        ),
        (
            "<visual><orign xyz=\"0 0 1\"/></visual>",
            "",
            "did you mean `origin`?",
        ),
        (
            "<inertial><mass value=\"1\" unit=\"g\"/></inertial>",
            "",
            "the unknown attribute \"unit\" of <mass>",
        ),
        (
            "<inertial><origin xzy=\"0 0 1\"/></inertial>",
            "",
            "\"xzy\" of <origin> is ignored; known are xyz, rpy, quat_xyzw",
        ),
        (
            "",
            "<jiont name=\"x\"/>",
            "<jiont> in <robot> is ignored; did you mean `joint`?",
        ),
        (
            "<foo/><foo/><foo/>",
            "",
            "<foo> in <link> is ignored; known are inertial, visual, collision (3 times)",
        ),
    ] {
        let model = urdf(link, rest);
        let told = model.warnings.iter().filter(|w| w.contains(words)).count();
        assert_eq!(told, 1, "{words}: {:?}", model.warnings);
        assert!(model.warnings.iter().all(|w| w.starts_with("a.urdf:1:")));
    }
    let joint = "<robot name=\"r\"><link name=\"a\"/><link name=\"b\"/><joint name=\"j\" type=\"revolute\">\
                 <parent link=\"a\"/><child link=\"b\"/><limit lower=\"-1\" upper=\"1\" efort=\"3\" velocity=\"1\"/>\
                 <dynamic damping=\"1\"/></joint></robot>";
    let model = parse(joint, "a.urdf").unwrap();
    let column = joint.find("efort").unwrap() + 1;
    let effort = format!(
        "a.urdf:1:{column}: the unknown attribute \"efort\" of <limit> is ignored; did you mean `effort`?"
    );
    for words in [
        effort.as_str(),
        "<dynamic> in <joint> is ignored; did you mean `dynamics`?",
    ] {
        assert!(
            model.warnings.iter().any(|w| w.contains(words)),
            "{:?}",
            model.warnings
        );
    }
}

#[test]
fn decimal_commas_of_urdf_are_refused_where_they_have_no_effect_too() {
    for inner in [
        "<safety_controller k_velocity=\"0,5\"/>",
        "<calibration rising=\"0,5\"/>",
        "<limit effort=\"1\" velocity=\"0,5\"/>",
        "<mimic joint=\"j\" offset=\"0,5\"/>",
    ] {
        let text = format!(
            "<robot name=\"r\"><link name=\"a\"/><link name=\"b\"/><joint name=\"j\" type=\"fixed\">\
             <parent link=\"a\"/><child link=\"b\"/>{inner}</joint></robot>"
        );
        let error = parse(&text, "a.urdf").unwrap_err();
        assert!(
            error.starts_with("a.urdf:1:") && error.contains("write 0.5"),
            "{error}"
        );
    }
}

#[test]
fn names_of_other_programs_are_not_told() {
    let plain = urdf("", "");
    let link = "<contact><lateral_friction value=\"1\"/></contact><sensor name=\"s\"/><drake:diaphragm/>\
                <self_collision_checking/>";
    let rest = "<gazebo><foo/></gazebo><transmission name=\"t\"><bar/></transmission><ros2_control name=\"c\"/>\
                <drake:collision_filter_group name=\"g\"/>";
    assert_eq!(urdf(link, rest).warnings, plain.warnings);
}

fn mjcf(body: &str, rest: &str) -> Result<RobotModel, String> {
    let text = format!(
        "<mujoco>{rest}<worldbody><body name=\"a\"><freejoint/><geom size=\".1\"/>{body}</body></worldbody></mujoco>"
    );
    parse(&text, "a.xml")
}

#[test]
fn names_that_mujoco_refuses_are_told() {
    for (body, rest, words) in [
        (
            "<geom size=\".1\" densty=\"5\"/>",
            "",
            "\"densty\" of <geom> is ignored; did you mean `density`?",
        ),
        (
            "<goem size=\".1\"/>",
            "",
            "the unknown element <goem> in <body> is ignored; did you mean `geom`?",
        ),
        (
            "<frame><goem size=\".1\"/></frame>",
            "",
            "<goem> in <frame> is ignored; did you mean `geom`?",
        ),
        (
            "<frame poss=\"0 0 1\"/>",
            "",
            "\"poss\" of <frame> is ignored; did you mean `pos`?",
        ),
        (
            "<light poss=\"0 0 1\"/>",
            "",
            "\"poss\" of <light> is ignored; did you mean `pos`?",
        ),
        (
            "<body><inertial mas=\"2\" mass=\"1\" pos=\"0 0 0\"/></body>",
            "",
            "\"mas\" of <inertial>",
        ),
        (
            "",
            "<option gravitty=\"0 0 1\"/>",
            "\"gravitty\" of <option> is ignored; did you mean `gravity`?",
        ),
        (
            "",
            "<option><flag contacts=\"disable\"/></option>",
            "\"contacts\" of <flag> is ignored; did you mean `contact`?",
        ),
        (
            "",
            "<compiler angel=\"radian\"/>",
            "\"angel\" of <compiler> is ignored; did you mean `angle`?",
        ),
        (
            "",
            "<assets/>",
            "<assets> in <mujoco> is ignored; did you mean `asset`?",
        ),
        (
            "",
            "<default><joint dampng=\"1\"/></default>",
            "\"dampng\" of <joint> is ignored",
        ),
        (
            "",
            "<default><default class=\"c\"><gem/></default></default>",
            "<gem> in <default> is ignored",
        ),
        (
            "",
            "<asset><mesh fil=\"a\" vertex=\"0 0 0 1 0 0 0 1 0 0 0 1\" name=\"m\"/></asset>",
            "\"fil\" of <mesh>",
        ),
    ] {
        let model = mjcf(body, rest).unwrap();
        let told = model.warnings.iter().filter(|w| w.contains(words)).count();
        assert_eq!(told, 1, "{words}: {:?}", model.warnings);
    }
    let usual = "<option timestep=\"0.001\" integrator=\"RK4\"/><size nconmax=\"1\"/><visual><map znear=\"1\"/></visual>\
                 <custom><numeric name=\"n\" data=\"1 2\"/><text name=\"t\" data=\"1,5\"/></custom>";
    let body = "<site name=\"0,5\"/><camera name=\"c\" fovy=\"40\"/><replicate count=\"2\" offset=\"1 0 0\">\
                <geom size=\".1\" contype=\"1\"/></replicate>";
    let model = mjcf(body, usual).unwrap();
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
}

/// `MuJoCo`: "bad format in attribute".
#[test]
fn decimal_commas_are_refused_where_they_have_no_effect_too() {
    for (body, rest) in [
        ("<light pos=\"0,5 1 2\"/>", ""),
        ("<site size=\"0,01\"/>", ""),
        ("<camera fovy=\"45,5\"/>", ""),
        ("", "<statistic extent=\"1,5\"/>"),
        ("", "<visual><map znear=\"0,1\"/></visual>"),
        ("", "<custom><numeric name=\"a\" data=\"1,5\"/></custom>"),
        ("", "<option timestep=\"0,002\"/>"),
        ("", "<default><site size=\"0,1\"/></default>"),
        (
            "",
            "<asset><material name=\"m\" shininess=\"0,5\"/></asset>",
        ),
        ("", "<keyframe><key ctrl=\"0,5 1\"/></keyframe>"),
    ] {
        let error = mjcf(body, rest).unwrap_err();
        assert!(error.starts_with("a.xml:1:"), "{error}");
        assert!(error.contains("if the comma is a decimal comma"), "{error}");
    }
}

/// Robot with a mesh as its collider, in the file's own words.
fn with_mesh(name: &str) -> String {
    format!(
        "<robot name=\"r\"><link name=\"a\"><inertial><mass value=\"1\"/></inertial><collision><geometry>\
         <mesh filename=\"{name}\"/></geometry></collision></link></robot>"
    )
}

const TETRAHEDRON: &str =
    "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n";
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";

#[test]
fn files_that_stand_for_others_are_named() {
    let here = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = here.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let field = "<mujoco><asset><hfield name=\"h\" file=\"a.png\" size=\"1 1 1 1\"/></asset><worldbody>\
                 <geom type=\"hfield\" hfield=\"h\"/></worldbody></mujoco>";
    let mesh = "<mujoco><asset><mesh name=\"h\" file=\"a.obj\"/></asset><worldbody><body><freejoint/>\
                <geom type=\"mesh\" mesh=\"h\"/></body></worldbody></mujoco>";
    let include = "<mujoco><include file=\"a.xml\"/></mujoco>";
    for (content, words) in [
        (POINTER, "git lfs pull"),
        ("<!DOCTYPE html>\n<html></html>", "an HTML page"),
        ("", "empty"),
    ] {
        for name in ["a.stl", "a.obj", "a.dae", "a.msh", "a.png", "a.xml"] {
            write(name, content);
        }
        for (name, text) in [
            ("stl.urdf", with_mesh("a.stl")),
            ("obj.urdf", with_mesh("a.obj")),
            ("dae.urdf", with_mesh("a.dae")),
            ("msh.urdf", with_mesh("a.msh")),
            ("field.xml", field.to_owned()),
            ("mesh.xml", mesh.to_owned()),
        ] {
            let error = load_robot(&write(name, &text), &Disk)
                .unwrap_err()
                .to_string();
            assert!(error.contains(name) && error.contains(words), "{error}");
        }
    }
    for name in ["a.urdf", "a.xml"] {
        let error = load_robot(&write(name, POINTER), &Disk)
            .unwrap_err()
            .to_string();
        assert!(error.contains("git lfs pull"), "{error}");
    }
    let error = load_robot(&write("b.xml", include), &Disk)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("b.xml:1:24: ") && error.contains("git lfs pull"),
        "{error}"
    );
}

#[test]
fn meshes_that_mujoco_builds_are_refused_by_name() {
    let text = "<mujoco><asset><mesh name=\"m\" builtin=\"sphere\" params=\"2\"/></asset><worldbody>\
                <body><freejoint/><geom type=\"mesh\" mesh=\"m\"/></body></worldbody></mujoco>";
    let error = parse(text, "a.xml").unwrap_err();
    assert!(
        error.contains("builtin = \"sphere\", which is not supported"),
        "{error}"
    );
}

#[test]
fn a_package_that_is_guessed_is_told_once() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path().join("robot/urdf");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(here.path().join("robot/meshes")).unwrap();
    for name in ["a.obj", "b.obj"] {
        std::fs::write(here.path().join("robot/meshes").join(name), TETRAHEDRON).unwrap();
    }
    let (first, second) = (
        "package://other/meshes/a.obj",
        "package://other/meshes/b.obj",
    );
    let visual =
        format!("<visual><geometry><mesh filename=\"{second}\"/></geometry></visual></link>");
    let path = folder.join("a.urdf");
    std::fs::write(&path, with_mesh(first).replace("</link>", &visual)).unwrap();
    let model = load_robot(&path, &Disk).unwrap();
    let told: Vec<_> = model
        .warnings
        .iter()
        .filter(|w| w.contains("package \"other\" was not found"))
        .collect();
    assert_eq!(told.len(), 1, "{:?}", model.warnings);
    assert!(
        told[0].contains("a.urdf:1:") && told[0].contains("robot\", by the rest of the path"),
        "{told:?}"
    );
    std::fs::write(&path, with_mesh(&first.replace("other", "robot"))).unwrap();
    let model = load_robot(&path, &Disk).unwrap();
    assert!(
        !model.warnings.iter().any(|w| w.contains("not found")),
        "{:?}",
        model.warnings
    );
}
