//! What an operator installs, put through the tools that an operator uses: Helm, promtool, systemd-analyze, buildah.
//!
//! A tool that is missing is a failure: `.ci/tools` gets all of them.

mod alerts;
mod chart;
mod grants;
mod image;
mod mounts;
mod pod;
mod tools;
mod unit;
