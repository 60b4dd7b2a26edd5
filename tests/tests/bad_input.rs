//! Scenes and robot descriptions that are wrong: the message says where, nothing panics, hangs or fills memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone::{CoherenceEngine, scene};
use becomingone_tests::{binary, finish, folder, root, run};
use proptest::prelude::*;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How a bad file comes to be.
enum Content {
    Text(String),
    Bytes(Vec<u8>),
    /// A file of this size that takes no room.
    Sparse(u64),
    Folder,
    Missing,
}

/// A bad file, and what its message must say.
struct Bad {
    file: &'static str,
    content: Content,
    /// What stands where the mistake is: the message names its line. Empty where there is no place.
    at: &'static str,
    /// Fragments of the message.
    says: &'static [&'static str],
}

fn bad(
    file: &'static str,
    content: Content,
    at: &'static str,
    says: &'static [&'static str],
) -> Bad {
    Bad {
        file,
        content,
        at,
        says,
    }
}

fn text(
    file: &'static str,
    content: impl Into<String>,
    at: &'static str,
    says: &'static [&'static str],
) -> Bad {
    bad(file, Content::Text(content.into()), at, says)
}

/// A scene of a rover; each place that cases change has a line of its own.
const SCENE: &str = "(
  version: 1,
  seed: 3,
  tick_ns: 1000000,
  world: (
    obstacles: [
      Box(name: \"wall\", position_m: (5, 0, 0), size_m: (1, 4, 1)),
      Mesh(name: \"post\", file: \"bollard.obj\", position_m: (9, 9, 0)),
    ],
  ),
  agents: [
    (
      name: \"rover\",
      model: \"rover.urdf\",
      position_m: (0, 0, 0),
      drive: Auto,
      sensors: [
        (name: \"imu\", kind: Imu(gyro: (white_sd: 0.1)), rate_hz: 100, link: \"imu_link\"),
        (name: \"lidar\", kind: Lidar(rays: 8, range_max_m: 5),
          rotation: (0, 0, 0, 1),
          rate_hz: 10),
        (name: \"encoders\", kind: Encoders(), rate_hz: 100),
      ],
      controller: Patrol(
        waypoints_m: [(1, 0)],
        laps: 1,
        speed_m_s: 1.0),
      coherence: Kernel(channels: [
        (name: \"a\", signal: Tone(frequency_hz: 1.0)),
      ]),
    ),
  ],
)
";

/// The scene with one thing in it changed.
fn scene(
    file: &'static str,
    was: &str,
    is: &str,
    at: &'static str,
    says: &'static [&'static str],
) -> Bad {
    assert_eq!(SCENE.matches(was).count(), 1, "{file}: {was}");
    text(file, SCENE.replace(was, is), at, says)
}

/// A cart: each place that cases change has a line of its own.
const URDF: &str = r#"<?xml version="1.0"?>
<robot name="cart">
  <link name="base">
    <inertial>
      <mass value="2"/>
      <inertia ixx="0.1" ixy="0" ixz="0" iyy="0.1" iyz="0" izz="0.1"/>
    </inertial>
    <collision>
      <geometry><box size="0.4 0.4 0.4"/></geometry>
    </collision>
  </link>
  <link name="arm"/>
  <joint name="shoulder" type="revolute">
    <parent link="base"/>
    <child link="arm"/>
    <axis xyz="0 0 1"/>
    <limit lower="-1" upper="1" effort="1" velocity="1"/>
  </joint>
</robot>
"#;

/// The cart with one thing in it changed.
fn urdf(
    file: &'static str,
    was: &str,
    is: &str,
    at: &'static str,
    says: &'static [&'static str],
) -> Bad {
    assert_eq!(URDF.matches(was).count(), 1, "{file}: {was}");
    text(file, URDF.replace(was, is), at, says)
}

/// A robot without joints.
const STONE: &str = r#"<robot name="stone"><link name="base"><inertial><mass value="2"/>
<inertia ixx="0.1" ixy="0" ixz="0" iyy="0.1" iyz="0" izz="0.1"/></inertial></link></robot>"#;

/// A scene of a robot that is bolted down, with this drive and controller.
fn servos(
    file: &'static str,
    model: &str,
    drive: &str,
    controller: &str,
    at: &'static str,
    says: &'static [&'static str],
) -> Bad {
    let scene = format!(
        "(version: 1, agents: [(name: \"cart\", {model}\n drive: {drive},\n controller: {controller},\n)])"
    );
    text(file, scene, at, says)
}

fn bad_servos() -> Vec<Bad> {
    const CART: &str = "model: \"cart.urdf\", fixed: true,";
    let driven = |file, drive, at, says| servos(file, CART, drive, "Joints(motions: [])", at, says);
    let moved = |file, motions: &str, at, says| {
        let controller = format!("Joints(motions: [{motions}])");
        servos(file, CART, "Joints()", &controller, at, says)
    };
    vec![
        driven(
            "soft.ron",
            "Joints(stiffness: 0)",
            "0)",
            &["drive.stiffness: found 0"],
        ),
        driven(
            "pushes.ron",
            "Joints(stiffness: -5)",
            "-5",
            &["drive.stiffness: found -5"],
        ),
        driven(
            "stiff_nan.ron",
            "Joints(stiffness: NaN)",
            "NaN",
            &["drive.stiffness: found NaN"],
        ),
        driven(
            "stiff_inf.ron",
            "Joints(stiffness: inf)",
            "inf",
            &["drive.stiffness: found inf"],
        ),
        driven(
            "undamped.ron",
            "Joints(damping: 0)",
            "0)",
            &["drive.damping: found 0"],
        ),
        driven(
            "damp_nan.ron",
            "Joints(damping: NaN)",
            "NaN",
            &["drive.damping: found NaN"],
        ),
        driven(
            "damp_neg.ron",
            "Joints(damping: -1)",
            "-1",
            &["drive.damping: found -1"],
        ),
        driven(
            "gain.ron",
            "Joints(stifness: 5)",
            "stifness",
            &["did you mean `stiffness`?"],
        ),
        driven(
            "words.ron",
            "Joints(stiffness: \"much\")",
            "much",
            &["words.ron"],
        ),
        moved(
            "unknown_joint.ron",
            "(joint: \"sholder\")",
            "sholder",
            &["`sholder`", "did you mean `shoulder`?"],
        ),
        moved(
            "no_joint.ron",
            "(amplitude: 0.1)",
            "(amplitude",
            &["`joint`"],
        ),
        moved(
            "too_far.ron",
            "(joint: \"shoulder\", amplitude: 1.2)",
            "(joint",
            &["found 0 ± 1.2", "`shoulder`, -1 to 1"],
        ),
        moved(
            "off_middle.ron",
            "(joint: \"shoulder\", position: 0.8, amplitude: 0.3)",
            "(joint",
            &["found 0.8 ± 0.3", "`shoulder`, -1 to 1"],
        ),
        moved(
            "joint_twice.ron",
            "(joint: \"shoulder\"),\n(joint: \"shoulder\", position: 0.1)",
            "(joint: \"shoulder\", position",
            &["`shoulder` a second time"],
        ),
        moved(
            "position_nan.ron",
            "(joint: \"shoulder\", position: NaN)",
            "NaN",
            &["motions[0].position: found NaN"],
        ),
        moved(
            "amplitude_neg.ron",
            "(joint: \"shoulder\", amplitude: -0.1)",
            "-0.1",
            &["motions[0].amplitude: found -0.1"],
        ),
        moved(
            "amplitude_nan.ron",
            "(joint: \"shoulder\", amplitude: NaN)",
            "NaN",
            &["motions[0].amplitude: found NaN"],
        ),
        moved(
            "frequency_neg.ron",
            "(joint: \"shoulder\", frequency_hz: -1)",
            "-1",
            &["motions[0].frequency_hz: found -1"],
        ),
        moved(
            "phase_inf.ron",
            "(joint: \"shoulder\", phase_rad: inf)",
            "inf",
            &["motions[0].phase_rad: found inf"],
        ),
        servos(
            "ease_neg.ron",
            CART,
            "Joints()",
            "Joints(ease_s: -1, motions: [])",
            "-1",
            &["ease_s: found -1"],
        ),
        servos(
            "ease_nan.ron",
            CART,
            "Joints()",
            "Joints(ease_s: NaN, motions: [])",
            "NaN",
            &["ease_s: found NaN"],
        ),
        servos(
            "motions_on_wheels.ron",
            "model: \"rover.urdf\",",
            "Auto",
            "Joints(motions: [(joint: \"left_wheel_joint\")])",
            "Joints(motions",
            &["a controller without its drive", "`drive: Joints()`"],
        ),
        servos(
            "patrol_on_servos.ron",
            CART,
            "Joints()",
            "Patrol(waypoints_m: [(1, 0)], speed_m_s: 1)",
            "Patrol",
            &["a controller without its drive", "`drive: Auto`"],
        ),
        servos(
            "motions_off.ron",
            CART,
            "Off",
            "Joints(motions: [])",
            "Joints(motions",
            &["a controller without its drive"],
        ),
        servos(
            "bodiless.ron",
            "",
            "Joints()",
            "Joints(motions: [])",
            "Joints(motions",
            &["a controller without its drive", "a `model`"],
        ),
        servos(
            "stone.ron",
            "model: \"stone.urdf\",",
            "Joints()",
            "Joints(motions: [])",
            "Joints()",
            &["`stone`", "no joint that turns or slides", "drive: Off"],
        ),
    ]
}

/// Two robots that go round; each place that cases change has a line of its own.
const FLEET: &str = "(
  version: 1,
  fleet: (
    law: Uniform(
      mean_hz: 0.08,
      half_width_hz: 0.02,
    ),
    coupling_rad_s: 0.24,
    from_s: 40,
  ),
  agents: [
    (name: \"first\", model: \"rover.urdf\", drive: Auto, controller: Orbit(centre_m: (0, 1), radius_m: 1)),
    (
      name: \"second\",
      model: \"rover.urdf\",
      position_m: (4, 0, 0),
      drive: Auto,
      controller: Orbit(
        centre_m: (4, 1),
        radius_m: 1.2,
      ),
    ),
  ],
)
";

/// The fleet with one thing in it changed.
fn fleet(
    file: &'static str,
    was: &str,
    is: &str,
    at: &'static str,
    says: &'static [&'static str],
) -> Bad {
    assert_eq!(FLEET.matches(was).count(), 1, "{file}: {was}");
    text(file, FLEET.replace(was, is), at, says)
}

