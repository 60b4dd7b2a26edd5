//! MJCF models that attach others. Expected numbers are those of `MuJoCo` 4.0.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_components::body::RobotModel;
use becomingone_model::{Disk, load_robot};
use glam::Vec3;
use std::f32::consts::FRAC_PI_2;

const CHILD: &str = r#"<mujoco model="child"><compiler angle="radian"/>
<default><geom rgba="1 0 0 1"/><default class="k"><geom size=".2"/><joint damping="3"/></default></default>
<worldbody><geom name="floor" size="1"/><frame pos="0 0 5"><body name="p" pos="1 0 0" childclass="k"><joint name="jp" range="-1 1"/><geom/>
<body name="q" pos="0 1 0" euler="0 0 1.5707963"><joint name="jq"/><geom/></body></body></frame></worldbody>
<actuator><motor joint="jp" ctrlrange="-1 2"/><motor joint="jq" ctrlrange="-3 3"/></actuator>
<equality><joint joint1="jq" joint2="jp" polycoef="0 2 0 0 0"/></equality></mujoco>"#;

fn load(files: &[(&str, &str)], main: &str) -> Result<RobotModel, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files
        .iter()
        .chain(&[("child.xml", CHILD), ("main.xml", main)])
    {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    load_robot(&folder.path().join("main.xml"), &Disk).map_err(|e| {
        e.to_string()
            .replace(&format!("{}/", folder.path().display()), "")
    })
}

/// Model with a body `base` at 0, 0, 1 that holds this.
fn main(inside: &str) -> String {
    format!(
        "<mujoco><default><geom rgba=\"0 1 0 1\"/><default class=\"k\"><geom size=\".7\"/></default></default>\n\
         <asset><model name=\"c\" file=\"child.xml\"/></asset>\n\
         <worldbody><body name=\"base\" pos=\"0 0 1\"><joint name=\"b\"/><geom size=\".1\"/>\n{inside}</body></worldbody></mujoco>"
    )
}

fn at(model: &RobotModel, name: &str) -> Vec3 {
    let frame = model.frame(name).unwrap_or_else(|| panic!("no {name}"));
    (model.start_poses()[frame.link] * frame.pose).translation_m
}

fn near(a: Vec3, b: Vec3) {
    assert!((a - b).length() < 1e-5, "{a} {b}");
}

#[test]
fn an_attached_body_keeps_its_own_pose_settings_and_classes() {
    for (inside, p, q) in [
        (
            "<attach model=\"c\" body=\"p\" prefix=\"x_\"/>",
            Vec3::new(1.0, 0.0, 1.0),
            Vec3::new(1.0, 1.0, 1.0),
        ),
        (
            "<frame pos=\"0 0 10\" euler=\"0 0 90\"><attach model=\"c\" body=\"p\" prefix=\"x_\"/></frame>",
            Vec3::new(0.0, 1.0, 11.0),
            Vec3::new(-1.0, 1.0, 11.0),
        ),
    ] {
        let model = load(&[], &main(inside)).unwrap();
        assert_eq!((model.written.links, model.written.moving_joints), (3, 3));
        near(at(&model, "x_p"), p);
        near(at(&model, "x_q"), q);
        // Spheres of 0.1 m and twice 0.2 m of water: 4.188790 + 2 * 33.510322.
        assert!(
            (model.mass_kg() - 71.209_43).abs() < 1e-3,
            "{}",
            model.mass_kg()
        );
        let joint = &model.joints[model.joint("x_jp").unwrap()];
        assert_eq!(
            (joint.limits.lower, joint.limits.upper, joint.damping),
            (-1.0, 1.0, 3.0)
        );
        assert_eq!(joint.limits.effort, 2.0);
        let red = [1.0, 0.0, 0.0, 1.0];
        assert_eq!(model.links[2].visuals[0].rgba, red);
        assert_eq!(model.links[1].visuals[0].rgba, [0.0, 1.0, 0.0, 1.0]);
        let mimic = model.joints[model.joint("x_jq").unwrap()].mimic.unwrap();
        assert_eq!(
            (model.joints[mimic.joint].name.as_str(), mimic.multiplier),
            ("x_jp", 2.0)
        );
    }
}

#[test]
fn a_body_within_a_body_keeps_the_class_around_it_and_only_its_own_actuators() {
    let model = load(&[], &main("<attach model=\"c\" body=\"q\" prefix=\"x_\"/>")).unwrap();
    assert_eq!(model.written.links, 2);
    near(at(&model, "x_q"), Vec3::new(0.0, 1.0, 1.0));
    assert!(
        (model.mass_kg() - 37.699_11).abs() < 1e-3,
        "{}",
        model.mass_kg()
    );
    assert!(model.joints[1].mimic.is_none());
    assert_eq!(model.joints[1].limits.effort, 3.0);
}

