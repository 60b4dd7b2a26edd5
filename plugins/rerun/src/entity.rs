//! Entity paths of Rerun.

use re_sdk::external::re_log_types::{EntityPath, EntityPathPart};

/// Entity path from unescaped parts.
pub(crate) fn entity(path: impl IntoIterator<Item = impl AsRef<str>>) -> EntityPath {
    EntityPath::new(
        path.into_iter()
            .map(|part| EntityPathPart::new(part.as_ref()))
            .collect(),
    )
}
