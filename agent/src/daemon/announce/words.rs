//! The sentence of a change, for a person.

use crate::model::change::ChangeKind;
use crate::model::diagnosis::Diagnosis;
use crate::model::episode::Episode;
use crate::model::finding::{Finding, Verdict};

/// The node's name, as far as it is known.
pub(super) fn node(diagnosis: &Diagnosis) -> &str {
    diagnosis.node.as_deref().unwrap_or("this node")
}

/// What has changed, in one sentence.
pub(super) fn sentence(
    kind: ChangeKind,
    episode: Option<&Episode>,
    finding: Option<&Finding>,
    diagnosis: &Diagnosis,
) -> String {
    let node = node(diagnosis);
    let effect = episode.map_or("", |e| e.effect.as_str());
    let since = episode.map_or_else(String::new, |e| format!(" since {} UTC", e.opened_at.clock()));
    let cause = finding.map_or_else(String::new, |f| {
        let sure = match f.verdict {
            Verdict::Confirmed => "confirmed",
            Verdict::Probable => "probable",
        };
        format!("{} ({sure}): {}", f.cause, f.title)
    });
    match kind {
        ChangeKind::EpisodeOpened => format!("{node}: {effect}{since}"),
        ChangeKind::EpisodeDeepened => format!("{node}: now {effect}{since}"),
        ChangeKind::EpisodeEnded => {
            let why = episode
                .and_then(|e| e.end_reason.as_deref())
                .unwrap_or("the effect is gone");
            format!("{node}: {effect}{since} is over: {why}")
        }
        ChangeKind::RootCauseFound => format!("{node}: {effect}{since}: {cause}"),
        ChangeKind::RootCauseRevised => format!("{node}: {effect}{since}: revised to {cause}"),
        ChangeKind::RootCauseCleared => format!("{node}: {effect}{since}: no root cause stands any more"),
        ChangeKind::RiskFound => format!("{node}: risk {cause}"),
        ChangeKind::RiskCleared => format!("{node}: a risk is gone"),
    }
}
