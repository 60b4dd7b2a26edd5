//! `<mujoco>` in a URDF: the settings by which `MuJoCo` compiles it.

use crate::ModelError;
use crate::draft::{DraftLink, Warnings};
use crate::mass::Mass;
use crate::mjcf::element::Element;
use crate::mjcf::scale_total_mass;
use crate::mjcf::schema::check;
use crate::mjcf::settings::{Settings, ShapeMass};
use crate::mjcf::unsupported::warn_unsupported;
use crate::xml::SourceText;
use roxmltree::Node;

/// Settings of `<compiler>`. Some change nothing here: angles of a URDF are always radians, fixed links are always fused
/// and keep their frames, and visuals have no mass.
#[derive(Debug)]
pub(super) struct Compiler {
    settings: Settings,
    /// Whether meshes are searched by their file name alone.
    pub(super) strip_path: bool,
}

impl Compiler {
    /// Reads `<mujoco>` below `<robot>`; `None` if there is none.
    pub(super) fn of(
        root: Node,
        source: &SourceText,
        warnings: &mut Warnings,
    ) -> Result<Option<Self>, ModelError> {
        let sections = root.children().filter(|n| n.has_tag_name("mujoco"));
        let children = sections.flat_map(|n| n.children()).filter(Node::is_element);
        let children: Vec<_> = children.map(|n| with_children(n, source)).collect();
        if children.is_empty() {
            return Ok(None);
        }
        let mut section = Element::of(root, source);
        section.name = "mujoco".to_owned();
        section.attributes.clear();
        section.children = children;
        check(&section, warnings)?;
        warn_unsupported(&section, warnings)?;
        let settings = Settings::of(&section)?;
        // MuJoCo strips paths of a URDF unless told otherwise.
        let mut strip_path = true;
        for compiler in section.all("compiler") {
            let v = compiler.values();
            strip_path = v.switch("strippath")?.unwrap_or(strip_path);
        }
        Ok(Some(Self {
            settings,
            strip_path,
        }))
    }

    /// Folder of meshes, relative to the description.
    pub(super) fn mesh_folder(&self) -> &str {
        &self.settings.mesh_folder
    }

    /// Applies the settings of masses and inertias.
    pub(super) fn apply(&self, links: &mut [DraftLink]) {
        for link in links.iter_mut() {
            let of_shapes = Mass::of_shapes(&link.colliders);
            // The world has no mass.
            let is_massless = link.mass.is_none() && of_shapes.is_none();
            if is_massless || link.name == "world" {
                continue;
            }
            if self.settings.from_shapes == ShapeMass::Always {
                link.mass = of_shapes.or(link.mass);
            }
            let mass = link.mass.or(of_shapes);
            link.mass = self.settings.bounded(mass);
        }
        if let Some(total) = self.settings.total_mass {
            scale_total_mass(links, total);
        }
        if self.settings.no_contacts {
            links.iter_mut().for_each(|link| link.colliders.clear());
        }
    }
}

/// Element with its children; the parser limits the depth.
fn with_children(node: Node, source: &SourceText) -> Element {
    let mut element = Element::of(node, source);
    let children = node.children().filter(Node::is_element);
    element.children = children.map(|n| with_children(n, source)).collect();
    element
}
