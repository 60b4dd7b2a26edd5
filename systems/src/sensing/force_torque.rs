//! Force-torque sensor: what a joint transmits to the link that it carries.

use crate::physics::{Bodies, Physics};
use becomingone_components::body::{Model, RobotModel};
use becomingone_components::check::Checks;
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use becomingone_components::sensor::{
    Bias, Noise, SensorAt, SensorContext, SensorKind, Wrench, elapsed_s,
};
use bevy_ecs::prelude::*;
use glam::{DVec3, Vec3};
use rapier3d::prelude::{ColliderHandle, ContactPair, PairContacts, RigidBody, RigidBodyHandle};
use serde::{Deserialize, Serialize};

/// Force (N) and torque (N m) by which its parent holds the sensor's link and all that hangs on it, in the sensor's
/// axes, about its origin: the reading of a sensor in the joint. Links without a moving joint between them are one, so
/// that it stands at the joint next to the sensor's link, towards the root.
///
/// Its truth is the change of momentum since the last reading, less gravity and the contact forces of the last step:
/// of an impact between two readings, the force is a mean.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, from = "ForceTorqueFields")]
pub struct ForceTorque {
    /// Noise of each force (N).
    pub force: Noise,
    /// Noise of each torque (N m).
    pub torque: Noise,
}

/// Data sheets of force-torque sensors.
#[derive(Clone, Copy, Debug, Deserialize)]
enum ForceTorquePreset {
    /// ATI Mini40, calibration SI-40-2: resolution 0.01 N of x and y, 1/4000 N m.
    Mini40,
}

/// As a scene has it.
#[derive(Default, Deserialize)]
#[serde(rename = "ForceTorque", deny_unknown_fields, default)]
struct ForceTorqueFields {
    preset: Option<ForceTorquePreset>,
    force: Option<Noise>,
    torque: Option<Noise>,
}

impl From<ForceTorqueFields> for ForceTorque {
    fn from(fields: ForceTorqueFields) -> Self {
        let step = |resolution| Noise {
            resolution,
            ..Noise::default()
        };
        let (force, torque) = match fields.preset {
            Some(ForceTorquePreset::Mini40) => (step(0.01), step(1.0 / 4000.0)),
            None => (Noise::default(), Noise::default()),
        };
        Self {
            force: fields.force.unwrap_or(force),
            torque: fields.torque.unwrap_or(torque),
        }
    }
}

/// Momenta at the last reading, and noise.
#[derive(Clone, Debug)]
pub struct ForceTorqueModel {
    /// Links that the joint carries; empty before the first sample.
    carried: Vec<RigidBodyHandle>,
    /// Momentum (N s), angular momentum about the world's origin (N m s), and their time (ns).
    last: Option<([DVec3; 2], u64)>,
    noises: [Noise; 2],
    biases: [Bias; 6],
}

impl Kind for ForceTorque {
    const NAME: &'static str = "ForceTorque";
    const ABOUT: &'static str =
        "force (N) and torque (N m) in the joint before its link; preset: Mini40";
}

/// Links behind the joint that carries this one, this one first.
fn carried(model: &RobotModel, link: usize) -> Vec<usize> {
    let mut links = vec![link];
    // Parents come first.
    for joint in &model.joints {
        if links.contains(&joint.parent) {
            links.push(joint.child);
        }
    }
    links
}

/// Angular momentum about the centre of mass (N m s).
fn spin(body: &RigidBody) -> DVec3 {
    let local = &body.mass_properties().local_mprops;
    let axes = body.position().rotation * local.principal_inertia_local_frame;
    let turned = local.principal_inertia() * (axes.inverse() * body.angvel());
    (axes * turned).as_dvec3()
}

/// Force on the first collider's body (N) and its torque about the world's origin (N m), in the last step.
fn contact(physics: &Physics, pair: &ContactPair) -> [DVec3; 2] {
    let PairContacts::Rigid(contacts) = &pair.contacts else {
        return [DVec3::ZERO; 2];
    };
    let rapier = &physics.rapier;
    let Some(first) = rapier.colliders.get(pair.collider1) else {
        return [DVec3::ZERO; 2];
    };
    let step_s = f64::from(rapier.integration_parameters.dt);
    let substep_s = step_s / rapier.integration_parameters.num_solver_iterations as f64;
    let mut sum = [DVec3::ZERO; 2];
    let mut add = |force: DVec3, at: DVec3| {
        sum[0] += force;
        sum[1] += at.cross(force);
    };
    let mut twist = DVec3::ZERO;
    for manifold in contacts.solver_manifolds() {
        let normal = manifold.data.normal.as_dvec3();
        let pose = match manifold.subshape_pos1() {
            Some(pose) => *first.position() * pose,
            None => *first.position(),
        };
        let acting = manifold.points.iter().filter(|p| p.data.impulse > 0.0);
        let mut middle = DVec3::ZERO;
        let mut points = 0.0;
        for point in acting.clone() {
            let at = (pose * point.local_p1).as_dvec3();
            add(-normal * f64::from(point.data.impulse) / step_s, at);
            middle += at;
            points += 1.0;
        }
        // Friction is one force and one twist a manifold, repeated at each point; rapier keeps that of the last substep.
        if let Some(point) = acting.clone().next() {
            let friction = point.data.warmstart_tangent_world.as_dvec3() / substep_s;
            add(friction, middle / points);
            twist -= normal * f64::from(point.data.warmstart_twist_impulse) / substep_s;
        }
    }
    sum[1] += twist;
    sum
}

