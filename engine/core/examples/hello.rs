//! The bare kernel, in five lines: it locks to its own clock of 1 Hz in real time, until Ctrl-C.
use becomingone::{CoherenceEngine, EngineError};
fn main() -> Result<(), EngineError> {
    let mut engine = CoherenceEngine::new(); // that's the kernel
    engine.run().map(drop) // it just works: any hardware, any time scale
}
