//! The join of two copies of a record.
