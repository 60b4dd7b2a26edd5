//! Bounds of messages and streams.

use prost_reflect::DynamicMessage;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Largest message of a client.
pub(super) const MAX_MESSAGE: usize = 64 << 10;
/// Answers and updates that wait for a client.
pub(super) const WAITING: usize = 1;

/// What is sent to a client.
pub(super) type Updates = ReceiverStream<Result<DynamicMessage, Status>>;
