//! Feeds the engine: inputs in the order of the record, ticks by the record's own time.
