//! Drive detection: wheels, direction, limits, and errors.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first failure"
)]

use becomingone_components::body::Shape;
use becomingone_components::drive::Drive;
use becomingone_components::scene::DriveSpec;
use becomingone_model::{Disk, DriveError, find_drive, parse_robot};
use std::f64::consts::FRAC_PI_2;
use std::path::Path;

/// Wheel of radius 0.1 m at a position on `parent`, with its joint axis in the robot's frame.
fn wheel(name: &str, at: &str, axis: &str, parent: &str) -> String {
    let roll = if axis.starts_with('0') {
        "1.5707963 0 0"
    } else {
        "0 1.5707963 0"
    };
    format!(
        r#"<link name="{name}"><collision><origin rpy="{roll}"/>
             <geometry><cylinder radius="0.1" length="0.04"/></geometry></collision>
             <inertial><mass value="1"/><inertia ixx="0.003" iyy="0.005" izz="0.003" ixy="0" ixz="0" iyz="0"/></inertial></link>
           <joint name="{name}_joint" type="continuous"><parent link="{parent}"/><child link="{name}"/>
             <origin xyz="{at}"/><axis xyz="{axis}"/></joint>"#
    )
}

fn robot(parts: &[String]) -> String {
    format!(
        r#"<robot name="cart"><link name="base"><collision><geometry><box size="0.4 0.4 0.1"/></geometry></collision>
             <inertial><mass value="8"/><inertia ixx="0.1" iyy="0.1" izz="0.2" ixy="0" ixz="0" iyz="0"/></inertial></link>{}</robot>"#,
        parts.concat()
    )
}

fn drive(parts: &[String], spec: &DriveSpec) -> Result<Drive, DriveError> {
    let mut model = parse_robot(&robot(parts), Path::new("cart.urdf"), &Disk).unwrap();
    let found = find_drive(&mut model, spec)?;
    // Driven wheels have cylinders as colliders.
    let drive = found.unwrap();
    for wheel in &drive.wheels {
        let link = &model.links[model.joints[wheel.joint].child];
        assert!(matches!(link.colliders[0].shape, Shape::Cylinder { .. }));
    }
    Ok(drive)
}

fn cart(left_axis: &str, right_axis: &str) -> Vec<String> {
    vec![
        wheel("a", "0 0.25 0", left_axis, "base"),
        wheel("b", "0 -0.25 0", right_axis, "base"),
    ]
}

#[test]
fn an_axle_along_y_drives_along_x() {
    let d = drive(&cart("0 1 0", "0 1 0"), &DriveSpec::Auto).unwrap();
    assert!((d.track_width_m - 0.5).abs() < 1e-6);
    assert!(d.forward_yaw_rad.abs() < 1e-6);
    let [a, b] = &d.wheels[..] else { panic!() };
    assert!(a.left && !b.left);
    assert!((a.radius_m - 0.1).abs() < 1e-5);
    assert_eq!((a.sign, b.sign), (1.0, 1.0));
}

#[test]
fn reversed_axis_has_the_opposite_sign() {
    let d = drive(&cart("0 1 0", "0 -1 0"), &DriveSpec::Auto).unwrap();
    assert_eq!((d.wheels[0].sign, d.wheels[1].sign), (1.0, -1.0));
}

#[test]
fn an_axle_along_x_drives_along_y() {
    let parts = [
        wheel("a", "-0.25 0 0", "1 0 0", "base"),
        wheel("b", "0.25 0 0", "1 0 0", "base"),
    ];
    let d = drive(&parts, &DriveSpec::Auto).unwrap();
    assert!((d.forward_yaw_rad - FRAC_PI_2).abs() < 1e-6);
    assert!(d.wheels[0].left);
    // Forward is +y, left is -x: a joint rotating about +x rolls backward.
    assert_eq!(d.wheels[0].sign, -1.0);
}

#[test]
fn joint_names_decide_which_side_is_left() {
    let parts = [
        wheel("right", "0 0.25 0", "0 1 0", "base"),
        wheel("left", "0 -0.25 0", "0 1 0", "base"),
    ];
    let d = drive(&parts, &DriveSpec::Auto).unwrap();
    assert!((d.forward_yaw_rad.abs() - std::f64::consts::PI).abs() < 1e-6);
    assert!(!d.wheels[0].left && d.wheels[1].left);
}

#[test]
fn named_wheels_are_used() {
    let spec = |l: &str, r: &str| DriveSpec::Wheels {
        left: vec![l.to_owned()],
        right: vec![r.to_owned()],
    };
    let d = drive(&cart("0 1 0", "0 1 0"), &spec("a_joint", "b_joint")).unwrap();
    assert!(d.wheels[0].left);
    let error = drive(&cart("0 1 0", "0 1 0"), &spec("a_jiont", "b_joint")).unwrap_err();
    assert!(
        error.to_string().contains("did you mean `a_joint`?"),
        "{error}"
    );
}

