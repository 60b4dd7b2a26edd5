//! Bases of robots: roots of every joint kind, beside what else a file holds. Whether a base is free is as in
//! `MuJoCo` 4.0, where a free joint makes it so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_components::body::{JointKind, RobotModel};
use becomingone_components::scene::DriveSpec;
use becomingone_model::{Disk, find_drive, parse_robot};
use glam::Vec3;
use std::path::Path;

fn parse(text: &str, file: &str) -> RobotModel {
    parse_robot(text, Path::new(file), &Disk).unwrap_or_else(|e| panic!("{e}"))
}

const INERTIAL: &str =
    r#"<inertial><mass value="1"/><inertia ixx="0.01" iyy="0.02" izz="0.025"/></inertial>"#;

/// URDF with this root link and a joint of this kind from it to `base`.
fn urdf(root: &str, kind: &str) -> RobotModel {
    let text = format!(
        r#"<robot name="r">{root}<link name="base">{INERTIAL}
        <collision><origin xyz="0.5 0 0"/><geometry><sphere radius="0.1"/></geometry></collision></link><link name="arm">{INERTIAL}</link>
        <joint name="root" type="{kind}"><parent link="world"/><child link="base"/><origin xyz="1 2 3" rpy="0 0 1.5707963"/>
        <axis xyz="0 0 1"/><limit lower="-1" upper="1" effort="1" velocity="1"/></joint>
        <joint name="shoulder" type="continuous"><parent link="base"/><child link="arm"/><origin xyz="1 0 0"/></joint></robot>"#
    );
    parse(&text, "a.urdf")
}

fn near(a: Vec3, b: Vec3) {
    assert!((a - b).length() < 1e-5, "{a} {b}");
}

fn at(model: &RobotModel, name: &str) -> Vec3 {
    let frame = model.frame(name).unwrap_or_else(|| panic!("no {name}"));
    (model.start_poses()[frame.link] * frame.pose).translation_m
}

#[test]
fn a_urdf_floats_in_an_empty_world_and_hangs_on_it_by_other_joints() {
    for (kind, is_fixed, links) in [
        ("floating", false, 2),
        ("fixed", true, 2),
        ("planar", true, 3),
        ("prismatic", true, 3),
        ("revolute", true, 3),
        ("continuous", true, 3),
    ] {
        let model = urdf("<link name=\"world\"/>", kind);
        assert_eq!(
            (model.fixed_base, model.links.len()),
            (is_fixed, links),
            "{kind}"
        );
        assert!(
            model.static_link.is_none() && model.warnings.is_empty(),
            "{:?}",
            model.warnings
        );
        assert_eq!(model.written.links, 3);
        let moving = 1 + usize::from(kind != "fixed");
        assert_eq!(model.written.moving_joints, moving);
        assert!((model.mass_kg() - 2.0).abs() < 1e-6);
    }
}

#[test]
fn the_frame_of_a_floating_base_is_aligned_with_the_world() {
    let model = urdf("<link name=\"world\"/>", "floating");
    assert_eq!(model.links[0].name, "base");
    near(at(&model, "arm"), Vec3::Y);
    near(
        model.links[0].colliders[0].pose.translation_m,
        Vec3::Y * 0.5,
    );
    near(
        model.links[0].inertial.inertia_kg_m2 * Vec3::ONE,
        Vec3::new(0.02, 0.01, 0.025),
    );
    near(
        model.frame("base").unwrap().pose.rotation * Vec3::X,
        Vec3::Y,
    );
}

#[test]
fn an_empty_root_from_which_all_floats_is_the_world() {
    let text = r#"<robot name="r"><link name="odom"/><link name="a">I</link><link name="b">I</link>
        <joint name="j" type="floating"><parent link="odom"/><child link="a"/><origin xyz="0 0 1"/></joint>
        <joint name="k" type="floating"><parent link="odom"/><child link="b"/><origin xyz="0 0 4"/></joint></robot>"#;
    let model = parse(&text.replace('I', INERTIAL), "a.urdf");
    assert!(!model.fixed_base && model.static_link.is_none());
    assert_eq!(
        (model.links.len(), model.joints[0].kind),
        (2, JointKind::Floating)
    );
    near(at(&model, "b"), Vec3::Z * 3.0);
    let text = r#"<robot name="r"><link name="map"/><link name="odom"/><link name="a">I</link>
        <joint name="j" type="fixed"><parent link="map"/><child link="odom"/></joint>
        <joint name="k" type="K"><parent link="odom"/><child link="a"/></joint></robot>"#;
    for (kind, is_fixed) in [("floating", false), ("planar", true)] {
        let model = parse(&text.replace('I', INERTIAL).replace('K', kind), "a.urdf");
        assert_eq!((model.fixed_base, model.written.links), (is_fixed, 3));
        assert_eq!(model.mass_kg(), 1.0);
    }
}

#[test]
fn shapes_of_the_world_stand_still_beside_a_floating_base() {
    let world = r#"<link name="world"><collision><geometry><box size="9 9 1"/></geometry></collision></link>"#;
    let model = urdf(world, "floating");
    assert!(!model.fixed_base);
    let names: Vec<_> = model.links.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["base", "arm"]);
    assert_eq!(model.static_link, None);
    near(
        model.surroundings.colliders[0].pose.translation_m,
        Vec3::new(-1.0, -2.0, -3.0),
    );
    assert_eq!(model.surroundings.root_height_m, 3.0);
    // Those of the robot count, not those of the world.
    assert!((model.lowest_m() + 0.1).abs() < 1e-6);
}

