//! Guides: how to write a scene, how to write a controller, what a tick costs.