fn bad_fleets() -> Vec<Bad> {
    let own_rates = FLEET
        .replace("radius_m: 1)", "radius_m: 1, rate_hz: 0.1)")
        .replace("radius_m: 1.2", "radius_m: 1.2, rate_hz: 0.1");
    let from = FLEET.find("  fleet").unwrap();
    let until = FLEET.find("  agents").unwrap();
    let alone = [&FLEET[..from], &FLEET[until..]].concat();
    vec![
        fleet(
            "mean_nan.ron",
            "0.08",
            "NaN",
            "NaN",
            &["fleet.law.mean_hz: found NaN"],
        ),
        fleet(
            "width_neg.ron",
            "0.02",
            "-0.02",
            "-0.02",
            &["fleet.law.half_width_hz: found -0.02", "0 to 100"],
        ),
        fleet(
            "width_inf.ron",
            "0.02",
            "inf",
            "inf",
            &["fleet.law.half_width_hz: found inf"],
        ),
        fleet(
            "no_width.ron",
            "      half_width_hz: 0.02,\n",
            "",
            "    ),\n",
            &["`half_width_hz`"],
        ),
        fleet(
            "law.ron",
            "Uniform",
            "Unifrom",
            "Unifrom",
            &["`Unifrom`", "did you mean `Uniform`?"],
        ),
        fleet(
            "pushes_apart.ron",
            "0.24",
            "-0.24",
            "-0.24",
            &["fleet.coupling_rad_s: found -0.24", "0 to 1000"],
        ),
        fleet(
            "pulls_hard.ron",
            "0.24",
            "1e6",
            "1e6",
            &["fleet.coupling_rad_s: found 1000000"],
        ),
        fleet(
            "coupling_nan.ron",
            "0.24",
            "NaN",
            "NaN",
            &["fleet.coupling_rad_s: found NaN"],
        ),
        fleet(
            "coupling.ron",
            "coupling_rad_s",
            "coupling_hz",
            "coupling_hz",
            &["`coupling_hz`", "did you mean `coupling_rad_s`?"],
        ),
        fleet(
            "before.ron",
            "from_s: 40",
            "from_s: -1",
            "-1",
            &["fleet.from_s: found -1"],
        ),
        fleet(
            "lonely_fleet.ron",
            "radius_m: 1.2",
            "radius_m: 1.2, rate_hz: 0.1",
            "(\n    law",
            &["a fleet of 1", "at least two agents"],
        ),
        text(
            "own_rates.ron",
            own_rates,
            "(\n    law",
            &["a fleet of 0", "at least two agents"],
        ),
        text(
            "no_fleet.ron",
            alone,
            "Orbit(\n",
            &["no rate to go round at", "`fleet: (law: .."],
        ),
        fleet(
            "on_the_spot.ron",
            "radius_m: 1.2",
            "radius_m: 0",
            "radius_m: 0",
            &["controller.radius_m: found 0"],
        ),
        fleet(
            "centre_nan.ron",
            "(4, 1)",
            "(4, NaN)",
            "NaN",
            &["controller.centre_m[1]: found NaN"],
        ),
        fleet(
            "whirl.ron",
            "radius_m: 1.2",
            "radius_m: 1.2, rate_hz: inf",
            "inf",
            &["controller.rate_hz: found inf"],
        ),
        fleet(
            "radius.ron",
            "radius_m: 1.2",
            "radios_m: 1.2",
            "radios_m",
            &["`radios_m`", "did you mean `radius_m`?"],
        ),
        fleet(
            "parked.ron",
            "drive: Auto,\n",
            "drive: Off,\n",
            "Orbit(\n",
            &["a controller without its drive", "`drive: Auto`"],
        ),
        fleet(
            "car_round.ron",
            "\"rover.urdf\",\n",
            "\"compact_car.yaml\",\n",
            "",
            &["car_round.ron:", "`controller: Track(..)`"],
        ),
        fleet(
            "own_name.ron",
            "\"second\"",
            "\"fleet\"",
            "\"fleet\"",
            &["`fleet`"],
        ),
    ]
}