#[test]
fn a_whole_model_is_attached_with_the_content_of_its_world() {
    let text = "<mujoco><asset><model file=\"child.xml\"/></asset><worldbody><frame pos=\"0 0 1\">\
        <attach model=\"child\" prefix=\"a\"/><attach model=\"child\" prefix=\"b\"/></frame></worldbody></mujoco>";
    let model = load(&[], text).unwrap();
    assert_eq!((model.written.links, model.written.moving_joints), (4, 4));
    for name in ["ap", "bp"] {
        near(at(&model, name), Vec3::new(1.0, 0.0, 6.0));
    }
    assert_eq!(model.surroundings.colliders.len(), 2);
    let turned = model.joints.iter().find(|j| j.name == "bjq").unwrap();
    let (_, angle) = turned.origin.rotation.to_axis_angle();
    assert!((angle - FRAC_PI_2).abs() < 1e-5);
}

#[test]
fn attached_models_attach_include_and_have_meshes_of_their_own() {
    let obj = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n";
    let hand = "<mujoco><compiler meshdir=\"m\"/><include file=\"inc.xml\"/><asset><mesh file=\"t.obj\"/></asset><worldbody>\
        <body name=\"palm\"><geom type=\"mesh\" mesh=\"t\"/><attach model=\"f\" body=\"tip\" prefix=\"f_\"/></body></worldbody></mujoco>";
    let inc =
        "<mujocoinclude><asset><model name=\"f\" file=\"finger.xml\"/></asset></mujocoinclude>";
    let finger = "<mujoco><worldbody><body name=\"tip\" pos=\"0 0 2\"><joint name=\"j\"/><geom size=\".1\" mass=\"3\"/></body></worldbody></mujoco>";
    let files = [
        ("hand/hand.xml", hand),
        ("hand/inc.xml", inc),
        ("hand/finger.xml", finger),
        ("hand/m/t.obj", obj),
    ];
    let text = "<mujoco><asset><model name=\"h\" file=\"hand/hand.xml\"/></asset><worldbody><body name=\"base\"><freejoint/>\
        <geom size=\".1\" mass=\"1\"/><attach model=\"h\" body=\"palm\" prefix=\"h_\"/></body></worldbody></mujoco>";
    let model = load(&files, text).unwrap();
    assert!(!model.fixed_base);
    // 1 + 1000/6 + 3.
    assert!(
        (model.mass_kg() - 170.6667).abs() < 1e-2,
        "{}",
        model.mass_kg()
    );
    near(at(&model, "h_f_tip"), Vec3::Z * 2.0);
    assert!(model.joint("h_f_j").is_some());
    assert!(model.missing_meshes.is_empty());
}

#[test]
fn what_cannot_be_attached_is_refused_at_its_place() {
    let itself = "<mujoco><asset><model name=\"m\" file=\"loop.xml\"/></asset><worldbody><attach model=\"m\" prefix=\"a\"/></worldbody></mujoco>";
    let files = [
        ("loop.xml", itself),
        ("bot.urdf", "<robot name=\"r\"><link name=\"a\"/></robot>"),
    ];
    for (from, to, words) in [
        (
            "body=\"p\"",
            "body=\"z\"",
            "main.xml:4:25: the body \"z\", which is not in child.xml; expected the name of a body of that model",
        ),
        (
            "model=\"c\"",
            "model=\"d\"",
            "main.xml:4:16: the model \"d\", which is not among this file's assets",
        ),
        (
            "model=\"c\" ",
            "",
            "main.xml:4:1: an <attach> without model",
        ),
        (
            "child.xml",
            "no.xml",
            "main.xml:2:30: a model of \"no.xml\", which was not found; expected the file no.xml",
        ),
        (
            "child.xml",
            "loop.xml",
            "loop.xml:1:38: a recursive include: main.xml -> loop.xml -> loop.xml",
        ),
        (
            "child.xml",
            "bot.urdf",
            "bot.urdf:1:1: a model whose root element is <robot>; expected <mujoco>; convert a URDF first",
        ),
    ] {
        let text = main("<attach model=\"c\" body=\"p\" prefix=\"x_\"/>").replace(from, to);
        let error = load(&files, &text).unwrap_err();
        assert!(error.starts_with(words), "{error}");
    }
    let twice = "<attach model=\"c\" body=\"p\" prefix=\"x_\"/><attach model=\"c\" body=\"p\" prefix=\"x_\"/>";
    let error = load(&files, &main(twice)).unwrap_err();
    assert!(error.contains("a second link named \"x_p\""), "{error}");
}

#[test]
fn what_an_attached_model_loses_is_told() {
    let child = CHILD
        .replace("angle=\"radian\"", "angle=\"radian\" settotalmass=\"9\"")
        .replace(
            "</mujoco>",
            "<keyframe><key name=\"home\" qpos=\".1 .2\"/></keyframe></mujoco>",
        );
    let text = main("<attach model=\"c\" body=\"p\"/>");
    let model = load(
        &[("other.xml", &child)],
        &text.replace("child.xml", "other.xml"),
    )
    .unwrap();
    for words in [
        "the keyframes of an attached model are not used",
        "settotalmass of an attached model is ignored",
        "<attach> without prefix",
    ] {
        assert!(
            model.warnings.iter().any(|w| w.contains(words)),
            "{words}: {:?}",
            model.warnings
        );
    }
}
