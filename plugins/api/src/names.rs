//! The concept's names of the servers: each is the one server, which answers by all of them.

use crate::{Api, ApiError, Serving};
use becomingone::CoherenceEngine;

/// Begins to serve `/v1` of an engine on a port of this machine; 0 for one that is free.
///
/// ```no_run
/// use becomingone::CoherenceEngine;
/// use becomingone_api::rest_api;
///
/// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
/// let serving = rest_api(&mut engine, 8420)?;
/// println!("{}/v1/agents", serving.url());
/// engine.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`Api::start`].
pub fn rest_api(engine: &mut CoherenceEngine, port: u16) -> Result<Serving, ApiError> {
    Api::new().port(port).start(engine)
}

/// The same: `/v1/stream` is a WebSocket.
///
/// # Errors
///
/// As [`Api::start`].
pub fn websocket_api(engine: &mut CoherenceEngine, port: u16) -> Result<Serving, ApiError> {
    rest_api(engine, port)
}

/// The same: `becomingone.v1.Engine` is there by gRPC.
///
/// # Errors
///
/// As [`Api::start`].
pub fn grpc_api(engine: &mut CoherenceEngine, port: u16) -> Result<Serving, ApiError> {
    rest_api(engine, port)
}

/// The same: `/mcp` has the Model Context Protocol. At standard input and output it is [`serve_mcp`](crate::serve_mcp).
///
/// # Errors
///
/// As [`Api::start`].
pub fn mcp_server(engine: &mut CoherenceEngine, port: u16) -> Result<Serving, ApiError> {
    rest_api(engine, port)
}
