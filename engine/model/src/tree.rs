//! Kinematic tree: resolves names; one root, each parent before its children.

use crate::ModelError;
use crate::draft::{Draft, DraftJoint, NameRef};
use std::collections::HashMap;

/// Most links of a robot: a limit on the work that a file can cause.
const MAX_LINKS: usize = 10_000;

/// Kinematic tree as indices into a draft.
#[derive(Debug)]
pub(crate) struct Tree {
    /// All links, root first, then depth first in file order of the joints.
    pub(crate) order: Vec<usize>,
    /// Joint to the parent, and the parent, of each link.
    pub(crate) up: Vec<Option<(usize, usize)>>,
    /// Mimicked joint of each joint.
    pub(crate) mimics: Vec<Option<usize>>,
}

/// Resolves all names, and checks that the links form one tree.
pub(crate) fn build_tree(draft: &Draft) -> Result<Tree, ModelError> {
    check_count(draft)?;
    let links = by_name(draft.links.iter().map(|l| (&l.name, &l.place)), "link")?;
    let joints = by_name(draft.joints.iter().map(|j| (&j.name, &j.place)), "joint")?;
    let mut up = vec![None; draft.links.len()];
    let mut down = vec![Vec::new(); draft.links.len()];
    for (index, joint) in draft.joints.iter().enumerate() {
        let parent = link_of(&joint.parent, joint, "parent", &links)?;
        let child = link_of(&joint.child, joint, "child", &links)?;
        if parent == child {
            return Err(ModelError::at(
                &joint.child.place,
                format!(
                    "joint {:?} from link {:?} to itself",
                    joint.name, joint.child.name
                ),
                "expected two different links",
            ));
        }
        if let Some((other, _)) = up[child] {
            return Err(two_parents(draft, joint, other));
        }
        up[child] = Some((index, parent));
        down[parent].push(child);
    }
    let order = depth_first(single_root(draft, &up)?, &down);
    if order.len() < draft.links.len() {
        return Err(closed_loop(draft, &up, &order));
    }
    Ok(Tree {
        order,
        up,
        mimics: mimics(draft, &joints)?,
    })
}

fn check_count(draft: &Draft) -> Result<(), ModelError> {
    if draft.links.is_empty() {
        return Err(ModelError::at(
            &draft.place,
            "a robot without links",
            "expected at least one <link name=\"...\">",
        ));
    }
    if draft.links.len() > MAX_LINKS {
        return Err(ModelError::at(
            &draft.links[MAX_LINKS].place,
            format!("{} links", draft.links.len()),
            format!("expected at most {MAX_LINKS}"),
        ));
    }
    Ok(())
}

/// Indices by name; duplicate names are errors.
fn by_name<'a>(
    named: impl Iterator<Item = (&'a String, &'a crate::Place)>,
    what: &str,
) -> Result<HashMap<&'a str, usize>, ModelError> {
    let mut indices = HashMap::new();
    let mut places = Vec::new();
    for (index, (name, place)) in named.enumerate() {
        places.push(place);
        if let Some(first) = indices.insert(name.as_str(), index) {
            return Err(ModelError::at(
                place,
                format!("a second {what} named {name:?}"),
                format!("expected unique names (the first is at {})", places[first]),
            ));
        }
    }
    Ok(indices)
}

fn link_of(
    link: &NameRef,
    joint: &DraftJoint,
    role: &str,
    links: &HashMap<&str, usize>,
) -> Result<usize, ModelError> {
    links.get(link.name.as_str()).copied().ok_or_else(|| {
        ModelError::at(
            &link.place,
            format!(
                "joint {:?} has the {role} {:?}, which is not a link of this file",
                joint.name, link.name
            ),
            "expected the name of a link",
        )
        .nearest(&link.name, sorted(links))
    })
}

/// Sorted names, for an order independent of the map.
fn sorted<'a>(names: &HashMap<&'a str, usize>) -> Vec<&'a str> {
    let mut sorted: Vec<_> = names.keys().copied().collect();
    sorted.sort_unstable();
    sorted
}