fn half(path: &str) -> String {
    let whole = fs::read_to_string(root().join(path)).unwrap();
    whole[..whole.floor_char_boundary(whole.len() / 2)].to_owned()
}

fn bad_scenes() -> Vec<Bad> {
    let binary_bytes = (0..=255).cycle().take(4096).collect();
    let brackets = "(".repeat(200_000);
    let lists = format!("(version: 1, agents: {}", "[".repeat(200_000));
    let channels: String = (0..16)
        .map(|k| format!("(name: \"c{k}\", signal: Tone(frequency_hz: 1.0)),"))
        .collect();
    let lonely = "(version: 1, agents: [(name: \"k\",\n sensors: [(name: \"i\", kind: Imu(), rate_hz: 9)])])";
    vec![
        text("empty.ron", "", "", &["empty.ron:1:1:", "empty"]),
        text("blank.ron", " \n\t\n", "", &["blank.ron:1:1:", "empty"]),
        text("comment.ron", "// nothing else\n", "", &["comment.ron:1:"]),
        bad(
            "binary.ron",
            Content::Bytes(binary_bytes),
            "",
            &["binary.ron:", "UTF-8"],
        ),
        bad(
            "zeros.ron",
            Content::Bytes(vec![0; 4096]),
            "",
            &["zeros.ron:1:1:"],
        ),
        text(
            "cut.ron",
            half("scenes/warehouse_robot.ron"),
            "",
            &["cut.ron:"],
        ),
        text(
            "cut_early.ron",
            &SCENE[..SCENE.find("sensors").unwrap()],
            "",
            &["cut_early.ron:16:", "end of the file"],
        ),
        text("brackets.ron", brackets, "", &["brackets.ron:1:"]),
        text("lists.ron", lists, "", &["lists.ron:1:"]),
        scene(
            "key.ron",
            "seed: 3",
            "sede: 3",
            "sede",
            &["`sede`", "did you mean `seed`?"],
        ),
        scene(
            "deep_key.ron",
            "white_sd",
            "white_std",
            "white_std",
            &["`white_std`", "did you mean `white_sd`?"],
        ),
        scene(
            "kind.ron",
            "kind: Lidar",
            "kind: Lydar",
            "Lydar",
            &["`Lydar`", "did you mean `Lidar`?"],
        ),
        scene(
            "twice.ron",
            "seed: 3,",
            "seed: 3,\n  seed: 4,",
            "seed: 4",
            &["`seed`", "second time"],
        ),
        scene(
            "no_version.ron",
            "  version: 1,\n",
            "",
            "",
            &["no_version.ron:", "`version`"],
        ),
        scene(
            "future.ron",
            "version: 1,",
            "version: 2, physics: Soft(bodies: 7),",
            "version",
            &["version 2", "newer"],
        ),
        scene(
            "past.ron",
            "version: 1",
            "version: 0",
            "version",
            &["version 0"],
        ),
        text(
            "noted.ron",
            "// The next version of a scene.\n(\n  version: 2,\n  agents: [],\n)",
            "  version: 2",
            &["version 2"],
        ),
        scene(
            "wrong_type.ron",
            "seed: 3",
            "seed: \"three\"",
            "three",
            &["xpected integer"],
        ),
        scene(
            "negative_seed.ron",
            "seed: 3",
            "seed: -3",
            "-3",
            &["out of bounds"],
        ),
        scene(
            "rest.ron",
            "  ],\n)\n",
            "  ],\n) (version: 1)\n",
            "(version: 1)",
            &["rest.ron:"],
        ),
        scene(
            "tick.ron",
            "tick_ns: 1000000",
            "tick_ns: 0",
            "tick_ns",
            &["tick_ns", "found 0"],
        ),
        scene(
            "long_tick.ron",
            "tick_ns: 1000000",
            "tick_ns: 86400000000000",
            "tick_ns",
            &["tick_ns"],
        ),
        scene(
            "no_mesh.ron",
            "bollard.obj",
            "nothing.obj",
            "nothing.obj",
            &["`nothing.obj`"],
        ),
        scene(
            "no_model.ron",
            "rover.urdf",
            "rovr.urdf",
            "rovr",
            &["`rovr.urdf`", "did you mean `rover.urdf`?"],
        ),
        scene(
            "no_link.ron",
            "imu_link",
            "imu_lnk",
            "imu_lnk",
            &["`imu_lnk`", "did you mean `imu_link`?"],
        ),
        scene(
            "no_joint.ron",
            "drive: Auto",
            "drive: Wheels(left: [\"left_whel_joint\"], right: [\"right_wheel_joint\"])",
            "left_whel",
            &["`left_whel_joint`", "`left_wheel_joint`"],
        ),
        scene(
            "same_agent.ron",
            "name: \"rover\"",
            "name: \"wall\"",
            "\"wall\",\n      model",
            &["`wall` a second time"],
        ),
        scene(
            "same_sensor.ron",
            "name: \"lidar\"",
            "name: \"imu\"",
            "Lidar",
            &["sensors[1].name", "`imu` a second time"],
        ),
        scene(
            "odd_name.ron",
            "name: \"rover\"",
            "name: \"ro/ver\"",
            "ro/ver",
            &["`ro/ver`"],
        ),
        scene(
            "rate_zero.ron",
            "rate_hz: 10)",
            "rate_hz: 0)",
            "rate_hz: 0)",
            &["sensors[1].rate_hz", "found 0"],
        ),
        scene(
            "rate_high.ron",
            "rate_hz: 10)",
            "rate_hz: 1e9)",
            "rate_hz: 1e9",
            &["sensors[1].rate_hz", "1000 Hz"],
        ),
        scene(
            "nan.ron",
            "(5, 0, 0)",
            "(NaN, 0, 0)",
            "NaN",
            &["obstacles[0].position_m[0]", "NaN"],
        ),
        scene(
            "infinite.ron",
            "speed_m_s: 1.0",
            "speed_m_s: inf",
            "inf",
            &["speed_m_s", "found inf"],
        ),
        scene(
            "overflow.ron",
            "speed_m_s: 1.0",
            "speed_m_s: 1e999",
            "1e999",
            &["speed_m_s"],
        ),
        scene(
            "far.ron",
            "position_m: (0, 0, 0)",
            "position_m: (0, 1e6, 0)",
            "1e6",
            &["agents[0].position_m[1]"],
        ),
        scene(
            "flat.ron",
            "size_m: (1, 4, 1)",
            "size_m: (1, 4, -1)",
            "-1",
            &["size_m[2]", "-1"],
        ),
        scene(
            "negative_noise.ron",
            "white_sd: 0.1",
            "white_sd: -0.1",
            "-0.1",
            &["gyro.white_sd"],
        ),
        scene(
            "no_memory.ron",
            "white_sd: 0.1",
            "correlated_sd: 0.1",
            "gyro",
            &["gyro.correlation_time_s", "found 0"],
        ),
        scene(
            "nowhere.ron",
            "kind: Encoders()",
            "kind: Gnss()",
            "Gnss()",
            &["without a place on the Earth", "`origin: (latitude_deg:"],
        ),
        scene(
            "off_the_globe.ron",
            "  world: (\n",
            "  world: (\n    origin: (latitude_deg: 90.5, longitude_deg: 8),\n",
            "90.5",
            &["world.origin.latitude_deg", "found 90.5", "-90 to 90"],
        ),
        scene(
            "round_the_globe.ron",
            "  world: (\n",
            "  world: (\n    origin: (latitude_deg: 45, longitude_deg: 361),\n",
            "361",
            &["world.origin.longitude_deg", "found 361"],
        ),
        scene(
            "half_an_origin.ron",
            "  world: (\n",
            "  world: (\n    origin: (latitude: 45),\n",
            "latitude: 45",
            &["`latitude`", "did you mean `latitude_deg`?"],
        ),
        scene(
            "wide_cone.ron",
            "kind: Encoders()",
            "kind: Range(range_max_m: 4, fov_rad: 60)",
            "60)",
            &["kind.fov_rad", "found 60", "radians"],
        ),
        scene(
            "no_cone.ron",
            "kind: Encoders()",
            "kind: Range(range_min_m: 4, range_max_m: 4)",
            "range_min_m",
            &["kind.range_max_m", "above range_min_m"],
        ),
        scene(
            "microtesla.ron",
            "  world: (\n",
            "  world: (\n    magnetic_field_t: (1.3, 21.5, -43.2),\n",
            "1.3, 21.5",
            &["world.magnetic_field_t[0]", "tesla within 0.001"],
        ),
        text(
            "which_field.ron",
            SCENE
                .replace(
                    "world: (",
                    "world: (origin: (latitude_deg: 45, longitude_deg: 8),",
                )
                .replace("kind: Encoders()", "kind: Magnetometer()"),
            "Magnetometer",
            &["magnetic field is not said", "`magnetic_field_t: ("],
        ),
        scene(
            "iron.ron",
            "kind: Encoders()",
            "kind: Magnetometer(soft_iron: ((1, 0, 0), (0, NaN, 0), (0, 0, 1)))",
            "NaN",
            &["soft_iron[1][1]", "found NaN"],
        ),
        scene(
            "no_rotation.ron",
            "rotation: (0, 0, 0, 1)",
            "rotation: (0, 0, 0, 0)",
            "rotation",
            &["quaternion"],
        ),
        scene("no_rays.ron", "rays: 8", "rays: 0", "rays", &["rays"]),
        scene(
            "no_range.ron",
            "range_max_m: 5",
            "range_max_m: 0",
            "range_max_m",
            &["range_max_m"],
        ),
        scene(
            "no_goal.ron",
            "waypoints_m: [(1, 0)]",
            "waypoints_m: []",
            "waypoints_m",
            &["waypoints_m", "at least one"],
        ),
        scene("no_laps.ron", "laps: 1", "laps: 0", "laps", &["laps"]),
        scene(
            "undriven.ron",
            "drive: Auto",
            "drive: Off",
            "Patrol",
            &["controller"],
        ),
        scene(
            "no_wheels.ron",
            "rover.urdf",
            "cart.urdf",
            "drive",
            &["`cart` cannot be driven", "wheels"],
        ),
        scene(
            "channels.ron",
            "(name: \"a\", signal: Tone(frequency_hz: 1.0)),",
            &channels,
            "Kernel(channels",
            &["coherence.channels"],
        ),
        scene(
            "chirp.ron",
            "Tone(frequency_hz: 1.0)",
            "Chirp(start_hz: 1.0, rate_hz_s: inf)",
            "Chirp",
            &["signal.rate_hz_s", "hertz a second"],
        ),
        scene(
            "protection.ron",
            "coherence: Kernel(channels",
            "coherence: Kernel(blend: (protection: 1.0), channels",
            "Kernel(blend",
            &["blend.protection", "below 1"],
        ),
        scene(
            "half_life.ron",
            "coherence: Kernel(channels",
            "coherence: Kernel(blend: (half_life_s: -3), channels",
            "Kernel(blend",
            &["blend.half_life_s", "positive"],
        ),
        scene(
            "similarity.ron",
            "coherence: Kernel(channels",
            "coherence: Kernel(blend: (similarity: 90), channels",
            "Kernel(blend",
            &["blend.similarity", "0 to 1"],
        ),
        scene(
            "recal.ron",
            "coherence: Kernel(channels",
            "coherence: Kernel(blend: (recal: 0.5), channels",
            "Kernel(blend",
            &["recal"],
        ),
        text(
            "no_agents.ron",
            "(version: 1,\nagents: [])",
            "agents",
            &["at least one agent"],
        ),
        text("lonely.ron", lonely, "sensors", &["without a body"]),
        scene(
            "bad_model.ron",
            "rover.urdf",
            "bad.urdf",
            "",
            &["bad.urdf:", "<robt>"],
        ),
        bad(
            "folder.ron",
            Content::Folder,
            "",
            &["folder.ron: found a folder"],
        ),
        bad("missing.ron", Content::Missing, "", &["missing.ron"]),
        bad(
            "huge.ron",
            Content::Sparse(65 << 20),
            "",
            &["huge.ron", "bytes"],
        ),
    ]
}

