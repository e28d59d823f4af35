//! The agent's configuration on the command line: a flag for each key, made from the table of keys, and the file.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::config::keys::{KEYS, Key};
use crate::config::resolve::{Faults, Resolved, Sources, resolve};
use crate::host::{Host, Unreadable};

/// Read where no other file is named; need not exist.
pub const FILE: &str = "/etc/whynotready/config.yaml";

/// Where a configuration comes from: flatten it into a command's arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The file that was named; it has to exist.
    pub file: Option<PathBuf>,
    /// Keys that were given as flags, with their values.
    pub flags: Vec<(String, String)>,
}

impl Settings {
    /// The file's path, its default where none was named.
    pub fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(FILE))
    }

    /// Reads the file anew and resolves file, environment and flags; or every fault. The second value is false where there
    /// is no file.
    pub fn resolve(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<(Resolved, bool), Faults> {
        let text = self.read().map_err(|why| Faults(vec![why]))?;
        Ok((self.resolve_text(text.as_deref(), env)?, text.is_some()))
    }

    /// The file's text; `None` where there is none and none was named; or why it cannot be read.
    pub fn read(&self) -> Result<Option<String>, String> {
        match Host::at("/").text(self.path()) {
            Ok(text) => Ok(Some(text)),
            Err(Unreadable::Missing(_)) if self.file.is_none() => Ok(None),
            Err(why) => Err(why.to_string()),
        }
    }

    /// Resolves the file's text, environment and flags; or every fault.
    pub fn resolve_text(&self, text: Option<&str>, env: &dyn Fn(&str) -> Option<String>) -> Result<Resolved, Faults> {
        let name = self.path().display().to_string();
        resolve(&Sources {
            file: text.map(|text| (name.as_str(), text)),
            env,
            flags: &self.flags,
        })
    }
}

const CONFIG: &str = "config";

fn flag(key: &Key) -> Arg {
    let about = if key.default.is_empty() {
        key.about.to_owned()
    } else {
        format!("{} [default: {}]", key.about, key.default)
    };
    let arg = Arg::new(key.path)
        .long(key.flag())
        .value_name("VALUE")
        .help(about)
        .help_heading(
            "Configuration: each key of the file; also as environment variables, WHYNOTREADY_LISTEN_METRICS and so on",
        );
    if matches!(key.default, "true" | "false") {
        // A switch may be given without a value; with one it is `--flag=value`.
        arg.num_args(0..=1).require_equals(true).default_missing_value("true")
    } else {
        arg
    }
}

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help(format!("The configuration file [default: {FILE}, if there is one]"));
        KEYS.iter()
            .fold(command.arg(file), |command, key| command.arg(flag(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: &&Key| matches.value_source(key.path) == Some(ValueSource::CommandLine);
        let value = |key: &Key| Some((key.path.to_owned(), matches.get_one::<String>(key.path)?.clone()));
        Ok(Self {
            file: matches.get_one::<PathBuf>(CONFIG).cloned(),
            flags: KEYS.iter().filter(given).filter_map(value).collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Settings, clap::Error> {
        let command = Settings::augment_args(Command::new("run"));
        Settings::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }

    #[test]
    fn each_key_is_a_flag() {
        Settings::augment_args(Command::new("run")).debug_assert();
        let settings = parse(&[
            "run",
            "--listen-metrics",
            "127.0.0.1:1",
            "--cri-enabled",
            "--probe-enabled=false",
            "--node=n",
        ])
        .unwrap();
        let flags: Vec<(&str, &str)> = settings.flags.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(
            flags,
            [
                ("node", "n"),
                ("listen.metrics", "127.0.0.1:1"),
                ("probe.enabled", "false"),
                ("cri.enabled", "true"),
            ]
        );
        assert!(parse(&["run", "--listen-metric", "x"]).is_err());
    }

    #[test]
    fn the_default_file_need_not_be_there_and_a_named_one_must() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file.as_file(), b"node: one\n").unwrap();
        let named = Settings {
            file: Some(file.path().to_owned()),
            ..Settings::default()
        };
        let (resolved, read) = named.resolve(&|_| None).unwrap();
        assert_eq!((resolved.config.node.as_deref(), read), (Some("one"), true));
        let path = file.path().to_owned();
        drop(file);
        let faults = named.resolve(&|_| None).unwrap_err();
        assert_eq!(faults.0, [format!("{}: no such file or directory", path.display())]);
    }
}
