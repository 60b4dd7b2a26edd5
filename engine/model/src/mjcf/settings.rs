//! `<compiler>`: units and conventions of a file.

use super::element::{Element, Values};
use crate::ModelError;
use crate::mass::Mass;
use crate::number::quoted;
use becomingone_components::body::Pose;
use glam::{DMat3, DQuat, DVec3};
use std::path::Path;

/// When the mass of a body is computed from its shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShapeMass {
    Never,
    /// If the body has no `<inertial>`.
    IfMissing,
    Always,
}

/// Merged `<compiler>` elements of a model.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) radians: bool,
    pub(crate) autolimits: bool,
    /// Axes of Euler angles, 0 to 2, and whether each is fixed in the parent's frame.
    euler: [(usize, bool); 3],
    pub(crate) mesh_folder: String,
    pub(crate) strip_path: bool,
    pub(crate) from_shapes: ShapeMass,
    /// Range of geom groups that contribute mass.
    pub(crate) groups: (i64, i64),
    pub(crate) balance_inertia: bool,
    pub(crate) min_mass: f64,
    pub(crate) min_inertia: f64,
    pub(crate) total_mass: Option<f64>,
    /// Poses are in the world frame: a convention that `MuJoCo` has removed.
    pub(crate) global: bool,
    pub(crate) fit_box: bool,
    /// `<flag contact="disable">`: nothing touches anything.
    pub(crate) no_contacts: bool,
}

impl Settings {
    /// Settings of the root element; later `<compiler>` elements take precedence.
    pub(crate) fn of(root: &Element) -> Result<Self, ModelError> {
        let mut settings = Self {
            radians: false,
            autolimits: true,
            euler: [(0, false), (1, false), (2, false)],
            mesh_folder: String::new(),
            strip_path: false,
            from_shapes: ShapeMass::IfMissing,
            groups: (0, 5),
            balance_inertia: false,
            min_mass: 0.0,
            min_inertia: 0.0,
            total_mass: None,
            global: false,
            fit_box: false,
            no_contacts: false,
        };
        let (mut asset_folder, mut mesh_folder) = (None, None);
        for element in root.all("compiler") {
            let v = element.values();
            settings.add(&v)?;
            asset_folder = v.text("assetdir").or(asset_folder);
            mesh_folder = v.text("meshdir").or(mesh_folder);
        }
        for flag in root.all("option").flat_map(|option| option.all("flag")) {
            match flag.values().text("contact") {
                Some("disable") => settings.no_contacts = true,
                Some("enable") => settings.no_contacts = false,
                _ => {}
            }
        }
        let folder = mesh_folder.or(asset_folder).unwrap_or_default();
        settings.mesh_folder = folder.replace('\\', "/");
        Ok(settings)
    }

    /// File of a mesh or height field in the folder for meshes; without its own folder if `strippath` is set.
    pub(crate) fn mesh_path(&self, file: &str) -> String {
        let file = file.replace('\\', "/");
        let plain = Path::new(&file).file_name().filter(|_| self.strip_path);
        let file = plain.map_or(file.clone(), |f| f.to_string_lossy().into_owned());
        let path = Path::new(&self.mesh_folder).join(file);
        path.to_string_lossy().into_owned()
    }

    fn add(&mut self, v: &Values) -> Result<(), ModelError> {
        let one_of = |name: &str, expected: &str| {
            let found = format!("{name} = {}", quoted(v.text(name).unwrap_or_default()));
            Err(v.refuse(name, found, format!("expected {expected}")))
        };
        match v.text("angle") {
            Some("radian") => self.radians = true,
            Some("degree") => self.radians = false,
            None => {}
            Some(_) => return one_of("angle", "radian or degree"),
        }
        match v.text("coordinate") {
            Some("global") => self.global = true,
            Some("local") => self.global = false,
            None => {}
            Some(_) => return one_of("coordinate", "local or global"),
        }
        match v.text("inertiafromgeom") {
            Some("true") => self.from_shapes = ShapeMass::Always,
            Some("false") => self.from_shapes = ShapeMass::Never,
            Some("auto") => self.from_shapes = ShapeMass::IfMissing,
            None => {}
            Some(_) => return one_of("inertiafromgeom", "true, false or auto"),
        }
        if let Some(sequence) = v.text("eulerseq") {
            let axis = |c: char| {
                let axis = "xyz".find(c.to_ascii_lowercase())?;
                Some((axis, c.is_ascii_uppercase()))
            };
            let axes: Option<Vec<_>> = sequence.chars().map(axis).collect();
            match axes.as_deref() {
                Some(&[a, b, c]) => self.euler = [a, b, c],
                _ => return one_of("eulerseq", "three letters of x, y, z, X, Y, Z"),
            }
        }
        let switch = |name, to: &mut bool| {
            if let Some(on) = v.switch(name)? {
                *to = on;
            }
            Ok::<_, ModelError>(())
        };
        switch("autolimits", &mut self.autolimits)?;
        switch("balanceinertia", &mut self.balance_inertia)?;
        switch("strippath", &mut self.strip_path)?;
        switch("fitaabb", &mut self.fit_box)?;
        if let Some([low, high]) = v.exactly::<2>("inertiagrouprange")? {
            self.groups = (low as i64, high as i64);
        }
        self.min_mass = self.min_mass.max(v.not_negative("boundmass")?);
        self.min_inertia = self.min_inertia.max(v.not_negative("boundinertia")?);
        if let Some(total) = v.number("settotalmass")? {
            self.total_mass = (total > 0.0).then_some(total);
        }
        Ok(())
    }

