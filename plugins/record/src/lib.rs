//! A run's journal: an MCAP file that replay reads and that viewers open.