fn bad_robots() -> Vec<Bad> {
    let nested = format!("<robot name=\"r\">{}", "<a>".repeat(200_000));
    let closed = format!(
        "<robot name=\"r\">{}{}</robot>",
        "<a>".repeat(200_000),
        "</a>".repeat(200_000)
    );
    let laughs: String = (1..10)
        .map(|k| {
            format!(
                "  <!ENTITY l{k} \"{}\">\n",
                format!("&l{};", k - 1).repeat(10)
            )
        })
        .collect();
    let laughs = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE robot [\n  <!ENTITY l0 \"ha\">\n{laughs}]>\n<robot name=\"&l9;\"/>\n"
    );
    let outside = "<!DOCTYPE robot [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<robot name=\"&x;\"><link name=\"a\"/></robot>";
    let closed_loop = "<joint name=\"back\" type=\"fixed\">\n    <parent link=\"arm\"/><child link=\"base\"/>\n  </joint>\n</robot>";
    let utf16 = URDF.encode_utf16().flat_map(u16::to_le_bytes);
    vec![
        text("empty.urdf", "", "", &["empty.urdf:1:1:"]),
        bad(
            "binary.urdf",
            Content::Bytes((0..=255).cycle().take(4096).collect()),
            "",
            &["binary.urdf:"],
        ),
        bad(
            "utf16.urdf",
            Content::Bytes([0xff, 0xfe].into_iter().chain(utf16).collect()),
            "",
            &["utf16.urdf:", "UTF-16"],
        ),
        text("cut.urdf", half("assets/rover.urdf"), "", &["cut.urdf:"]),
        text("angles.urdf", "<".repeat(200_000), "", &["angles.urdf:1:"]),
        text("nested.urdf", nested, "", &["nested.urdf:1:"]),
        text("closed.urdf", closed, "", &["closed.urdf:1:"]),
        text("laughs.urdf", laughs, "", &["laughs.urdf:", "entities"]),
        text("outside.urdf", outside, "", &["outside.urdf:", "entities"]),
        text(
            "bad.urdf",
            "<robt name=\"r\"/>",
            "<robt",
            &["<robt>", "robot"],
        ),
        text(
            "no_links.urdf",
            "<robot name=\"r\"/>",
            "<robot",
            &["no_links.urdf:", "link"],
        ),
        urdf(
            "negative_mass.urdf",
            "mass value=\"2\"",
            "mass value=\"-2\"",
            "-2",
            &["-2"],
        ),
        urdf(
            "nan_mass.urdf",
            "mass value=\"2\"",
            "mass value=\"NaN\"",
            "NaN",
            &["NaN"],
        ),
        urdf(
            "inf_inertia.urdf",
            "ixx=\"0.1\"",
            "ixx=\"inf\"",
            "inf\"",
            &["inf"],
        ),
        urdf(
            "word_mass.urdf",
            "mass value=\"2\"",
            "mass value=\"heavy\"",
            "heavy",
            &["heavy"],
        ),
        urdf(
            "no_size.urdf",
            "box size=\"0.4 0.4 0.4\"",
            "box size=\"0.4 0 0.4\"",
            "<box",
            &["above zero"],
        ),
        urdf(
            "no_shape.urdf",
            "<box size",
            "<bax size",
            "<bax",
            &["<bax>", "box"],
        ),
        urdf(
            "joint_kind.urdf",
            "type=\"revolute\"",
            "type=\"revolut\"",
            "revolut",
            &["revolut"],
        ),
        urdf(
            "ghost.urdf",
            "parent link=\"base\"",
            "parent link=\"bse\"",
            "\"bse\"",
            &["\"bse\"", "did you mean \"base\"?"],
        ),
        urdf(
            "loop.urdf",
            "</robot>",
            closed_loop,
            "",
            &["loop.urdf:", "tree"],
        ),
        urdf(
            "self.urdf",
            "child link=\"arm\"",
            "child link=\"base\"",
            "",
            &["self.urdf:", "two different links"],
        ),
        urdf(
            "same_link.urdf",
            "link name=\"arm\"",
            "link name=\"base\"",
            "name=\"base\"/>",
            &["base"],
        ),
        urdf(
            "two_roots.urdf",
            "</robot>",
            "<link name=\"loose\"/></robot>",
            "",
            &["two_roots.urdf:", "one root"],
        ),
        urdf(
            "no_axis.urdf",
            "axis xyz=\"0 0 1\"",
            "axis xyz=\"0 0 0\"",
            "<axis",
            &["direction"],
        ),
        urdf(
            "limits.urdf",
            "lower=\"-1\"",
            "lower=\"2\"",
            "<limit",
            &["lower"],
        ),
        urdf(
            "xacro.urdf",
            "<link name=\"arm\"/>",
            "<xacro:arm/>",
            "<xacro",
            &["xacro"],
        ),
        bad(
            "folder.urdf",
            Content::Folder,
            "",
            &["folder.urdf: found a folder"],
        ),
        bad("missing.urdf", Content::Missing, "", &["missing.urdf"]),
        bad(
            "huge.urdf",
            Content::Sparse(65 << 20),
            "",
            &["huge.urdf", "bytes"],
        ),
    ]
}