    /// Converts an angle of the file to radians.
    pub(crate) fn angle(&self, angle: f64) -> f64 {
        if self.radians {
            angle
        } else {
            angle.to_radians()
        }
    }

    /// Rotation from Euler angles, in the axis sequence of the file.
    pub(crate) fn euler(&self, angles: DVec3) -> DQuat {
        let axes = [DVec3::X, DVec3::Y, DVec3::Z];
        let mut rotation = DQuat::IDENTITY;
        for ((axis, fixed), angle) in self.euler.into_iter().zip(angles.to_array()) {
            let turn = DQuat::from_axis_angle(axes[axis], self.angle(angle));
            rotation = if fixed {
                turn * rotation
            } else {
                rotation * turn
            };
        }
        rotation
    }

    /// Orientation of an element, in any of the MJCF notations.
    pub(crate) fn rotation(&self, v: &Values) -> Result<Option<DQuat>, ModelError> {
        let zero = |name: &str, text: &str| {
            let found = format!("{name} = {}", quoted(v.get(name).map_or("", |a| &a.text)));
            v.refuse(name, found, format!("expected {text} of non-zero length"))
        };
        let rotation = match v.orientation()? {
            Some("axisangle") => v.exactly::<4>("axisangle")?.map(|[x, y, z, angle]| {
                let axis = DVec3::new(x, y, z).try_normalize();
                let axis = axis.ok_or_else(|| zero("axisangle", "an axis"))?;
                Ok(DQuat::from_axis_angle(axis, self.angle(angle)))
            }),
            Some("xyaxes") => v.exactly::<6>("xyaxes")?.map(|[a, b, c, d, e, f]| {
                let bad = || zero("xyaxes", "two different axes");
                let x = DVec3::new(a, b, c).try_normalize().ok_or_else(bad)?;
                let y = DVec3::new(d, e, f);
                let y = (y - x * x.dot(y)).try_normalize().ok_or_else(bad)?;
                Ok(DQuat::from_mat3(&DMat3::from_cols(x, y, x.cross(y))))
            }),
            Some("zaxis") => v.vector("zaxis")?.map(|z| {
                let z = z.try_normalize().ok_or_else(|| zero("zaxis", "an axis"))?;
                Ok(DQuat::from_rotation_arc(DVec3::Z, z))
            }),
            Some("euler") => v.vector("euler")?.map(|angles| Ok(self.euler(angles))),
            Some(_) => v.exactly::<4>("quat")?.map(|[w, x, y, z]| {
                let q = DQuat::from_xyzw(x, y, z, w);
                let length = q.length();
                if length > 1e-9 {
                    return Ok(q * (1.0 / length));
                }
                Err(zero("quat", "a quaternion"))
            }),
            None => None,
        };
        rotation.transpose()
    }

    /// Position and orientation of an element; the identity if missing.
    pub(crate) fn pose(&self, v: &Values) -> Result<Pose, ModelError> {
        let position = v.vector("pos")?.unwrap_or_default();
        let rotation = self.rotation(v)?.unwrap_or_default();
        Ok(Pose::new(
            position.as_vec3(),
            rotation.as_quat().normalize(),
        ))
    }

    /// Applies `boundmass`, `boundinertia` and `balanceinertia`.
    pub(crate) fn bounded(&self, mass: Option<Mass>) -> Option<Mass> {
        let s = self;
        if s.min_mass <= 0.0 && s.min_inertia <= 0.0 && !s.balance_inertia {
            return mass;
        }
        let mut mass = mass.unwrap_or(Mass::ZERO);
        mass.kg = mass.kg.max(s.min_mass);
        let (mut moments, axes) = mass.principal();
        moments = moments.max(DVec3::splat(s.min_inertia));
        // Moments are in descending order.
        if s.balance_inertia && moments.y + moments.z < moments.x {
            moments = DVec3::splat((moments.x + moments.y + moments.z) / 3.0);
        }
        let axes = DMat3::from_quat(axes);
        mass.inertia = axes * DMat3::from_diagonal(moments) * axes.transpose();
        (mass.kg > 0.0).then_some(mass)
    }
}
