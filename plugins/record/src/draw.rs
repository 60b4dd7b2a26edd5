//! Foxglove protobuf messages for viewers: frame transforms, shapes, scans, GNSS fixes, log lines.

use crate::stage::{Mounted, Stage};
use becomingone_components::body::{Geometry, Mesh, Pose as BodyPose, Shape};
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::time::NS_PER_S;
use foxglove::messages::{
    Color, CompressedImage, CubePrimitive, CylinderPrimitive, FrameTransform, FrameTransforms,
    LaserScan, LocationFix, Log, PackedElementField, Point3, PointCloud, Pose, PoseInFrame,
    Quaternion, SceneEntity, SceneUpdate, SpherePrimitive, Timestamp, TriangleListPrimitive,
    Vector3, log, packed_element_field,
};

/// Root frame.
pub(crate) const WORLD: &str = "world";

/// Time since the start of the run; saturates at 136 years.
pub(crate) fn timestamp(ns: u64) -> Option<Timestamp> {
    let sec = u32::try_from(ns / NS_PER_S).unwrap_or(u32::MAX);
    Timestamp::new_checked(sec, (ns % NS_PER_S) as u32)
}

fn vector(v: glam::Vec3) -> Option<Vector3> {
    let [x, y, z] = v.to_array().map(f64::from);
    Some(Vector3 { x, y, z })
}

fn quaternion(q: glam::Quat) -> Option<Quaternion> {
    let [x, y, z, w] = q.to_array().map(f64::from);
    Some(Quaternion { x, y, z, w })
}

fn pose(pose: BodyPose) -> Option<Pose> {
    Some(Pose {
        position: vector(pose.translation_m),
        orientation: quaternion(pose.rotation),
    })
}

fn color([r, g, b, a]: [f32; 4]) -> Option<Color> {
    let [r, g, b, a] = [r, g, b, a].map(f64::from);
    Some(Color { r, g, b, a })
}

/// Frame of a link: `rover/base`.
pub(crate) fn frame(agent: &str, link: &str) -> String {
    format!("{agent}/{link}")
}

/// Pose of a frame in its parent frame.
pub(crate) fn transform(parent: &str, child: String, at: BodyPose, ns: u64) -> FrameTransform {
    FrameTransform {
        timestamp: timestamp(ns),
        parent_frame_id: parent.to_owned(),
        child_frame_id: child,
        translation: vector(at.translation_m),
        rotation: quaternion(at.rotation),
    }
}

/// Frames of sensors on their links.
pub(crate) fn mounts(stage: &Stage, ns: u64) -> FrameTransforms {
    let place = |mounted: &Mounted| {
        let agent = stage.agents.get(mounted.agent)?;
        let link = agent.model.links.get(mounted.link)?;
        let parent = frame(&agent.name, &link.name);
        Some(transform(&parent, mounted.frame.clone(), mounted.pose, ns))
    };
    FrameTransforms {
        transforms: stage.mounted.iter().filter_map(place).collect(),
    }
}

/// Shapes of all obstacles and robots.
pub(crate) fn scene(stage: &Stage, ns: u64) -> SceneUpdate {
    let obstacles = stage.obstacles.iter().map(|(name, geometry)| {
        let mut entity = entity(name.clone(), WORLD.to_owned(), ns);
        add(&mut entity, geometry);
        entity
    });
    let robots = stage.agents.iter().flat_map(|agent| {
        agent.model.links.iter().map(|link| {
            let id = frame(&agent.name, &link.name);
            let mut entity = entity(id.clone(), id, ns);
            let geometries = if link.visuals.is_empty() {
                &link.colliders
            } else {
                &link.visuals
            };
            for geometry in geometries {
                add(&mut entity, geometry);
            }
            entity
        })
    });
    SceneUpdate {
        deletions: Vec::new(),
        entities: obstacles.chain(robots).collect(),
    }
}

fn entity(id: String, frame_id: String, ns: u64) -> SceneEntity {
    SceneEntity {
        timestamp: timestamp(ns),
        frame_id,
        id,
        // Moves with its frame.
        frame_locked: true,
        ..SceneEntity::default()
    }
}

fn add(to: &mut SceneEntity, geometry: &Geometry) {
    let at = pose(geometry.pose);
    let color = color(geometry.rgba);
    let size = |x: f32, y: f32, z: f32| vector(glam::Vec3::new(x, y, z));
    let cylinder = |radius_m: f32, length_m: f32| CylinderPrimitive {
        pose: at,
        size: size(2.0 * radius_m, 2.0 * radius_m, length_m),
        bottom_scale: 1.0,
        top_scale: 1.0,
        color,
    };
    let sphere = |centre_m: f32, radius_m: f32| SpherePrimitive {
        pose: pose(geometry.pose * BodyPose::new(glam::Vec3::Z * centre_m, glam::Quat::IDENTITY)),
        size: size(2.0 * radius_m, 2.0 * radius_m, 2.0 * radius_m),
        color,
    };
    match &geometry.shape {
        Shape::Box { half_extents_m } => to.cubes.push(CubePrimitive {
            pose: at,
            size: vector(*half_extents_m * 2.0),
            color,
        }),
        Shape::Cylinder { radius_m, length_m } => to.cylinders.push(cylinder(*radius_m, *length_m)),
        Shape::Sphere { radius_m } => to.spheres.push(sphere(0.0, *radius_m)),
        Shape::Capsule { radius_m, length_m } => {
            to.cylinders.push(cylinder(*radius_m, *length_m));
            for end in [-0.5, 0.5] {
                to.spheres.push(sphere(end * length_m, *radius_m));
            }
        }
        Shape::Mesh(mesh) => to.triangles.push(triangles(mesh, at, color)),
        Shape::HeightField(field) => to.triangles.push(triangles(&Mesh::of(field), at, color)),
    }
}

