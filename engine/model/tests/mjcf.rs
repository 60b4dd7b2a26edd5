//! Models read from valid and unusual MJCF files, and errors of invalid ones. Expected numbers are
//! closed forms, or those of `MuJoCo` 4.0 where stated.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_components::body::{JointKind, Pose, RobotModel, Shape};
use becomingone_model::{Disk, MissingAllowed, load_robot, parse_robot};
use glam::{Mat3, Quat, Vec3};
use std::f32::consts::{FRAC_PI_2, PI};
use std::path::Path;
use tempfile::TempDir;

fn parse(text: &str) -> RobotModel {
    parse_robot(text, Path::new("a.xml"), &Disk).unwrap_or_else(|e| panic!("{e}"))
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn near(a: Vec3, b: Vec3) {
    assert!((a - b).length() < 1e-5, "{a} {b}");
}

/// MJCF file of a free box with an arm, with this joint and further sections.
fn arm(joint: &str, rest: &str) -> String {
    format!(
        "<mujoco><compiler angle=\"radian\"/><worldbody><body name=\"base\"><freejoint/>\n\
         <geom type=\"box\" size=\"0.1 0.2 0.3\"/>\n\
         <body name=\"arm\" pos=\"1 0 0\">{joint}\n\
         <geom type=\"sphere\" size=\"0.1\" mass=\"2\"/></body></body></worldbody>{rest}</mujoco>"
    )
}

#[test]
fn free_body_is_the_base_and_its_joint_is_counted() {
    let model = parse(&arm(
        "<joint name=\"j\" axis=\"0 2 0\" range=\"-1 1\"/>",
        "",
    ));
    assert!(!model.fixed_base);
    assert_eq!((model.written.links, model.written.moving_joints), (2, 2));
    assert_eq!((model.links.len(), model.joints.len()), (2, 1));
    // Half extents: 8 * 0.1 * 0.2 * 0.3 m³ of water; m/3 (b² + c²).
    let base = model.links[0].inertial;
    assert!((base.mass_kg - 48.0).abs() < 1e-4);
    let moments = Vec3::new(0.13, 0.10, 0.05) * 16.0;
    near(base.inertia_kg_m2 * Vec3::ONE, moments);
    let joint = &model.joints[0];
    assert_eq!(joint.kind, JointKind::Revolute);
    near(joint.axis, Vec3::Y);
    near(joint.origin.translation_m, Vec3::X);
    assert_eq!((joint.limits.lower, joint.limits.upper), (-1.0, 1.0));
    // Solid sphere: 2/5 m r².
    let arm = model.links[1].inertial;
    assert_eq!(arm.mass_kg, 2.0);
    near(arm.inertia_kg_m2 * Vec3::ONE, Vec3::splat(0.008));
}

#[test]
fn the_floor_is_left_to_the_scene_and_other_geoms_of_the_world_are_fixed() {
    let floor = "<geom type=\"plane\" size=\"0 0 1\"/>";
    let text = arm("<joint/>", "").replace("<worldbody>", &format!("<worldbody>{floor}"));
    assert!(!parse(&text).fixed_base);
    // Walls stand about the robot, which stays free.
    let wall = "<geom type=\"box\" size=\"1 1 1\" pos=\"5 0 1\"/>\
                <body pos=\"-5 0 1\"><geom type=\"box\" size=\"1 1 1\"/></body>";
    let text = arm("<joint/>", "").replace("<worldbody>", &format!("<worldbody>{floor}{wall}"));
    let model = parse(&text);
    assert!(!model.fixed_base);
    assert_eq!(
        (model.links.len(), model.surroundings.colliders.len()),
        (2, 2)
    );
    let at: Vec<_> = model
        .surroundings
        .colliders
        .iter()
        .map(|g| g.pose.translation_m.x)
        .collect();
    assert_eq!(at, [5.0, -5.0]);
    assert_eq!((model.written.links, model.written.moving_joints), (3, 2));
    // The world has no mass.
    assert!((model.mass_kg() - 50.0).abs() < 1e-3, "{}", model.mass_kg());
    // A door beside it hangs on the world, which is a link of its own without shapes.
    let door = "<body name=\"door\"><joint/><geom type=\"box\" size=\"1 1 1\"/></body>";
    let text =
        arm("<joint/>", "").replace("<worldbody>", &format!("<worldbody>{floor}{wall}{door}"));
    let model = parse(&text);
    assert!(!model.fixed_base);
    let world = &model.links[model.static_link.unwrap()];
    assert_eq!((world.name.as_str(), world.colliders.len()), ("world", 0));
    assert_eq!(model.surroundings.colliders.len(), 2);
}

#[test]
fn default_classes_nest_and_attributes_of_an_element_override_them() {
    let text = "<mujoco><default><geom density=\"500\" rgba=\"1 0 0 1\"/>\
        <default class=\"inner\"><geom type=\"box\" size=\"0.5 0.5 0.5\"/></default>\
        <geom contype=\"0\" conaffinity=\"0\"/></default>\
        <worldbody><body name=\"a\"><freejoint/><geom type=\"sphere\" size=\"0.1\" mass=\"1\"/>\
        <body name=\"b\" childclass=\"inner\"><joint/><geom/>\
        <body name=\"c\"><joint/><geom density=\"1\" contype=\"1\"/></body></body></body></worldbody></mujoco>";
    let model = parse(text);
    let masses: Vec<_> = model.links.iter().map(|l| l.inertial.mass_kg).collect();
    assert_eq!(masses, [1.0, 500.0, 1.0]);
    // A default after a nested class applies in that class too, as in MuJoCo.
    assert!(model.links[1].colliders.is_empty());
    assert_eq!(model.links[2].colliders.len(), 1);
    assert_eq!(model.links[1].visuals[0].rgba, [1.0, 0.0, 0.0, 1.0]);
}

#[test]
fn all_orientation_notations_are_read() {
    // All of these rotate x to y.
    for (compiler, way) in [
        ("", "quat=\"0.7071068 0 0 0.7071068\""),
        ("", "axisangle=\"0 0 1 90\""),
        ("angle=\"radian\"", "axisangle=\"0 0 2 1.5707963\""),
        ("", "euler=\"0 0 90\""),
        ("", "xyaxes=\"0 1 0 -1 0 0\""),
        // Extrinsic x, y, z equals intrinsic z, y, x.
        ("eulerseq=\"XYZ\"", "euler=\"0 0 90\""),
        ("eulerseq=\"zyx\"", "euler=\"90 0 0\""),
    ] {
        let text = format!(
            "<mujoco><compiler {compiler}/><worldbody><body name=\"a\"><freejoint/>\
             <geom size=\"0.1\"/><geom type=\"box\" size=\".3 .1 .1\" {way}/></body></worldbody></mujoco>"
        );
        let model = parse(&text);
        near(model.links[0].colliders[1].pose.rotation * Vec3::X, Vec3::Y);
    }
    let text = "<mujoco><compiler eulerseq=\"xYz\"/><worldbody><body name=\"a\"><freejoint/>\
        <geom size=\"0.1\"/><geom type=\"box\" size=\".3 .1 .1\" euler=\"30 40 50\"/></body></worldbody></mujoco>";
    // MuJoCo 4.0's geom_quat of the same file.
    let q = parse(text).links[0].colliders[1].pose.rotation;
    let peer = Quat::from_xyzw(0.360_042_17, 0.196_628_23, 0.303_371_77, 0.860_042_17);
    assert!(
        q.angle_between(peer) < 1e-3 || q.angle_between(-peer) < 1e-3,
        "{q}"
    );
}

/// The ways of a class were tried before those of the element: an axisangle of the class won over its euler.
#[test]
fn the_orientation_of_an_element_wins_over_that_of_its_class() {
    // Each of these turns x to y by itself.
    let ways = [
        "quat=\"0.7071068 0 0 0.7071068\"",
        "axisangle=\"0 0 1 90\"",
        "euler=\"0 0 90\"",
        "xyaxes=\"0 1 0 -1 0 0\"",
    ];
    let others = [
        "quat=\"0 1 0 0\"",
        "axisangle=\"1 0 0 30\"",
        "euler=\"7 8 9\"",
        "xyaxes=\"0 0 1 0 1 0\"",
        "zaxis=\"1 1 1\"",
    ];
    for own in ways {
        for class in others {
            for (defaults, written) in [
                (format!("<geom {class}/>"), own),
                (
                    format!("<geom {class}/><default class=\"k\"><geom {own}/></default>"),
                    "class=\"k\"",
                ),
                (
                    format!("<geom {own}/><default class=\"k\"><geom rgba=\"1 0 0 1\"/></default>"),
                    "class=\"k\"",
                ),
            ] {
                let text = format!(
                    "<mujoco><default>{defaults}</default><worldbody><body name=\"a\"><freejoint/>\
                     <geom type=\"box\" size=\".3 .1 .1\" {written}/></body></worldbody></mujoco>"
                );
                let model = parse(&text);
                near(model.links[0].colliders[0].pose.rotation * Vec3::X, Vec3::Y);
            }
        }
    }
}

#[test]
fn two_orientations_of_one_element_are_refused() {
    let two = "quat=\"1 0 0 0\" euler=\"0 0 90\"";
    let geom = "<geom size=\".1\"/>";
    for text in [
        format!("<worldbody><body><geom size=\".1\" {two}/></body></worldbody>"),
        format!("<worldbody><body {two}>{geom}</body></worldbody>"),
        format!("<worldbody><frame {two}>{geom}</frame></worldbody>"),
        format!("<default><geom {two}/></default><worldbody><body>{geom}</body></worldbody>"),
        format!(
            "<worldbody><body><inertial mass=\"1\" pos=\"0 0 0\" {two} diaginertia=\"1 1 1\"/></body></worldbody>"
        ),
    ] {
        let text = format!("<mujoco>{text}</mujoco>");
        let error = parse_robot(&text, Path::new("a.xml"), &Disk)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("multiple orientation specifiers: quat and euler"),
            "{error}"
        );
    }
    for other in [
        "diaginertia=\"1 2 2.5\"",
        "quat=\"1 0 0 0\"",
        "euler=\"0 0 1\"",
    ] {
        let text = format!(
            "<mujoco><worldbody><body><inertial mass=\"1\" pos=\"0 0 0\" fullinertia=\"1 2 2.5 0 0 0\" {other}/></body></worldbody></mujoco>"
        );
        let error = parse_robot(&text, Path::new("a.xml"), &Disk)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("an <inertial> with fullinertia and"),
            "{error}"
        );
    }
}