impl ForceTorqueModel {
    /// Force on the carried links (N) and torque about the world's origin (N m) by contacts with anything else.
    fn touched(&self, physics: &Physics) -> [DVec3; 2] {
        let rapier = &physics.rapier;
        let inside = |collider: ColliderHandle| {
            let parent = rapier.colliders.get(collider).and_then(|c| c.parent());
            parent.is_some_and(|body| self.carried.contains(&body))
        };
        let mut sum = [DVec3::ZERO; 2];
        let bodies = self.carried.iter().filter_map(|&h| rapier.bodies.get(h));
        for &collider in bodies.flat_map(RigidBody::colliders) {
            for pair in rapier.narrow_phase.contact_pairs_with(collider) {
                let sides = [pair.collider1, pair.collider2].map(inside);
                if sides[0] == sides[1] || !pair.has_any_active_contact() {
                    continue;
                }
                let sign = if sides[0] { 1.0 } else { -1.0 };
                let [force, torque] = contact(physics, pair);
                sum[0] += sign * force;
                sum[1] += sign * torque;
            }
        }
        sum
    }
}

impl SensorKind for ForceTorque {
    type Measurement = Wrench;
    type Model = ForceTorqueModel;
    type Param = (
        Res<'static, Physics>,
        Query<'static, 'static, (&'static Bodies, &'static Model)>,
    );

    // Contacts have no forces before the first step.
    const FIRST_TICK: u64 = 1;

    fn check(&self, _: &SensorContext<'_>, checks: &mut Checks<'_>) {
        self.force.check("force", checks);
        self.torque.check("torque", checks);
    }

    fn check_model(&self, model: &RobotModel, link: usize, checks: &mut Checks<'_>) {
        if !model.joints.iter().any(|joint| joint.child == link) {
            let expected = "`link` of the sensor: one that a moving joint carries";
            let found = format!("`{}`, which no joint carries", model.links[link].name);
            checks.wrong("", found, expected);
        }
    }

    fn noises(&mut self) -> Vec<&mut Noise> {
        vec![&mut self.force, &mut self.torque]
    }

    fn model(&self, _: &SensorContext<'_>, rng: &mut Rng) -> ForceTorqueModel {
        let noises = [self.force, self.torque];
        ForceTorqueModel {
            carried: Vec::new(),
            last: None,
            biases: std::array::from_fn(|k| Bias::turn_on(&noises[k / 3], rng)),
            noises,
        }
    }

    fn truth(
        sensor: &mut ForceTorqueModel,
        at: &SensorAt,
        (physics, robots): &(Res<'_, Physics>, Query<'_, '_, (&Bodies, &Model)>),
        truth: &mut Wrench,
    ) -> bool {
        let Ok((bodies, model)) = robots.get(at.agent) else {
            return false;
        };
        if sensor.carried.is_empty() {
            let links = carried(&model.0, at.link).into_iter();
            sensor.carried.extend(links.map(|link| bodies.links[link]));
        }
        let rapier = &physics.rapier;
        let Some(own) = rapier.bodies.get(bodies.links[at.link]) else {
            return false;
        };
        let mut momenta = [DVec3::ZERO; 2];
        let mut weight = [DVec3::ZERO; 2];
        for body in sensor.carried.iter().filter_map(|&h| rapier.bodies.get(h)) {
            let (mass, centre) = (f64::from(body.mass()), body.center_of_mass().as_dvec3());
            let momentum = mass * body.linvel().as_dvec3();
            momenta[0] += momentum;
            momenta[1] += spin(body) + centre.cross(momentum);
            let pull = mass * f64::from(body.gravity_scale()) * rapier.gravity.as_dvec3();
            weight[0] += pull;
            weight[1] += centre.cross(pull);
        }
        let (last, last_ns) = sensor.last.unwrap_or((momenta, 0));
        sensor.last = Some((momenta, at.now_ns));
        let elapsed = elapsed_s(last_ns, at.now_ns);
        let touched = sensor.touched(physics);
        let [force, about_origin] = std::array::from_fn(|k| {
            let change = (momenta[k] - last[k]) / elapsed;
            if change.is_finite() {
                change - weight[k] - touched[k]
            } else {
                -weight[k] - touched[k]
            }
        });
        let link = own.position();
        let place = link.rotation * at.mount.translation_m + link.translation;
        let torque = about_origin - place.as_dvec3().cross(force);
        let to_sensor = (link.rotation * at.mount.rotation).inverse();
        *truth = Wrench {
            force_n: to_sensor * force.as_vec3(),
            torque_n_m: to_sensor * torque.as_vec3(),
        };
        true
    }

    fn measure(
        sensor: &mut ForceTorqueModel,
        at: &SensorAt,
        truth: &Wrench,
        rng: &mut Rng,
        reading: &mut Wrench,
    ) {
        let mut read = |k: usize, x: Vec3| {
            Vec3::from_array(std::array::from_fn(|axis| {
                let bias = &mut sensor.biases[3 * k + axis];
                bias.apply(f64::from(x[axis]), at.period_s, &sensor.noises[k], rng) as f32
            }))
        };
        reading.force_n = read(0, truth.force_n);
        reading.torque_n_m = read(1, truth.torque_n_m);
    }
}
