//! `run`: the agent on the node, until a signal ends it.

use std::path::PathBuf;
use std::rc::Rc;

use super::exit::Exit;
use super::run::Failure;
use crate::config::resolve::{Faults, Resolved, Sources, resolve};
use crate::daemon::run::{self, Start};

pub(super) fn run(
    file: Option<PathBuf>,
    flags: Vec<(String, String)>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Exit, Failure> {
    let (path, must) = match file.clone() {
        Some(path) => (path, true),
        None => (PathBuf::from("/etc/whynotready/config.yaml"), false),
    };
    let load = {
        let path = path.clone();
        Rc::new(move || load(&path, must, &flags))
    };
    let _ = env;
    let resolved = load().map_err(|f| Failure::Usage(f.to_string()))?;
    run::check(&resolved, env).map_err(|f| Failure::Usage(f.to_string()))?;
    let start = Start {
        resolved,
        load,
        file: Some(path),
        env,
        out: Box::new(std::io::stdout()),
    };
    run::run(start).map_err(|e| Failure::Tool(format!("cannot run: {e}")))?;
    Ok(Exit::Ok)
}

#[expect(clippy::disallowed_methods, reason = "stub until settings.rs is merged")]
fn load(path: &std::path::Path, must: bool, flags: &[(String, String)]) -> Result<Resolved, Faults> {
    let text = match std::fs::read_to_string(path) {
        Ok(t) => Some(t),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !must => None,
        Err(e) => return Err(Faults(vec![format!("{}: {e}", path.display())])),
    };
    let shown = path.display().to_string();
    let env = |n: &str| std::env::var(n).ok();
    resolve(&Sources {
        file: text.as_deref().map(|t| (shown.as_str(), t)),
        env: &env,
        flags,
    })
}
