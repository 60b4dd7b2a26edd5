//! Recordings as sources: columns of a CSV, topics of an MCAP file.