fn triangles(mesh: &Mesh, at: Option<Pose>, color: Option<Color>) -> TriangleListPrimitive {
    TriangleListPrimitive {
        pose: at,
        points: mesh
            .vertices_m
            .iter()
            .map(|v| {
                let [x, y, z] = v.map(f64::from);
                Point3 { x, y, z }
            })
            .collect(),
        color,
        colors: Vec::new(),
        indices: mesh.triangles.iter().flatten().copied().collect(),
    }
}

/// Scan of a lidar, as measured.
pub(crate) fn scan(
    frame: &str,
    ranges_m: &[f64],
    [angle_min_rad, angle_step_rad]: [f32; 2],
    ns: u64,
) -> LaserScan {
    let start_angle = f64::from(angle_min_rad);
    let steps = ranges_m.len().saturating_sub(1) as f64;
    LaserScan {
        timestamp: timestamp(ns),
        frame_id: frame.to_owned(),
        pose: pose(BodyPose::IDENTITY),
        start_angle,
        end_angle: start_angle + steps * f64::from(angle_step_rad),
        ranges: ranges_m.to_vec(),
        intensities: Vec::new(),
    }
}

/// End points of the rays, for viewers that support only point clouds; a ray without a hit has none.
pub(crate) fn points(
    frame: &str,
    ranges_m: &[f64],
    [angle_min_rad, angle_step_rad]: [f32; 2],
    range_max_m: f32,
    ns: u64,
) -> PointCloud {
    let mut bytes = Vec::with_capacity(ranges_m.len() * 12);
    for (k, &range_m) in ranges_m.iter().enumerate() {
        if range_m >= f64::from(range_max_m) {
            continue;
        }
        let angle = angle_min_rad + k as f32 * angle_step_rad;
        let at = glam::Vec2::from_angle(angle).extend(0.0) * range_m as f32;
        for x in at.to_array() {
            bytes.extend_from_slice(&x.to_le_bytes());
        }
    }
    let field = |name: &str, offset| PackedElementField {
        name: name.to_owned(),
        offset,
        r#type: packed_element_field::NumericType::Float32.into(),
    };
    PointCloud {
        timestamp: timestamp(ns),
        frame_id: frame.to_owned(),
        pose: pose(BodyPose::IDENTITY),
        point_stride: 12,
        fields: vec![field("x", 0), field("y", 4), field("z", 8)],
        data: bytes.into(),
    }
}

/// Geographic position of a GNSS reading.
pub(crate) fn fix(frame: &str, numbers: &[f64], ns: u64) -> Option<LocationFix> {
    let &[latitude, longitude, altitude, ..] = numbers else {
        return None;
    };
    Some(LocationFix {
        timestamp: timestamp(ns),
        frame_id: frame.to_owned(),
        latitude,
        longitude,
        altitude,
        ..LocationFix::default()
    })
}

/// Image of a camera.
pub(crate) fn image(frame: &str, format: &str, bytes: &[u8], ns: u64) -> CompressedImage {
    CompressedImage {
        timestamp: timestamp(ns),
        frame_id: frame.to_owned(),
        data: bytes.to_vec().into(),
        format: format.to_owned(),
    }
}

/// Planar pose in the world.
pub(crate) fn planar(x_m: f64, y_m: f64, yaw_rad: f64, ns: u64) -> PoseInFrame {
    let at = glam::Vec3::new(x_m as f32, y_m as f32, 0.0);
    placed(
        BodyPose::new(at, glam::Quat::from_rotation_z(yaw_rad as f32)),
        ns,
    )
}

/// Pose in the world.
pub(crate) fn placed(at: BodyPose, ns: u64) -> PoseInFrame {
    PoseInFrame {
        timestamp: timestamp(ns),
        frame_id: WORLD.to_owned(),
        pose: pose(at),
    }
}

/// Log line of an event.
pub(crate) fn line(event: &AgentEvent, ns: u64) -> Log {
    let level = match event.kind {
        EventKind::Collision(_)
        | EventKind::OffTrack(_)
        | EventKind::AlarmRaised { .. }
        | EventKind::Stopped(_)
        | EventKind::RequestDropped { .. }
        | EventKind::RequestRefused { .. } => log::Level::Warning,
        _ => log::Level::Info,
    };
    Log {
        timestamp: timestamp(ns),
        level: level.into(),
        message: event.kind.to_string(),
        name: event.agent.clone(),
        ..Log::default()
    }
}