fn two_parents(draft: &Draft, joint: &DraftJoint, other: usize) -> ModelError {
    let other = &draft.joints[other];
    ModelError::at(
        &joint.child.place,
        format!(
            "link {:?} is the child of joint {:?} and of joint {:?} ({})",
            joint.child.name, joint.name, other.name, other.child.place
        ),
        "expected one parent for each link: the links must form a tree",
    )
}

fn single_root(draft: &Draft, up: &[Option<(usize, usize)>]) -> Result<usize, ModelError> {
    let mut roots = (0..up.len()).filter(|&link| up[link].is_none());
    let Some(first) = roots.next() else {
        return Err(closed_loop(draft, up, &[]));
    };
    let Some(second) = roots.next() else {
        return Ok(first);
    };
    let name = |link: usize| format!("{:?}", draft.links[link].name);
    let mut names = format!("{}, {}", name(first), name(second));
    for (count, root) in roots.enumerate() {
        if count == 6 {
            names.push_str(", ...");
            break;
        }
        names = format!("{names}, {}", name(root));
    }
    Err(ModelError::at(
        &draft.links[second].place,
        format!("several links without a parent: {names}"),
        "expected one root link",
    )
    .hint(format!(
        "connect link {} to the others by a joint, or remove it",
        name(second)
    )))
}

/// Links in depth-first order from the root; those of a loop are not reached.
fn depth_first(root: usize, down: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(down.len());
    let mut open = vec![root];
    while let Some(link) = open.pop() {
        order.push(link);
        open.extend(down[link].iter().rev());
    }
    order
}

/// Error of a loop of joints.
fn closed_loop(draft: &Draft, up: &[Option<(usize, usize)>], reached: &[usize]) -> ModelError {
    let mut seen = vec![false; up.len()];
    for &link in reached {
        seen[link] = true;
    }
    // From any link that the root does not reach, the way up ends in the loop.
    let mut link = seen.iter().position(|s| !s).unwrap_or_default();
    let mut joint = None;
    while !seen[link] {
        seen[link] = true;
        let Some((above, parent)) = up[link] else {
            break;
        };
        joint = Some(above);
        link = parent;
    }
    let place = joint.map_or(&draft.place, |j| &draft.joints[j].place);
    ModelError::at(
        place,
        format!(
            "a loop of joints: the parents of link {:?} lead back to it",
            draft.links[link].name
        ),
        "expected a tree",
    )
    .hint("remove one joint of the loop")
}

/// Resolves the mimicked joint of each joint; mimics must not form a cycle.
fn mimics(draft: &Draft, joints: &HashMap<&str, usize>) -> Result<Vec<Option<usize>>, ModelError> {
    let mut mimics = Vec::with_capacity(draft.joints.len());
    for joint in &draft.joints {
        mimics.push(match &joint.mimic {
            Some(mimic) => Some(leader(draft, &mimic.joint, joints)?),
            None => None,
        });
    }
    for start in 0..mimics.len() {
        let mut at = start;
        // A chain longer than the number of joints is a cycle.
        for _ in 0..mimics.len() {
            match mimics[at] {
                Some(next) => at = next,
                None => break,
            }
        }
        if let (Some(_), Some(mimic)) = (mimics[at], &draft.joints[start].mimic) {
            return Err(ModelError::at(
                &mimic.joint.place,
                format!("a cycle of mimics at joint {:?}", draft.joints[start].name),
                "expected a <mimic> of a joint that is not part of the cycle",
            ));
        }
    }
    Ok(mimics)
}

/// Resolves the joint that a mimic names; it must not be fixed.
fn leader(
    draft: &Draft,
    named: &NameRef,
    joints: &HashMap<&str, usize>,
) -> Result<usize, ModelError> {
    match joints.get(named.name.as_str()) {
        Some(&leader) if draft.joints[leader].kind.is_some() => Ok(leader),
        Some(_) => Err(ModelError::at(
            &named.place,
            format!("a mimic of joint {:?}, which is fixed", named.name),
            "expected a joint that moves",
        )),
        None => Err(ModelError::at(
            &named.place,
            format!(
                "a mimic of joint {:?}, which is not in this file",
                named.name
            ),
            "expected the name of a joint",
        )
        .nearest(&named.name, sorted(joints))),
    }
}
