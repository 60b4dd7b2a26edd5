//! Small scene built in code: two-wheeled robots on patrol among obstacles.

#![allow(
    dead_code,
    missing_docs,
    clippy::disallowed_methods,
    unreachable_pub,
    clippy::unwrap_used
)]

use becomingone_components::body::{
    Frame, Geometry, Inertial, Joint, JointKind, JointLimits, Link, Mesh, Pose, RobotModel, Shape,
    Written,
};
use becomingone_components::control::Localisation;
use becomingone_components::drive::{Drive, Wheel};
use becomingone_components::kind::Named;
use becomingone_components::scene::{
    AgentSpec, DriveSpec, LoadedAgent, LoadedScene, ObstacleSpec, SceneSpec, SensorSpec, WorldSpec,
};
use becomingone_components::sensor::{AnySensor, Noise};
use becomingone_rerun::RerunPlugin;
use becomingone_systems::control::patrol::Patrol;
use becomingone_systems::sensing::{Contact, Encoders, Imu, Lidar};
use becomingone_systems::{EnginePlugin, spawn, tick};
use bevy_app::App;
use glam::{Mat3, Quat, Vec3};
use std::f32::consts::{FRAC_PI_2, TAU};
use std::sync::Arc;

const GREY: [f32; 4] = [0.16, 0.17, 0.19, 1.0];

fn inertial(mass_kg: f32, size_m: Vec3) -> Inertial {
    let sq = size_m * size_m;
    let i = Vec3::new(sq.y + sq.z, sq.x + sq.z, sq.x + sq.y) * mass_kg / 12.0;
    Inertial {
        mass_kg,
        com_m: Vec3::ZERO,
        inertia_kg_m2: Mat3::from_diagonal(i),
    }
}

/// Hemisphere, as in an STL file: squares share no vertices.
fn dome(radius_m: f32) -> Mesh {
    let (around, up) = (24, 6);
    let mut mesh = Mesh {
        name: "dome.stl".to_owned(),
        vertices_m: Vec::new(),
        triangles: Vec::new(),
    };
    let point = |i: u32, j: u32| {
        let (a, b) = (
            TAU * i as f32 / around as f32,
            FRAC_PI_2 * j as f32 / up as f32,
        );
        [
            radius_m * a.cos() * b.cos(),
            radius_m * a.sin() * b.cos(),
            radius_m * b.sin(),
        ]
    };
    for i in 0..around {
        for j in 0..up {
            let corners = [
                point(i, j),
                point(i + 1, j),
                point(i + 1, j + 1),
                point(i, j + 1),
            ];
            let k = mesh.vertices_m.len() as u32;
            mesh.vertices_m.extend(corners);
            mesh.triangles
                .extend([[k, k + 1, k + 2], [k, k + 2, k + 3]]);
        }
    }
    mesh
}

pub fn robot() -> RobotModel {
    let shape = |shape, at: Vec3, rotation, rgba| Geometry {
        pose: Pose::new(at, rotation),
        shape,
        rgba,
        contacts: becomingone_components::contact_mask::ContactMask::default(),
    };
    let hull = shape(
        Shape::Box {
            half_extents_m: Vec3::new(0.22, 0.15, 0.06),
        },
        Vec3::new(-0.08, 0.0, 0.05),
        Quat::IDENTITY,
        [0.95, 0.75, 0.10, 1.0],
    );
    let caster = shape(
        Shape::Sphere { radius_m: 0.05 },
        Vec3::new(-0.25, 0.0, -0.05),
        Quat::IDENTITY,
        GREY,
    );
    let base = Link {
        name: "base".to_owned(),
        inertial: Inertial {
            // Behind the axle, so that the caster carries load.
            com_m: Vec3::new(-0.08, 0.0, 0.0),
            ..inertial(6.0, Vec3::new(0.44, 0.3, 0.12))
        },
        colliders: vec![hull.clone(), caster.clone()],
        visuals: vec![
            hull,
            caster,
            shape(
                Shape::Mesh(Arc::new(dome(0.09))),
                Vec3::new(-0.02, 0.0, 0.11),
                Quat::IDENTITY,
                [0.75, 0.78, 0.82, 1.0],
            ),
            shape(
                Shape::Capsule {
                    radius_m: 0.012,
                    length_m: 0.2,
                },
                Vec3::new(-0.25, 0.1, 0.21),
                Quat::IDENTITY,
                GREY,
            ),
        ],
    };
    let wheel = |name: &str| Link {
        name: name.to_owned(),
        inertial: inertial(0.5, Vec3::new(0.2, 0.05, 0.2)),
        colliders: vec![shape(
            Shape::Cylinder {
                radius_m: 0.1,
                length_m: 0.05,
            },
            Vec3::ZERO,
            Quat::from_rotation_x(-FRAC_PI_2),
            GREY,
        )],
        visuals: Vec::new(),
    };
    let joint = |name: &str, child, y| Joint {
        name: name.to_owned(),
        kind: JointKind::Continuous,
        parent: 0,
        child,
        origin: Pose::new(Vec3::new(0.0, y, 0.0), Quat::IDENTITY),
        axis: Vec3::Y,
        limits: JointLimits::NONE,
        damping: 0.0,
        friction: 0.0,
        armature: 0.0,
        stiffness: 0.0,
        spring_rest: 0.0,
        mimic: None,
        start: 0.0,
    };
    RobotModel {
        name: "scout".to_owned(),
        file: "scout.urdf".to_owned(),
        links: vec![base, wheel("left wheel"), wheel("right wheel")],
        joints: vec![joint("left", 1, 0.19), joint("right", 2, -0.19)],
        frames: vec![Frame {
            name: "base".to_owned(),
            link: 0,
            pose: Pose::IDENTITY,
        }],
        fixed_base: false,
        static_link: None,
        excluded: Vec::new(),
        surroundings: Default::default(),
        written: Written {
            links: 4,
            moving_joints: 2,
        },
        missing_meshes: Vec::new(),
        warnings: vec!["link `mast` has no inertia: it counts as part of `base`".to_owned()],
    }
}

