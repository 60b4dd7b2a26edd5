//! Triangles as a mesh file has them.

/// Triangles of a mesh file; indices are not checked.
#[derive(Debug, Default)]
pub(crate) struct Triangles {
    pub(crate) vertices: Vec<[f32; 3]>,
    pub(crate) triangles: Vec<[u32; 3]>,
}

/// Triangle fan of a convex polygon.
pub(crate) fn fan(corners: &[u32]) -> Vec<[u32; 3]> {
    match corners {
        [hub, rim @ ..] => rim.windows(2).map(|w| [*hub, w[0], w[1]]).collect(),
        [] => Vec::new(),
    }
}