#[test]
fn a_caster_is_not_driven() {
    let mut parts = cart("0 1 0", "0 1 0");
    parts.push(
        r#"<link name="fork"><inertial><mass value="0.1"/><inertia ixx="1e-4" iyy="1e-4" izz="1e-4" ixy="0" ixz="0" iyz="0"/></inertial></link>
           <joint name="swivel" type="continuous"><parent link="base"/><child link="fork"/>
             <origin xyz="-0.15 0 0"/><axis xyz="0 0 1"/></joint>"#
            .to_owned(),
    );
    parts.push(wheel("caster", "0 0 0", "0 1 0", "fork"));
    let d = drive(&parts, &DriveSpec::Auto).unwrap();
    assert_eq!(d.wheels.len(), 2);
}

/// Steering link at a position on `base`.
fn hinge(name: &str, at: &str) -> String {
    format!(
        r#"<link name="{name}"><inertial><mass value="0.1"/><inertia ixx="1e-4" iyy="1e-4" izz="1e-4" ixy="0" ixz="0" iyz="0"/></inertial></link>
           <joint name="{name}_joint" type="revolute"><parent link="base"/><child link="{name}"/>
             <origin xyz="{at}"/><axis xyz="0 0 1"/><limit lower="-0.6" upper="0.6" effort="1" velocity="1"/></joint>"#
    )
}

#[test]
fn steered_wheels_limit_the_curvature() {
    // A rear axle at x = 0, 0.5 m wide, and front wheels at x = 0.8, y = ±0.2.
    let mut car = cart("0 1 0", "0 1 0");
    for (name, at) in [("left", "0.8 0.2 0"), ("right", "0.8 -0.2 0")] {
        car.push(hinge(name, at));
        car.push(wheel(&format!("front_{name}"), "0 0 0", "0 1 0", name));
    }
    let d = drive(&car, &DriveSpec::Auto).unwrap();
    assert_eq!(d.wheels.len(), 2);
    // On the tightest arc the inner wheel is at its limit: tan 0.6 = κ 0.8 / (1 - κ 0.2).
    let tan = libm::tan(0.6);
    let expected = tan / (0.8 + 0.2 * tan);
    let steering = d.steering.unwrap();
    assert!((steering.max_curvature_1_m - expected).abs() < 1e-6);
    assert!((d.max_yaw_rate_rad_s - 1.2_f64.min(2.0 * expected)).abs() < 1e-6);
    let angles: Vec<f64> = steering
        .wheels
        .iter()
        .map(|w| w.angle_rad(expected))
        .collect();
    assert!((angles[0] - 0.6).abs() < 1e-6 && angles[1] < 0.6);
}

#[test]
fn robot_without_a_drive_is_an_error_with_the_reason() {
    let high = vec![
        wheel("a", "0 0.25 0.3", "0 1 0", "base"),
        wheel("b", "0 -0.25 0.3", "0 1 0", "base"),
    ];
    let one_side = vec![
        wheel("left_a", "0.1 0.25 0", "0 1 0", "base"),
        wheel("left_b", "-0.1 0.25 0", "0 1 0", "base"),
    ];
    for (parts, why) in [
        (vec![], "no continuous joint"),
        (
            vec![
                hinge("hinge", "0.15 0 0"),
                wheel("front", "0 0 0", "0 1 0", "hinge"),
            ],
            "all of its wheels are steered",
        ),
        (high, "reaches the ground"),
        (one_side, "one side"),
        (
            vec![wheel("a", "0 0.25 0", "0 0 1", "base")],
            "horizontal axis",
        ),
    ] {
        let error = drive(&parts, &DriveSpec::Auto).unwrap_err().to_string();
        assert!(error.contains("`cart` cannot be driven"), "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn acceleration_stays_below_what_lifts_a_wheel() {
    // Two axles 0.3 m apart, the centre of mass above their centre: m a h + a Σ I/r = m g 0.15.
    let parts = [
        wheel("left_front", "0.15 0.25 0", "0 1 0", "base"),
        wheel("right_front", "0.15 -0.25 0", "0 1 0", "base"),
        wheel("left_rear", "-0.15 0.25 0", "0 1 0", "base"),
        wheel("right_rear", "-0.15 -0.25 0", "0 1 0", "base"),
    ];
    let d = drive(&parts, &DriveSpec::Auto).unwrap();
    let (m, h, spin) = (12.0, 0.1, 4.0 * 0.005 / 0.1);
    let lifts = m * 9.80665 * 0.15 / (m * h + spin);
    assert!(d.max_acceleration_m_s2 <= lifts / 2.0);
    assert!((d.max_acceleration_m_s2 - (lifts / 2.0).min(1.5)).abs() < 1e-3);
}