fn drive() -> Drive {
    let wheel = |joint, left| Wheel {
        joint,
        sign: 1.0,
        radius_m: 0.1,
        left,
        max_torque_n_m: 3.0,
    };
    Drive {
        wheels: vec![wheel(0, true), wheel(1, false)],
        track_width_m: 0.38,
        forward_yaw_rad: 0.0,
        centre_m: [0.0; 2],
        footprint_radius_m: 0.3,
        max_speed_m_s: 1.0,
        max_yaw_rate_rad_s: 2.0,
        max_acceleration_m_s2: 1.0,
        steering: None,
    }
}

fn sensor(name: &str, kind: impl Into<Named<dyn AnySensor>>, rate_hz: f64) -> SensorSpec {
    SensorSpec {
        position_m: [0.0, 0.0, 0.2],
        ..SensorSpec::new(name, kind, rate_hz)
    }
}

fn white(white_sd: f64) -> Noise {
    Noise {
        white_sd,
        ..Noise::default()
    }
}

fn cuboid(name: &str, at: [f64; 2], size_m: [f64; 3], yaw_rad: f64, rgb: [f32; 3]) -> ObstacleSpec {
    ObstacleSpec::Box {
        name: name.to_owned(),
        position_m: [at[0], at[1], 0.0],
        size_m,
        drivable: false,
        friction: None,
        yaw_rad,
        rgb,
    }
}

/// Room with one robot, or several side by side.
pub fn room(agents: usize) -> LoadedScene {
    let walls = [0.62, 0.64, 0.67];
    let scene = SceneSpec {
        name: "room".to_owned(),
        seed: 7,
        world: WorldSpec {
            obstacles: vec![
                cuboid("north wall", [0.0, 4.0], [10.0, 0.15, 0.8], 0.0, walls),
                cuboid("east wall", [5.0, 0.0], [0.15, 8.15, 0.8], 0.0, walls),
                cuboid(
                    "crate",
                    [1.2, 0.2],
                    [0.6, 0.6, 0.6],
                    0.5,
                    [0.72, 0.52, 0.33],
                ),
                cuboid(
                    "cupboard",
                    [-1.5, 2.6],
                    [1.2, 0.5, 1.1],
                    0.0,
                    [0.45, 0.56, 0.62],
                ),
                ObstacleSpec::Ramp {
                    name: "ramp".to_owned(),
                    position_m: [2.5, -2.0, 0.0],
                    size_m: [1.6, 1.0, 0.35],
                    friction: None,
                    yaw_rad: 0.6,
                    rgb: [0.55, 0.6, 0.5],
                },
            ],
            ..WorldSpec::default()
        },
        agents: (0..agents)
            .map(|k| AgentSpec {
                name: if k == 0 {
                    "scout".to_owned()
                } else {
                    format!("scout {k}")
                },
                model: Some("scout.urdf".to_owned()),
                position_m: [-3.0, -1.0 - 1.5 * k as f64, 0.0],
                drive: DriveSpec::Auto,
                sensors: vec![
                    sensor(
                        "lidar",
                        Lidar {
                            rays: 180,
                            fov_rad: std::f64::consts::TAU,
                            range_min_m: 0.1,
                            range_max_m: 8.0,
                            noise: white(0.01),
                        },
                        10.0,
                    ),
                    sensor(
                        "imu",
                        Imu {
                            gyro: white(0.002),
                            accelerometer: white(0.02),
                        },
                        200.0,
                    ),
                    sensor(
                        "encoders",
                        Encoders {
                            noise: white(0.002),
                        },
                        100.0,
                    ),
                    sensor("bumper", Contact {}, 50.0),
                ],
                controller: Some(
                    Patrol {
                        waypoints_m: vec![[3.2, -0.6], [3.2, 2.4], [-3.0, 1.2 - 1.5 * k as f64]],
                        laps: Some(2),
                        tolerance_m: 0.4,
                        speed_m_s: 0.7,
                        lookahead_m: 0.8,
                        clearance_m: 0.2,
                        give_up_s: 60.0,
                        localisation: Localisation::Truth,
                    }
                    .into(),
                ),
                ..AgentSpec::default()
            })
            .collect(),
        ..SceneSpec::default()
    };
    let model = Arc::new(robot());
    let body = LoadedAgent {
        model: Some(model),
        drive: Some(drive()),
        ..LoadedAgent::default()
    };
    LoadedScene {
        agents: vec![body; agents],
        meshes: vec![None; scene.world.obstacles.len()],
        track: None,
        written: Default::default(),
        scene,
    }
}

/// Engine with the room scene and an optional recording.
pub fn app(agents: usize, rerun: Option<RerunPlugin>) -> App {
    let mut app = App::empty();
    app.add_plugins(EnginePlugin);
    if let Some(rerun) = rerun {
        app.add_plugins(rerun);
    }
    app.insert_resource(room(agents));
    spawn::build_scene(app.world_mut()).unwrap();
    tick::build(app.world_mut()).unwrap();
    app
}

/// Runs this many ticks.
pub fn run(app: &mut App, ticks: u64) {
    for _ in 0..ticks {
        app.update();
    }
}
