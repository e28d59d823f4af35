//! Renders a diagnosis: text for a person, JSON for a machine.
