//! `whynotready status`: what the running agent knows, asked at its debug endpoint.
//!
//! Its exit code says whether an agent answers, not how the node is: `diagnose` is there for that.

use super::args::{Format, Status};
use super::exit::Exit;
use super::io::Io;
use super::report;
use super::run::Failure;
use super::settings::Settings;
use crate::config::Debug;
use crate::export::layout::{duration, quote, solid, wrap};
use crate::export::report::Tense;
use crate::export::text;
use crate::export::words::utc;
use crate::http::ask::{Address, NoAnswer, ask};
use crate::http::view::About;
use crate::model::change::Tier;
use crate::model::diagnosis::Diagnosis;

pub(super) fn run(args: &Status, env: &dyn Fn(&str) -> Option<String>, io: &mut Io) -> Result<Exit, Failure> {
    let address = address(args, env)?;
    let failed = |why: std::io::Error| Failure::Tool(why.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let none = |why: NoAnswer| Failure::Tool(no_answer(&address, &why));
    let json = runtime.block_on(ask(&address, "/debug/diagnosis")).map_err(none)?;
    let json = String::from_utf8_lossy(&json);
    // Another version may say what this one does not know: then its JSON is still the answer.
    if args.format == Format::Json {
        io.print(&json)?;
        return Ok(Exit::Ok);
    }
    let diagnosis: Diagnosis = serde_json::from_str(&json).map_err(|e| {
        Failure::Tool(format!(
            "{address} answers, but not as this version does ({e}): --format json"
        ))
    })?;
    let style = report::style((args.color, args.all), Tense::Live, env, io);
    let mut answer = text::render(&diagnosis, &style);
    let about = runtime.block_on(ask(&address, "/debug/about")).ok();
    if let Some(about) = about.and_then(|about| serde_json::from_slice::<About>(&about).ok()) {
        answer.push('\n');
        for (indent, line) in agent(&about) {
            answer.push_str(&wrap(&line, indent, 2, style.width));
            answer.push('\n');
        }
    }
    io.print(&answer)?;
    Ok(Exit::Ok)
}

/// What was given, else what the configuration says, else its default: a faulty file does not keep anybody from asking.
fn address(args: &Status, env: &dyn Fn(&str) -> Option<String>) -> Result<Address, Failure> {
    if let Some(given) = &args.address {
        return Address::parse(given).map_err(|why| Failure::Usage(format!("--address: {why}")));
    }
    let settings = Settings {
        file: args.config.clone(),
        ..Settings::default()
    };
    let place = settings.resolve(env).map_or_else(
        |_| Debug::Tcp(([127, 0, 0, 1], 10951).into()),
        |(resolved, _)| resolved.config.listen_debug,
    );
    Address::of(&place).ok_or_else(|| {
        Failure::Tool("the debug endpoint is off (listen.debug): name the agent's with --address".to_owned())
    })
}

fn no_answer(address: &Address, why: &NoAnswer) -> String {
    let todo = match why {
        NoAnswer::Connect(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            "Ask as the user that the agent runs as"
        }
        NoAnswer::Connect(_) => {
            "Is it running on this host (systemctl status whynotready, or its pod), and is this its listen.debug? \
             Without an agent: whynotready diagnose"
        }
        _ => "Something else may listen there: --address names the agent's listen.debug",
    };
    format!("no agent answers at {address}: {why}\n{todo}")
}

/// The agent itself, a sentence a line, each with its indent.
fn agent(about: &About) -> Vec<(usize, String)> {
    let up = duration(about.now.0 - about.started_at.0);
    let stored = match about.tier {
        Tier::Disk => "",
        Tier::Run => "; changes are stored in /run, the state directory takes none",
        Tier::Memory => "; changes are kept in memory only, no directory takes them",
    };
    let pending = match about.pending {
        0 => "nothing waits for delivery".to_owned(),
        1 => "1 change waits for delivery".to_owned(),
        n => format!("{n} changes wait for delivery"),
    };
    let head = format!(
        "{}{}, up for {up} (since {}); {pending}{stored}",
        solid("AGENT  "),
        about.version,
        utc(about.started_at)
    );
    let mut lines = vec![(0, head)];
    lines.extend(
        about
            .standing_by
            .as_ref()
            .map(|why| (2, format!("Standing by: {}", quote(why)))),
    );
    lines.extend(
        about
            .troubles
            .iter()
            .map(|trouble| (2, format!("Trouble: {}", quote(trouble)))),
    );
    lines
}
