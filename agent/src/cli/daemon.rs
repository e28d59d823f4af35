//! `run`: the agent on the node, until a signal ends it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::exit::Exit;
use super::run::Failure;
use super::settings::Settings;
use crate::config::keys::{KEYS, Key};
use crate::config::resolve::Faults;
use crate::daemon::run::{self, Start};

pub(super) fn run(settings: &Settings, env: &dyn Fn(&str) -> Option<String>) -> Result<Exit, Failure> {
    let wrong = |faults: Faults| Failure::Usage(faults.to_string());
    let (resolved, _) = settings.resolve(env).map_err(wrong)?;
    run::check(&resolved, env).map_err(wrong)?;
    // The environment of a process does not change; the file may.
    let own = KEYS.iter().map(Key::env);
    let known: BTreeMap<String, String> = own.filter_map(|name| Some((name.clone(), env(&name)?))).collect();
    let again = settings.clone();
    let start = Start {
        resolved,
        load: Rc::new(move || Ok(again.resolve(&|name| known.get(name).cloned())?.0)),
        file: settings.path().to_owned(),
        env,
        out: Box::new(std::io::stdout()),
    };
    run::run(start).map_err(|e| Failure::Tool(format!("cannot run: {e}")))?;
    Ok(Exit::Ok)
}
