//! `run`: the agent on the node, until a signal ends it.

use std::sync::Arc;

use super::exit::Exit;
use super::run::Failure;
use super::settings::Settings;
use crate::config::resolve::{Faults, Resolved};
use crate::daemon::environment::Environment;
use crate::daemon::reload::{Origin, Text};
use crate::daemon::run::{self, Start};

pub(super) fn run(settings: &Settings, env: &dyn Fn(&str) -> Option<String>) -> Result<Exit, Failure> {
    let env = Environment::of(env);
    let origin = origin(settings, &env);
    let text = (origin.read)();
    let resolved = (origin.load)(&text).map_err(|faults| Failure::Usage(faults.to_string()))?;
    let start = Start {
        resolved,
        text,
        origin,
        env,
        out: Box::new(std::io::stdout()),
    };
    run::run(start).map_err(|e| Failure::Tool(format!("cannot run: {e}")))?;
    Ok(Exit::Ok)
}

/// Where the configuration comes from, at the start and whenever its file has changed.
fn origin(settings: &Settings, env: &Environment) -> Origin {
    let (reader, loader, env) = (settings.clone(), settings.clone(), env.clone());
    Origin {
        read: Arc::new(move || reader.read()),
        load: Arc::new(move |text| load(&loader, text, &env)),
    }
}

fn load(settings: &Settings, text: &Text, env: &Environment) -> Result<Resolved, Faults> {
    let env = |name: &str| env.get(name);
    let text = text.as_ref().map_err(|why| Faults(vec![why.clone()]))?;
    let resolved = settings.resolve_text(text.as_deref(), &env)?;
    run::check(&resolved, &env)?;
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_refused_for_what_it_names_too() {
        let settings = Settings::default();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("laid-over")).unwrap();
        let env = Environment::of(&|name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "grpc://c.test".to_owned()));
        let none = Environment::default();
        let faults = |text: &str, env| load(&settings, &Ok(Some(text.to_owned())), env).map(drop);
        let names = |place: &str| format!("catalog_dir: {}\n", dir.path().join(place).display());
        assert_eq!(faults(&names("laid-over"), &none), Ok(()));
        for (text, env, word) in [
            (names("laid-ovr"), &none, "laid-ovr"),
            ("kubernetes: { events: true }\n".to_owned(), &none, "not in a pod"),
            ("node: a\n".to_owned(), &env, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ] {
            let why = faults(&text, env).unwrap_err().to_string();
            assert!(why.contains(word), "{text}: {why}");
        }
        let gone = Err("/c.yaml: no such file or directory".to_owned());
        assert!(load(&settings, &gone, &none).is_err());
    }
}
