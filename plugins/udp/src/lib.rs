//! A driver that needs no hardware: JSON datagrams in both directions.
