//! `<attach>`: models or bodies of other files, each with its own settings, default classes and assets.

use super::defaults::Classes;
use super::element::{Element, Values};
use super::include::Includer;
use super::schema::check;
use super::settings::Settings;
use super::unsupported::warn_unsupported;
use crate::ModelError;
use crate::draft::Warnings;
use crate::number::quoted;
use becomingone_components::body::Pose;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// Sections whose elements refer to joints and bodies, and attributes by which they do.
const SECTIONS: [&str; 2] = ["actuator", "equality"];
const REFERENCES: [&str; 6] = [
    "joint",
    "jointinparent",
    "joint1",
    "joint2",
    "body1",
    "body2",
];

/// What is valid in the elements of one file and its includes.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) settings: Settings,
    pub(crate) classes: Classes,
    /// Meshes are relative to it.
    pub(crate) file: PathBuf,
    /// `<asset>` sections.
    pub(crate) assets: Vec<Element>,
}

/// Reads the scope of a model, and replaces each `<attach>` in it by a frame with what it names.
pub(crate) fn expand(
    root: &mut Element,
    file: &Path,
    includer: &mut Includer,
    scopes: &mut Vec<Scope>,
    warnings: &mut Warnings,
) -> Result<(), ModelError> {
    check(root, warnings)?;
    let scope = scopes.len();
    root.each_mut(&mut |element| element.scope = scope);
    scopes.push(Scope {
        settings: Settings::of(root)?,
        classes: Classes::of(root)?,
        file: file.to_path_buf(),
        assets: root.all("asset").cloned().collect(),
    });
    warn_unsupported(root, warnings)?;
    let mut attacher = Attacher {
        scope,
        includer,
        scopes,
        warnings,
        sections: Vec::new(),
    };
    for section in &mut root.children {
        if section.name == "worldbody" {
            attacher.children(section)?;
        }
    }
    let sections = attacher.sections;
    root.children.extend(sections);
    Ok(())
}

/// Reader of the models that one file attaches.
struct Attacher<'a, 'f> {
    scope: usize,
    includer: &'a mut Includer<'f>,
    scopes: &'a mut Vec<Scope>,
    warnings: &'a mut Warnings,
    /// Sections of the attached models.
    sections: Vec<Element>,
}

impl Attacher<'_, '_> {
    fn children(&mut self, element: &mut Element) -> Result<(), ModelError> {
        for child in &mut element.children {
            if child.name == "attach" {
                *child = self.attached(child)?;
            } else {
                self.children(child)?;
            }
        }
        Ok(())
    }

    /// Frame with the content that an `<attach>` names.
    fn attached(&mut self, attach: &Element) -> Result<Element, ModelError> {
        let v = attach.values();
        if v.text("model").is_none() {
            let found = "an <attach> without model, which copies a part of its own file";
            let expected = "expected model=\"...\": the name of a <model> in <asset>";
            return Err(v.refuse("model", found, expected));
        }
        let named = self.file(&v)?;
        let (path, mut child) = self.includer.open_model(&named.values())?;
        if child.name != "mujoco" {
            let found = format!("a model whose root element is <{}>", child.name);
            return Err(ModelError::at(&child.place, found, "expected <mujoco>")
                .hint("convert a URDF first: load it in MuJoCo and save it as MJCF"));
        }
        expand(&mut child, &path, self.includer, self.scopes, self.warnings)?;
        self.includer.close();
        if child.all("keyframe").any(|k| !k.children.is_empty()) {
            let text = "the keyframes of an attached model are not used";
            self.warnings.push(&attach.place, text);
        }
        if self.scopes[child.scope].settings.total_mass.is_some() {
            let text = "settotalmass of an attached model is ignored";
            self.warnings.push(&attach.place, text);
        }
        let mut frame = Element {
            name: "frame".to_owned(),
            place: attach.place.clone(),
            attributes: HashMap::new(),
            children: Vec::new(),
            pose: Some(Pose::IDENTITY),
            scope: child.scope,
        };
        let mut class = None;
        match v.text("body").filter(|&body| body != "world") {
            Some(name) => {
                let worlds = child.children.iter_mut().filter(|c| c.name == "worldbody");
                let found = worlds.into_iter().find_map(|w| take_body(w, name, None));
                let Some((body, around)) = found else {
                    return Err(no_body(&v, name, &child, &path));
                };
                class = around;
                frame.children.push(body);
            }
            None => {
                for world in child.children.iter_mut().filter(|c| c.name == "worldbody") {
                    class = class.or_else(|| world.attributes.get("childclass").cloned());
                    frame.children.append(&mut world.children);
                }
            }
        }
        // The classes of the attached file begin anew.
        let class = class.unwrap_or_else(|| super::element::Attribute {
            text: "main".to_owned(),
            place: attach.place.clone(),
        });
        frame.attributes.insert("childclass".to_owned(), class);
        let prefix = match v.get("prefix") {
            Some(prefix) => prefix.text.clone(),
            None => {
                let text = "<attach> without prefix, which MuJoCo requires: names stay as they are";
                self.warnings.push(&attach.place, text);
                String::new()
            }
        };
        let mut names = HashSet::new();
        frame.each_mut(&mut |element| {
            if matches!(&*element.name, "body" | "joint" | "freejoint")
                && let Some(name) = element.attributes.get_mut("name")
            {
                name.text = format!("{prefix}{}", name.text.trim());
                names.insert(name.text.clone());
            }
        });
        for mut section in child.children {
            if SECTIONS.contains(&&*section.name) {
                section
                    .children
                    .retain_mut(|e| is_within(e, &prefix, &names));
                self.sections.push(section);
            }
        }
        Ok(frame)
    }