fn write(folder: &Path, bad: &Bad) {
    let path = folder.join(bad.file);
    match &bad.content {
        Content::Text(text) => fs::write(path, text).unwrap(),
        Content::Bytes(bytes) => fs::write(path, bytes).unwrap(),
        Content::Sparse(bytes) => File::create(path).unwrap().set_len(*bytes).unwrap(),
        Content::Folder => fs::create_dir(path).unwrap(),
        Content::Missing => {}
    }
}

/// A command on the binary that may take a gigabyte of address space: beyond it, memory is refused, and it aborts.
fn bounded(folder: &Path, args: &[&str]) -> Command {
    let mut command = if cfg!(unix) {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "ulimit -v 1000000; exec \"$0\" \"$@\""])
            .arg(binary());
        shell
    } else {
        Command::new(binary())
    };
    command.current_dir(folder).args(args);
    command
}

fn refuse(cases: &[Bad]) {
    let folder = folder(&[("cart.urdf", URDF), ("stone.urdf", STONE)]);
    for case in cases {
        write(folder.path(), case);
    }
    // `bad_model.ron` names it.
    fs::write(folder.path().join("bad.urdf"), "<robt name=\"r\"/>").unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        for args in [
            ["check", case.file].as_slice(),
            &[
                "run",
                case.file,
                "--rerun",
                "off",
                "--duration",
                "10ms",
                "--quiet",
            ],
        ] {
            let ran = finish(&mut bounded(folder.path(), args), Duration::from_secs(10));
            let mut note = |what: &str| {
                let first: String = ran.stderr.chars().take(400).collect();
                wrong.push(format!("{args:?}: {what}\n    {first}"));
            };
            if ran.code != Some(2) {
                note(&format!("exit {:?}, not 2", ran.code));
            }
            if ran.stderr.contains("panicked") {
                note("a panic");
            }
            if ran.stderr.len() > 10_000 {
                note(&format!("{} bytes of message", ran.stderr.len()));
            }
            for fragment in case.says {
                if !ran.stderr.contains(fragment) {
                    note(&format!("no {fragment:?}"));
                }
            }
            if let (Content::Text(text), false) = (&case.content, case.at.is_empty()) {
                let at = text
                    .find(case.at)
                    .unwrap_or_else(|| panic!("{}: no {}", case.file, case.at));
                let line = text[..at].matches('\n').count() + 1;
                let place = format!("{}:{line}:", case.file);
                let column = ran
                    .stderr
                    .split(&place)
                    .nth(1)
                    .and_then(|rest| rest.split(':').next());
                if column.is_none_or(|c| c.parse::<u32>().is_err()) {
                    note(&format!("not at {place}COLUMN:"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_scenes_that_cases_change_are_good() {
    let here = folder(&[
        ("good.ron", SCENE),
        ("fleet.ron", FLEET),
        ("cart.urdf", URDF),
    ]);
    let ran = run(
        here.path(),
        &["check", "good.ron", "fleet.ron", "cart.urdf"],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn bad_scenes_are_refused_with_their_place() {
    refuse(&bad_scenes());
}

#[test]
fn bad_servos_are_refused_with_their_place() {
    refuse(&bad_servos());
}

#[test]
fn bad_fleets_are_refused_with_their_place() {
    refuse(&bad_fleets());
}

#[test]
fn bad_robots_are_refused_with_their_place() {
    refuse(&bad_robots());
}

#[test]
fn every_mistake_of_a_scene_is_told_in_the_order_of_the_file() {
    let text = SCENE
        .replace("tick_ns: 1000000", "tick_ns: 0")
        .replace("rays: 8", "rays: 0")
        .replace("laps: 1", "laps: 0");
    let here = folder(&[("three.ron", &text)]);
    let ran = run(here.path(), &["check", "three.ron"]);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let order = ["three.ron:4:", "three.ron:19:", "three.ron:26:"];
    let at = |place: &str| lines.iter().position(|l| l.contains(place));
    let places: Vec<_> = order
        .iter()
        .map(|p| at(p).unwrap_or_else(|| panic!("no {p}: {lines:?}")))
        .collect();
    assert!(places.is_sorted(), "{lines:?}");
}

#[test]
fn mistakes_of_all_kinds_are_told_at_once() {
    // Numbers out of range, names taken, files, links and joints that are not there, a robot without wheels.
    let text = SCENE
        .replace("tick_ns: 1000000", "tick_ns: 0")
        .replace("size_m: (1, 4, 1)", "size_m: (1, 0, -1)")
        .replace("bollard.obj", "bolard.obj")
        .replace("position_m: (0, 0, 0)", "position_m: (0, 1e6, 0)")
        .replace("drive: Auto", "drive: Wheels(left: [\"left_whel_joint\"], right: [\"right_wheel_joint\"])")
        .replace("imu_link", "imu_lnk")
        .replace("name: \"lidar\"", "name: \"imu\"")
        .replace("rays: 8", "rays: 0")
        .replace("laps: 1", "laps: 0")
        .replace("frequency_hz: 1.0", "frequency_hz: -1.0")
        .replace(
            "    ),\n  ],\n)\n",
            "    ),\n    (name: \"second\", model: \"rovr.urdf\"),\n    (name: \"third\", model: \"bad.urdf\"),\n    (name: \"fourth\", model: \"cart.urdf\", drive: Auto),\n  ],\n)\n",
        );
    let here = folder(&[
        ("all.ron", &text),
        ("cart.urdf", URDF),
        ("bad.urdf", "<robt name=\"r\"/>"),
    ]);
    let ran = run(here.path(), &["check", "all.ron"]);
    assert_eq!(ran.code, Some(2));
    let told = ran.stderr.trim_start_matches("error: ");
    let lines: Vec<&str> = told.lines().collect();
    let expected = [
        ("all.ron:4:12: ", "tick_ns: found 0"),
        ("all.ron:7:60: ", "size_m[1]: found 0"),
        ("all.ron:7:63: ", "size_m[2]: found -1"),
        ("all.ron:8:32: ", "did you mean `bollard.obj`?"),
        ("all.ron:15:23: ", "found 1000000"),
        ("all.ron:16:14: ", "`left_wheel_joint`"),
        ("all.ron:18:", "did you mean `imu_link`?"),
        ("all.ron:19:16: ", "`imu` a second time"),
        ("all.ron:19:41: ", "rays: found 0"),
        ("all.ron:26:15: ", "laps: found 0"),
        ("all.ron:29:", "frequency_hz: found -1"),
        ("all.ron:32:29: ", "did you mean `rover.urdf`?"),
        ("all.ron:33:28: ", "bad.urdf:1:1: "),
        ("all.ron:34:49: ", "`cart` cannot be driven"),
    ];
    assert_eq!(lines.len(), expected.len(), "{told}");
    for (line, (place, says)) in lines.iter().zip(expected) {
        assert!(
            line.starts_with(place) && line.contains(says),
            "no {place}..{says} in {line}\n{told}"
        );
    }
}

#[test]
fn a_hundred_thousand_mistakes_are_told_in_time() {
    let waypoints = "(1e9, 2.0), ".repeat(100_000);
    let here = folder(&[("far.ron", &SCENE.replace("(1, 0)", &waypoints))]);
    let ran = finish(
        &mut bounded(here.path(), &["check", "far.ron"]),
        Duration::from_secs(10),
    );
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("and 99980 more"), "{}", ran.stderr);
}

#[test]
fn impossible_inertias_are_repaired_with_a_warning() {
    let inertia = "ixx=\"0.1\" ixy=\"0\" ixz=\"0\" iyy=\"0.1\" iyz=\"0\" izz=\"0.1\"";
    for (what, is) in [
        (
            "is zero",
            "ixx=\"0\" ixy=\"0\" ixz=\"0\" iyy=\"0\" iyz=\"0\" izz=\"0\"",
        ),
        // No body has a moment larger than the sum of the other two.
        (
            "is impossible",
            "ixx=\"0.1\" ixy=\"0\" ixz=\"0\" iyy=\"0.1\" iyz=\"0\" izz=\"0.5\"",
        ),
        (
            "is not positive definite",
            "ixx=\"0.1\" ixy=\"0\" ixz=\"0\" iyy=\"-0.1\" iyz=\"0\" izz=\"0.1\"",
        ),
    ] {
        let here = folder(&[("cart.urdf", &URDF.replace(inertia, is))]);
        let ran = run(here.path(), &["check", "cart.urdf"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("warning: cart.urdf:3:") && ran.stderr.contains(what),
            "{}",
            ran.stderr
        );
        let ran = run(
            here.path(),
            &[
                "run",
                "cart.urdf",
                "--duration",
                "1s",
                "--rerun",
                "off",
                "--quiet",
            ],
        );
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
    }
}

#[test]
fn the_largest_allowed_list_of_waypoints_is_read_in_time() {
    let waypoints = "(1.0, 2.0), ".repeat(100_000);
    let text = SCENE.replace("(1, 0)", &waypoints);
    let here = folder(&[
        ("long.ron", &text),
        (
            "too_long.ron",
            &text.replacen("(1.0, 2.0)", "(1.0, 2.0), (1.0, 2.0)", 1),
        ),
    ]);
    let ran = finish(
        &mut bounded(here.path(), &["check", "long.ron"]),
        Duration::from_secs(10),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran = finish(
        &mut bounded(here.path(), &["check", "too_long.ron"]),
        Duration::from_secs(10),
    );
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("waypoints_m: found 100001 entries"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_full_sized_scene_is_refused_in_bounded_time_and_memory() {
    // Just under the 64 MB that are read, and far more entries than a scene may have.
    let waypoints = "(1,2),".repeat(10_000_000);
    let here = folder(&[("large.ron", &SCENE.replace("(1, 0)", &waypoints))]);
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -v 4000000; exec \"$0\" \"$@\""])
        .arg(binary())
        .args(["check", "large.ron"])
        .current_dir(here.path());
    let ran = finish(&mut command, Duration::from_secs(10));
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("waypoints_m: found 10000000 entries"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_device_is_refused() {
    if cfg!(unix) {
        let here = folder(&[]);
        let ran = finish(
            &mut bounded(here.path(), &["check", "/dev/zero"]),
            Duration::from_secs(10),
        );
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    }
}

#[test]
fn files_that_were_cut_anywhere_are_refused_or_read() {
    let here = folder(&[]);
    for (source, file) in [
        ("scenes/warehouse_robot.ron", "cut.ron"),
        ("assets/rover.urdf", "cut.urdf"),
    ] {
        let whole = fs::read(root().join(source)).unwrap();
        let path = here.path().join(file);
        // Every byte would take long: the step has no common factor with the files' habits.
        for cut in (0..whole.trim_ascii_end().len()).step_by(7) {
            fs::write(&path, &whole[..cut]).unwrap();
            let read = match file {
                "cut.ron" => scene::load(&path, None).map(drop),
                _ => scene::dropped(&path).map(drop),
            };
            let error = read.expect_err("a part is no whole").to_string();
            assert!(error.contains(file), "{error}");
        }
    }
}

/// Places in the scene where a number stands.
fn numbers() -> Vec<(usize, usize)> {
    let bytes = SCENE.as_bytes();
    let digit = |k: usize| {
        bytes
            .get(k)
            .is_some_and(|b| b.is_ascii_digit() || *b == b'.')
    };
    let mut places = Vec::new();
    let mut k = 0;
    while k < bytes.len() {
        if digit(k)
            && bytes[k] != b'.'
            && !bytes[k - 1].is_ascii_alphanumeric()
            && bytes[k - 1] != b'_'
        {
            let end = (k..).find(|&e| !digit(e)).unwrap();
            places.push((k, end));
            k = end;
        }
        k += 1;
    }
    places
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the numbers say: a scene is refused, or it runs.
    #[test]
    fn a_scene_with_any_two_numbers_changed_is_refused_or_runs(
        first in any::<prop::sample::Index>(),
        second in any::<prop::sample::Index>(),
        values in prop::array::uniform2(prop_oneof![
            Just("0".to_owned()), Just("-1".to_owned()), Just("NaN".to_owned()), Just("inf".to_owned()),
            (-12i32..12).prop_map(|e| format!("1e{e}")),
            (-9i32..6).prop_map(|e| format!("-1e{e}")),
            any::<i64>().prop_map(|x| x.to_string()),
            (0u32..100_000).prop_map(|x| x.to_string()),
        ]),
    ) {
        let places = numbers();
        let mut at = [*first.get(&places), *second.get(&places)];
        at.sort_unstable();
        let mut text = SCENE.to_owned();
        // From the end, so that the first place stays where it is.
        text.replace_range(at[1].0..at[1].1, &values[1]);
        if at[0] != at[1] {
            text.replace_range(at[0].0..at[0].1, &values[0]);
        }
        let here = folder(&[("any.ron", &text)]);
        match CoherenceEngine::from_scene(here.path().join("any.ron")) {
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains("any.ron:"), "{}", error);
            }
            Ok(mut engine) => {
                for _ in 0..20 {
                    prop_assert!(engine.step().is_ok(), "{}", text);
                }
                let summary = engine.summary();
                prop_assert!(summary.agents[0].position.iter().all(|x| x.is_finite()), "{}", text);
                prop_assert!(summary.agents[0].sensors.iter().all(|s| s.non_finite == 0), "{}", text);
            }
        }
    }

    /// Whatever bytes stand in a description: it is refused with its name, or it is read.
    #[test]
    fn a_description_with_any_bytes_changed_is_refused_or_read(
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..8),
        gone in 0usize..8,
    ) {
        let mut text = URDF.as_bytes().to_vec();
        let at = at.index(text.len());
        let end = (at + gone).min(text.len());
        text.splice(at..end, bytes);
        let here = folder(&[]);
        let path = here.path().join("any.urdf");
        fs::write(&path, text).unwrap();
        match scene::dropped(&path) {
            Err(error) => prop_assert!(error.to_string().contains("any.urdf"), "{}", error),
            Ok(loaded) => {
                let mut engine = CoherenceEngine::from_loaded(loaded);
                prop_assert!(engine.run_for(Duration::from_millis(5)).is_ok());
            }
        }
    }
}
