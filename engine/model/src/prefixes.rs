//! Prefixes that a URDF uses and does not declare, as `drake:` and `gz:`. tinyxml2, and so urdfdom and `MuJoCo`, take them
//! as a part of the name.

use crate::xml::undeclared;

/// Most prefixes of a file.
const MOST: usize = 16;

/// Text in which all prefixes are declared.
pub(crate) struct Declared {
    pub(crate) text: String,
    /// Byte offset of the declarations, and their length.
    pub(crate) inserted: (usize, usize),
    pub(crate) prefixes: Vec<String>,
}

/// Declares the prefixes of a URDF; `None` if none is missing, or if it is no URDF.
pub(crate) fn declare(text: &str) -> Option<Declared> {
    let at = after_robot(text)?;
    let mut prefixes = Vec::new();
    let mut declarations = String::new();
    let mut whole = text.to_owned();
    while let Some(prefix) = undeclared(&whole) {
        // Xacro has an error of its own.
        if prefixes.len() == MOST || prefix == "xacro" {
            return None;
        }
        declarations.push_str(&format!(" xmlns:{prefix}=\"{prefix}\""));
        prefixes.push(prefix);
        whole = format!("{}{declarations}{}", &text[..at], &text[at..]);
    }
    (!prefixes.is_empty()).then_some(Declared {
        text: whole,
        inserted: (at, declarations.len()),
        prefixes,
    })
}

/// Offset after the name of the root element, if that is `<robot>`.
fn after_robot(text: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        let start = at + text[at..].find('<')?;
        let rest = &text[start..];
        let end = match rest {
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!") => ">",
            _ => {
                let attributes = rest.strip_prefix("<robot")?;
                let ends = attributes.starts_with(|c: char| c.is_whitespace() || c == '>');
                return ends.then_some(start + "<robot".len());
            }
        };
        at = start + rest.find(end)? + end.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_a_urdf_are_declared_in_its_root() {
        let text =
            "<?xml version='1.0'?><!-- <robot> -->\n<robot name='a'><drake:x gz:y='1'/></robot>";
        let declared = declare(text).unwrap();
        let mut prefixes = declared.prefixes;
        prefixes.sort();
        assert_eq!(prefixes, ["drake", "gz"]);
        assert_eq!(undeclared(&declared.text), None);
        let (at, length) = declared.inserted;
        let mut back = declared.text;
        back.replace_range(at..at + length, "");
        assert_eq!(back, text);
        for text in [
            "<robot name='a'/>",
            "<robot xmlns:d='d'><d:x/></robot>",
            "<robots><d:x/></robots>",
            "<mujoco><d:x/></mujoco>",
            "<robot><xacro:x/></robot>",
            "<robot",
            "",
        ] {
            assert!(declare(text).is_none(), "{text}");
        }
    }
}