    /// `<model>` element that an `<attach>` names.
    fn file(&self, v: &Values) -> Result<Element, ModelError> {
        let name = v.required("model")?;
        let assets = &self.scopes[self.scope].assets;
        let models: Vec<_> = assets.iter().flat_map(|a| a.all("model")).collect();
        let name_of = |model: &Element| {
            let v = model.values();
            let stem = || {
                let file = v.text("file")?.replace('\\', "/");
                Some(Path::new(&file).file_stem()?.to_str()?.to_owned())
            };
            v.text("name").map(str::to_owned).or_else(stem)
        };
        let names: Vec<_> = models.iter().filter_map(|m| name_of(m)).collect();
        let found = models.iter().find(|m| name_of(m).as_deref() == Some(name));
        found.map(|&model| model.clone()).ok_or_else(|| {
            let found = format!(
                "the model {}, which is not among this file's assets",
                quoted(name)
            );
            v.refuse("model", found, "expected the name of a <model> in <asset>")
                .nearest(name, names.iter().map(String::as_str))
        })
    }
}

fn no_body(v: &Values, name: &str, child: &Element, path: &Path) -> ModelError {
    let mut names = Vec::new();
    child.each(&mut |e| {
        if e.name == "body" {
            names.extend(e.values().text("name").map(str::to_owned));
        }
    });
    let found = format!(
        "the body {}, which is not in {}",
        quoted(name),
        path.display()
    );
    v.refuse("body", found, "expected the name of a body of that model")
        .nearest(name, names.iter().map(String::as_str))
}

/// Takes a body out of the tree, with the name of the class around it.
fn take_body(
    element: &mut Element,
    name: &str,
    class: Option<super::element::Attribute>,
) -> Option<(Element, Option<super::element::Attribute>)> {
    let class = element.attributes.get("childclass").cloned().or(class);
    let here = element
        .children
        .iter()
        .position(|c| c.name == "body" && c.values().text("name") == Some(name));
    if let Some(at) = here {
        return Some((element.children.remove(at), class));
    }
    let mut children = element.children.iter_mut();
    children.find_map(|child| take_body(child, name, class.clone()))
}

/// Prefixes the references of an element; whether all of them are among the names that are attached.
fn is_within(element: &mut Element, prefix: &str, names: &HashSet<String>) -> bool {
    if let Some(name) = element.attributes.get_mut("name") {
        name.text.insert_str(0, prefix);
    }
    REFERENCES.iter().all(|&reference| {
        let Some(attribute) = element.attributes.get_mut(reference) else {
            return true;
        };
        attribute.text = format!("{prefix}{}", attribute.text.trim());
        names.contains(&attribute.text)
    })
}