#[test]
fn numbers_of_mjcf_are_those_of_a_double() {
    let joint =
        |range: &str| parse(&arm(&format!("<joint range=\"{range}\"/>"), "")).joints[0].clone();
    for range in ["-inf inf", "-1e308 1e308"] {
        let joint = joint(range);
        assert_eq!(
            (joint.kind, joint.limits.upper),
            (JointKind::Continuous, f32::INFINITY)
        );
    }
    assert_eq!(joint("-.5 1.e0").limits.upper, 1.0);
    assert_eq!(joint("-0.5 +1e-310").limits.upper, 0.0);
    for (text, words) in [
        (
            "<geom size=\"0,1\"/>",
            "\"0,1\" in size; expected a number; write 0.1 if the comma is a decimal comma",
        ),
        (
            "<geom size=\".1\" pos=\"0, 0, 1\"/>",
            "\"0,\" in pos; expected a number; write spaces",
        ),
        (
            "<geom size=\"1e-310\"/>",
            "a sphere of size [1e-310]; expected 1 lengths above zero",
        ),
        (
            "<geom size=\".1\" mass=\"1 000\"/>",
            "mass with 2 numbers; expected one number",
        ),
        (
            "<joint range=\"nan 1\"/><geom size=\".1\"/>",
            "\"nan\" in range",
        ),
    ] {
        let text = format!("<mujoco><worldbody><body>{text}</body></worldbody></mujoco>");
        let error = parse_robot(&text, Path::new("a.xml"), &Disk)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_is_only_seen_or_measured_has_no_effect_and_pairs_are_told() {
    let plain = arm("<joint name=\"j\"/>", "");
    let seen = "<camera name=\"c\"/><light/><site name=\"s\"/>";
    let text = plain
        .replace("<freejoint/>", &format!("<freejoint/>{seen}"))
        .replace(
            "</mujoco>",
            "<sensor><jointpos joint=\"j\"/></sensor></mujoco>",
        );
    assert_eq!(parse(&text), parse(&plain));
    let pair = "<contact><pair geom1=\"a\" geom2=\"b\"/></contact>";
    let model = parse(&arm("<joint/>", pair));
    assert!(
        model.warnings[0].contains("contact pairs are not supported"),
        "{:?}",
        model.warnings
    );
}

#[test]
fn what_the_two_ends_of_a_geom_replace_is_told() {
    let text = "<mujoco><worldbody><body name=\"a\"><freejoint/>\
        <geom type=\"capsule\" pos=\"9 9 9\" fromto=\"0 0 0 0 2 0\" size=\"0.1\"/></body></worldbody></mujoco>";
    let model = parse(text);
    near(model.links[0].colliders[0].pose.translation_m, Vec3::Y);
    assert!(
        model.warnings[0].contains("pos is ignored beside fromto"),
        "{:?}",
        model.warnings
    );
}

#[test]
fn shapes_from_two_ends() {
    let text = "<mujoco><worldbody><body name=\"a\"><freejoint/>\
        <geom type=\"capsule\" fromto=\"0 0 0 0 2 0\" size=\"0.1\"/></body></worldbody></mujoco>";
    let model = parse(text);
    let geometry = &model.links[0].colliders[0];
    assert_eq!(
        geometry.shape,
        Shape::Capsule {
            radius_m: 0.1,
            length_m: 2.0
        }
    );
    near(geometry.pose.translation_m, Vec3::Y);
    assert!((geometry.pose.rotation * Vec3::Z).y.abs() > 0.999_99);
    let volume = PI * 0.01 * 2.0 + 4.0 / 3.0 * PI * 1e-3;
    assert!((model.mass_kg() - 1000.0 * volume).abs() < 1e-2);
}

#[test]
fn a_written_inertia_overrides_the_computed_one_unless_inertiafromgeom() {
    let body = |compiler: &str| {
        parse(&format!(
            "<mujoco><compiler {compiler}/><worldbody><body name=\"a\"><freejoint/>\
             <inertial pos=\"0 0 1\" mass=\"3\" fullinertia=\"1 2 2.5 0.1 0 0\"/>\
             <geom size=\"0.1\" mass=\"7\"/></body></worldbody></mujoco>"
        ))
    };
    let inertial = body("").links[0].inertial;
    assert_eq!((inertial.mass_kg, inertial.com_m), (3.0, Vec3::Z));
    let m = Mat3::from_cols_array(&[1.0, 0.1, 0.0, 0.1, 2.0, 0.0, 0.0, 0.0, 2.5]);
    assert!(
        (inertial.inertia_kg_m2 - m)
            .to_cols_array()
            .iter()
            .all(|x| x.abs() < 1e-6)
    );
    assert_eq!(body("inertiafromgeom=\"true\"").mass_kg(), 7.0);
    assert_eq!(body("settotalmass=\"12\"").mass_kg(), 12.0);
    assert_eq!(body("boundmass=\"5\"").mass_kg(), 5.0);
}

#[test]
fn several_joints_of_a_body_become_joints_in_series_with_the_same_mass() {
    let text = arm(
        "<joint name=\"x\" type=\"slide\" axis=\"1 0 0\"/><joint name=\"y\" axis=\"0 1 0\" pos=\"0 0 0.5\"/>\
         <joint name=\"z\" axis=\"0 0 1\"/>",
        "",
    );
    let model = parse(&text);
    let names: Vec<_> = model.joints.iter().map(|j| j.name.as_str()).collect();
    assert_eq!(names, ["x", "y", "z"]);
    assert_eq!(model.links.len(), 4);
    assert!((model.mass_kg() - 50.0).abs() < 1e-3);
    assert!(
        model.warnings.iter().any(|w| w.contains("has 3 joints")),
        "{:?}",
        model.warnings
    );
    // A quarter turn about y through (0, 0, 0.5) takes the body's origin to -x of that, then a
    // slide of 1 m: by hand.
    let mut moved = model.clone();
    moved.joints[0].start = 1.0;
    moved.joints[1].start = FRAC_PI_2;
    let frame = moved.frame("arm").unwrap();
    let pose = moved.start_poses()[frame.link] * frame.pose;
    near(pose.translation_m, Vec3::new(1.0 + 1.0 - 0.5, 0.0, 0.5));
}

#[test]
fn a_reference_shifts_position_and_limits() {
    let joint = "<joint name=\"j\" type=\"slide\" ref=\"1.25\" range=\"1 2\" springref=\"1.5\" stiffness=\"3\" armature=\"0.2\" damping=\"4\" frictionloss=\"5\"/>";
    let joint = parse(&arm(joint, "")).joints[0].clone();
    assert_eq!((joint.limits.lower, joint.limits.upper), (-0.25, 0.75));
    assert_eq!((joint.spring_rest, joint.stiffness), (0.25, 3.0));
    assert_eq!(
        (joint.armature, joint.damping, joint.friction),
        (0.2, 4.0, 5.0)
    );
}

#[test]
fn limits_follow_the_options_of_the_compiler() {
    for (compiler, joint, limited) in [
        ("", "<joint range=\"-1 1\"/>", true),
        ("autolimits=\"false\"", "<joint range=\"-1 1\"/>", false),
        (
            "autolimits=\"false\"",
            "<joint limited=\"true\" range=\"-1 1\"/>",
            true,
        ),
        ("", "<joint limited=\"false\" range=\"-1 1\"/>", false),
    ] {
        let text =
            arm(joint, "").replace("angle=\"radian\"", &format!("angle=\"radian\" {compiler}"));
        assert_eq!(
            parse(&text).joints[0].limits.upper.is_finite(),
            limited,
            "{joint}"
        );
    }
    let degrees = arm("<joint range=\"-90 90\"/>", "").replace("angle=\"radian\"", "");
    assert!((parse(&degrees).joints[0].limits.upper - FRAC_PI_2).abs() < 1e-6);
    let ball = parse(&arm("<joint type=\"ball\" range=\"0 0.5\"/>", ""));
    assert_eq!(ball.joints[0].kind, JointKind::Spherical);
    assert_eq!(
        (ball.joints[0].limits.lower, ball.joints[0].limits.upper),
        (0.0, 0.5)
    );
}

#[test]
fn actuators_bound_the_effort_and_joint_equalities_become_mimics() {
    let effort = |actuator: &str| {
        let rest = format!("<actuator>{actuator}</actuator>");
        parse(&arm("<joint name=\"j\"/>", &rest)).joints[0]
            .limits
            .effort
    };
    assert_eq!(
        effort("<motor joint=\"j\" gear=\"50\" ctrlrange=\"-2 1\"/>"),
        100.0
    );
    assert_eq!(
        effort("<motor joint=\"j\" gear=\"50\" ctrlrange=\"-2 1\" ctrllimited=\"false\"/>"),
        f32::INFINITY
    );
    assert_eq!(
        effort("<position joint=\"j\" ctrlrange=\"-2 1\" forcerange=\"-7 7\"/>"),
        7.0
    );
    let joint =
        "<joint name=\"j\"/></body><body name=\"other\"><joint name=\"k\"/><geom size=\".1\"/>";
    let rest = "<equality><joint joint1=\"k\" joint2=\"j\" polycoef=\"0.1 -2 0 0 0\"/></equality>";
    let text = arm(joint, rest);
    let model = parse(&text);
    let k = model.joints.iter().find(|j| j.name == "k").unwrap();
    let mimic = k.mimic.unwrap();
    assert_eq!(model.joints[mimic.joint].name, "j");
    assert_eq!((mimic.multiplier, mimic.offset), (-2.0, 0.1));
}

#[test]
fn home_key_is_the_start_pose() {
    let key = "<keyframe><key name=\"other\" qpos=\"0 0 0 1 0 0 0 0.1\"/>\
        <key name=\"home\" qpos=\"0 0 1 0.7071068 0 0.7071068 0 0.7\"/></keyframe>";
    let model = parse(&arm("<joint name=\"j\"/>", key));
    assert_eq!(model.joints[0].start, 0.7);
    // The base is rotated about y; its frame keeps the file's axes.
    let frame = model.frame("base").unwrap();
    near(frame.pose.rotation * Vec3::Z, Vec3::X);
    assert_eq!(model.links[0].name, "base");
    let short = "<keyframe><key qpos=\"0 0 0\"/></keyframe>";
    let model = parse(&arm("<joint name=\"j\"/>", short));
    assert!(
        model
            .warnings
            .iter()
            .any(|w| w.contains("3 numbers in qpos")),
        "{:?}",
        model.warnings
    );
}

#[test]
fn frames_move_and_replicates_repeat_their_content() {
    let text = "<mujoco><worldbody><frame pos=\"0 0 1\" euler=\"0 0 90\"><body name=\"a\" pos=\"1 0 0\">\
        <joint axis=\"1 0 0\"/><geom size=\".1\"/></body></frame>\
        <replicate count=\"3\" offset=\"1 0 0\" sep=\"-\"><body name=\"b\"><joint name=\"j\"/><geom size=\".1\"/></body></replicate>\
        </worldbody></mujoco>";
    let model = parse(text);
    assert_eq!((model.written.links, model.written.moving_joints), (4, 4));
    near(
        model.joints[0].origin.translation_m,
        Vec3::new(0.0, 1.0, 1.0),
    );
    let last = model.joints.iter().find(|j| j.name == "j-2").unwrap();
    near(last.origin.translation_m, Vec3::X * 2.0);
}

#[test]
fn global_coordinates_are_read() {
    let text = "<mujoco><compiler coordinate=\"global\"/><worldbody><body name=\"a\"><joint type=\"slide\"/>\
        <geom type=\"capsule\" fromto=\"0 0 1 0 0 2\" size=\".1\"/><body name=\"b\"><joint name=\"j\" pos=\"0 0 1\" axis=\"0 1 0\"/>\
        <geom type=\"capsule\" fromto=\"0 0 1 0 0 0.5\" size=\".1\"/></body></body></worldbody></mujoco>";
    let model = parse(text);
    near(model.joints[1].origin.translation_m, Vec3::Z);
    let poses = model.start_poses();
    let centre = |link: usize| (poses[link] * model.links[link].colliders[0].pose).translation_m;
    near(centre(1), Vec3::Z * 1.5);
    near(centre(2), Vec3::Z * 0.75);
}

#[test]
fn meshes_are_found_and_scaled_and_have_mass() {
    // A tetrahedron of 1/6 m³ of water.
    let obj = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n";
    let text = "<mujoco><compiler meshdir=\"meshes\"/><asset><mesh file=\"t.obj\" scale=\"2 2 2\"/>\
        <mesh name=\"inline\" vertex=\"0 0 0 1 0 0 0 1 0 0 0 1\"/><mesh name=\"gone\" file=\"gone.stl\"/></asset>\
        <worldbody><body name=\"a\"><freejoint/><geom type=\"mesh\" mesh=\"t\"/><geom type=\"mesh\" mesh=\"inline\"/>\
        <geom type=\"mesh\" mesh=\"gone\"/></body></worldbody></mujoco>";
    let here = folder(&[("a.xml", text), ("meshes/t.obj", obj)]);
    let model = load_robot(&here.path().join("a.xml"), &Disk).unwrap();
    assert!(
        (model.mass_kg() - 1500.0).abs() < 0.1,
        "{}",
        model.mass_kg()
    );
    near(
        model.links[0].inertial.com_m,
        Vec3::splat((0.5 * 8.0 + 0.25) / 9.0),
    );
    assert_eq!(model.missing_meshes, ["meshes/gone.stl"]);
    assert!(model.warnings.iter().any(|w| w.contains("was not found")));
}

#[test]
fn bodies_and_worlds_that_lose_all_colliders_are_errors_unless_it_is_allowed() {
    let geom = "<geom type=\"mesh\" mesh=\"gone\"/>";
    let ball = "<geom size=\".1\"/>";
    let mesh = "<mesh name=\"gone\" file=\"gone.stl\"/>";
    let hfield = "<hfield name=\"ground\" file=\"gone.png\" size=\"1 1 1 1\"/>";
    for (asset, world, body, words) in [
        (
            mesh,
            "",
            geom,
            Some("link \"a\" loses all its colliders: mesh \"gone.stl\""),
        ),
        (mesh, geom, ball, Some("the world loses all its colliders")),
        (
            hfield,
            "<geom type=\"hfield\" hfield=\"ground\"/>",
            ball,
            Some("\"gone.png\" was not found"),
        ),
        // Ground that is missing leaves a hole, whatever else is there.
        (
            hfield,
            "<geom type=\"hfield\" hfield=\"ground\"/><geom type=\"box\" size=\"1 1 1\" pos=\"9 0 0\"/>",
            ball,
            Some("file \"gone.png\" was not found"),
        ),
        // Shapes without contacts may be missing.
        (
            mesh,
            "",
            &format!(
                "{ball}{}",
                geom.replace("/>", " contype=\"0\" conaffinity=\"0\"/>")
            ),
            None,
        ),
    ] {
        let text = format!(
            "<mujoco><asset>{asset}</asset><worldbody>{world}<body name=\"a\"><freejoint/>\
             <inertial pos=\"0 0 0\" mass=\"1\" diaginertia=\"1 1 1\"/>{body}</body></worldbody></mujoco>"
        );
        let here = folder(&[("a.xml", &text)]);
        let file = here.path().join("a.xml");
        let error = load_robot(&file, &Disk).err().map(|e| e.to_string());
        assert_eq!(error.is_some(), words.is_some(), "{error:?}");
        for words in words
            .into_iter()
            .chain(error.is_some().then_some("--allow-missing"))
        {
            assert!(error.as_ref().unwrap().contains(words), "{error:?}");
        }
        let model = load_robot(&file, &MissingAllowed(&Disk, true)).unwrap();
        assert_eq!(model.missing_meshes.len(), 1);
    }
}

#[test]
fn mesh_is_translated_then_rotated_then_scaled() {
    let text = "<mujoco><asset><mesh name=\"m\" vertex=\"0 0 0 1 0 0 0 1 0 0 0 1\" scale=\"2 1 1\" refpos=\"1 0 0\" \
        refquat=\"0.7071068 0 0 0.7071068\"/></asset><worldbody><body name=\"a\"><freejoint/>\
        <geom type=\"mesh\" mesh=\"m\"/></body></worldbody></mujoco>";
    // MuJoCo 4.0's body_ipos of the same file.
    near(
        parse(text).links[0].inertial.com_m,
        Vec3::new(0.5, 0.75, 0.25),
    );
}

#[test]
fn includes_nest() {
    let here = folder(&[
        (
            "a.xml",
            "<mujoco>\n<include file=\"parts/b.xml\"/><worldbody><include file=\"c.xml\"/></worldbody></mujoco>",
        ),
        (
            "parts/b.xml",
            "<mujocoinclude><include file=\"d.xml\"/></mujocoinclude>",
        ),
        (
            "parts/d.xml",
            "<mujoco><default><geom mass=\"3\"/></default></mujoco>",
        ),
        (
            "c.xml",
            "<mujocoinclude><body name=\"a\"><freejoint/><geom size=\".1\"/></body></mujocoinclude>",
        ),
    ]);
    let load = |name: &str| load_robot(&here.path().join(name), &Disk);
    assert_eq!(load("a.xml").unwrap().mass_kg(), 3.0);
}

#[test]
fn more_than_a_thousand_includes_are_refused() {
    // Each file includes the next one twice: 2^30 bodies.
    let mut files = Vec::new();
    for k in 0..30 {
        let next = format!("<include file=\"{}.xml\"/>", k + 1);
        files.push((
            format!("{k}.xml"),
            format!("<mujoco>{next}{next}<a/></mujoco>"),
        ));
    }
    files.push(("30.xml".to_owned(), "<mujoco><b/></mujoco>".to_owned()));
    let files: Vec<_> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    let here = folder(&files);
    let text = load_robot(&here.path().join("0.xml"), &Disk)
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(text.contains("more than 1000 included files"), "{text}");
}

#[test]
fn unsupported_elements_are_left_out_with_a_warning() {
    let rest = "<tendon><fixed name=\"t\"><joint joint=\"j\" coef=\"1\"/></fixed></tendon>\
        <equality><weld body1=\"base\" body2=\"arm\"/></equality><option gravity=\"0 0 0\" density=\"1000\"/>";
    let model = parse(&arm("<joint name=\"j\" dampnig=\"1\"/><composite/>", rest));
    for words in [
        "tendons are not supported",
        "<weld> between bodies is not supported",
        "the scene's gravity applies",
        "fluid forces",
        "unknown attribute \"dampnig\" of <joint> is ignored; did you mean `damping`?",
        "<composite> is not supported",
    ] {
        assert!(
            model.warnings.iter().any(|w| w.contains(words)),
            "{words}: {:?}",
            model.warnings
        );
    }
}

/// Joints in the frames of their bodies do not move what is drawn.
#[test]
fn the_start_pose_is_that_of_the_file() {
    let text = "<mujoco><worldbody><body name=\"a\" pos=\"0 0 1\" euler=\"0 90 0\"><joint pos=\"0.3 0.2 0.1\" axis=\"1 1 0\"/>\
        <geom size=\".1\"/><body name=\"b\" pos=\"0 0 2\"><joint pos=\"1 1 1\"/><geom size=\".1\"/></body></body></worldbody></mujoco>";
    let model = parse(text);
    let at = |name: &str| {
        let frame = model.frame(name).unwrap();
        model.start_poses()[frame.link] * frame.pose
    };
    let a = Pose::new(Vec3::Z, Quat::from_rotation_y(FRAC_PI_2));
    near(at("a").translation_m, Vec3::Z);
    near(at("b").translation_m, a.point(Vec3::Z * 2.0));
}

#[test]
fn planes_stand_on_bodies_that_do_not_move() {
    let text = |joint: &str| {
        format!(
            "<mujoco><worldbody><body pos=\"0 0 .1\">{joint}<inertial pos=\"0 0 0\" mass=\"1\" diaginertia=\"1 1 1\"/>\
             <geom type=\"plane\" size=\"1 1 1\"/></body>\
             <body><joint/><geom size=\".1\"/></body></worldbody></mujoco>"
        )
    };
    assert_eq!(parse(&text("")).links[0].colliders.len(), 1);
    let error = parse_robot(&text("<joint/>"), Path::new("a.xml"), &Disk).unwrap_err();
    assert!(
        error.to_string().contains("a plane on a body that moves"),
        "{error}"
    );
}