/// MJCF with these elements in its world.
fn mjcf(world: &str) -> RobotModel {
    parse(
        &format!("<mujoco><worldbody>{world}</worldbody></mujoco>"),
        "a.xml",
    )
}

const FREE: &str = "<body name=\"f\" pos=\"0 0 2\" euler=\"0 0 90\"><freejoint/><geom size=\".1\"/>\
    <body name=\"g\" pos=\"1 0 0\"><joint name=\"j\"/><geom size=\".1\"/></body></body>";

#[test]
fn an_mjcf_base_is_free_whatever_stands_beside_it() {
    let box_ = "<geom type=\"box\" size=\"1 1 1\"/>";
    let fixed = "<body name=\"table\"><geom size=\".1\"/></body>";
    let door =
        "<body name=\"door\" pos=\"0 3 0\"><joint name=\"hinge\"/><geom size=\".1\"/></body>";
    let ball = "<body name=\"ball\" pos=\"0 0 7\"><joint type=\"free\"/><geom size=\".1\"/></body>";
    let hidden = "<geom type=\"box\" size=\"1 1 1\" contype=\"0\" conaffinity=\"0\"/>";
    for (beside, links, joints) in [
        ("", 2, 2),
        (box_, 2, 2),
        (fixed, 3, 2),
        (door, 3, 3),
        (ball, 3, 3),
        (hidden, 2, 2),
        ("<geom type=\"plane\" size=\"1 1 1\"/>", 2, 2),
    ] {
        for text in [format!("{FREE}{beside}"), format!("{beside}{FREE}")] {
            let model = mjcf(&text);
            assert!(!model.fixed_base, "{text}");
            assert_eq!(
                (model.written.links, model.written.moving_joints),
                (links, joints),
                "{text}"
            );
            assert_eq!(model.links[0].name, "f", "{text}");
            near(at(&model, "g") - at(&model, "f"), Vec3::Y);
            for (name, right) in [("door", Vec3::new(0.0, 3.0, -2.0)), ("ball", Vec3::Z * 5.0)] {
                if model.frame(name).is_some() {
                    near(at(&model, name), right);
                }
            }
            for (index, joint) in model.joints.iter().enumerate() {
                assert_eq!(joint.child, index + 1);
                assert!(joint.parent <= index);
            }
        }
    }
}

#[test]
fn an_arm_keeps_its_base_beside_a_smaller_free_body() {
    let arm = "<body name=\"a\"><joint name=\"x\"/><geom size=\".1\"/><body name=\"b\"><joint name=\"y\"/><geom size=\".1\"/></body></body>";
    let cube = "<body name=\"cube\" pos=\"1 0 0\"><freejoint/><geom size=\".1\"/></body>";
    let model = mjcf(&format!("{arm}{cube}"));
    assert!(model.fixed_base);
    assert_eq!(model.links[0].name, "world");
    assert_eq!(model.written.moving_joints, 3);
}

#[test]
fn roots_of_the_other_kinds_are_fixed() {
    for (joint, kind) in [
        ("<joint/>", Some(JointKind::Continuous)),
        (
            "<joint type=\"slide\" range=\"0 1\"/>",
            Some(JointKind::Prismatic),
        ),
        ("<joint type=\"ball\"/>", Some(JointKind::Spherical)),
        ("", None),
    ] {
        let model = mjcf(&format!("<body>{joint}<geom size=\".1\"/></body>"));
        assert!(model.fixed_base);
        assert_eq!(model.joints.first().map(|j| j.kind), kind);
    }
}

#[test]
fn a_mimic_keeps_its_leader_when_the_base_changes() {
    let door = "<body name=\"d\"><joint name=\"d1\"/><geom size=\".1\"/></body><body name=\"e\" pos=\"0 1 0\"><joint name=\"d2\"/><geom size=\".1\"/></body>";
    let text = format!(
        "<mujoco><worldbody>{door}{FREE}</worldbody><equality><joint joint1=\"d2\" joint2=\"d1\"/><joint joint1=\"d1\" joint2=\"j\"/></equality></mujoco>"
    );
    let model = parse(&text, "a.xml");
    let leader = |name: &str| {
        let mimic = model.joints[model.joint(name).unwrap()].mimic.unwrap();
        model.joints[mimic.joint].name.clone()
    };
    assert_eq!((leader("d2").as_str(), leader("d1").as_str()), ("d1", "j"));
}

#[test]
fn a_rover_that_floats_in_its_world_drives() {
    let wheel = |name: &str, y: f64| {
        format!(
            r#"<link name="{name}">{INERTIAL}<collision><origin rpy="1.5707963 0 0"/><geometry><cylinder radius="0.2" length="0.1"/></geometry></collision></link>
            <joint name="{name}_joint" type="continuous"><parent link="base"/><child link="{name}"/><origin xyz="0 {y} 0"/><axis xyz="0 1 0"/></joint>"#
        )
    };
    for world in [
        "<link name=\"world\"/>",
        "<link name=\"world\"><collision><origin xyz=\"9 0 -5\"/><geometry><box size=\"1 1 1\"/></geometry></collision></link>",
    ] {
        let mut model = parse(
            &format!(
                r#"<robot name="r">{world}<link name="base">{INERTIAL}</link>{}{}
                <joint name="root" type="floating"><parent link="world"/><child link="base"/></joint></robot>"#,
                wheel("left", 0.3),
                wheel("right", -0.3)
            ),
            "a.urdf",
        );
        let drive = find_drive(&mut model, &DriveSpec::Auto).unwrap().unwrap();
        assert_eq!(drive.wheels.len(), 2);
        assert!((drive.track_width_m - 0.6).abs() < 1e-5);
        assert!(drive.footprint_radius_m < 0.5);
    }
}
