//! Field lists of the common interface packages of ROS 2, for bags without definitions.

/// `# package/Type`, then a field a line.
const TYPES: &str = include_str!("standard.txt");

/// Definition of a type in `.msg` notation.
pub(super) fn text(name: &str) -> Option<String> {
    let mut lines = TYPES.lines();
    lines.find(|line| line.strip_prefix("# ") == Some(name))?;
    let fields: Vec<&str> = lines.take_while(|line| !line.starts_with("# ")).collect();
    Some(fields.join("\n"))
}
