use super::*;
use crate::catalog::schema::{Layer, Owner, Repair};
use crate::model::diagnosis::{Heartbeat, HeartbeatState, SCHEMA_VERSION};
use crate::model::time::Onset;

const START: i64 = 1_795_435_200_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp(START + seconds * SECOND)
}

fn finding(cause: &str, role: Role) -> Finding {
    Finding {
        cause: cause.to_owned(),
        role,
        verdict: Verdict::Confirmed,
        effect: None,
        title: "a title".into(),
        layer: Layer::Network,
        repair: Repair::Unknown,
        owner: Owner::Node,
        episode: None,
        onset: Onset {
            earliest: None,
            latest: at(0),
        },
        expected_at: None,
        evidence: Vec::new(),
        missing: Vec::new(),
        ruled_out: Vec::new(),
        remedy: Vec::new(),
        path: Vec::new(),
    }
}

/// `episodes`: opened at, whether it is open, its root cause.
fn diagnosis(episodes: &[(i64, bool, Option<&str>)], risks: &[&str]) -> Diagnosis {
    let episode = |(opened, open, root): &(i64, bool, Option<&str>)| Episode {
        id: at(*opened).compact(),
        state: if *open { EpisodeState::Open } else { EpisodeState::Ended },
        effect: "heartbeat-lost".into(),
        opened_at: at(*opened),
        ended_at: (!open).then(|| at(*opened + 60)),
        end_reason: None,
        findings: root.map(|r| finding(r, Role::RootCause)).into_iter().collect(),
        candidates: Vec::new(),
    };
    Diagnosis {
        schema_version: SCHEMA_VERSION.into(),
        node: Some("node1".into()),
        at: at(0),
        boot_id: None,
        verdict: NodeVerdict::Healthy,
        node_ready: None,
        heartbeat: Heartbeat {
            state: HeartbeatState::Unknown,
            last_success_at: None,
            last_success_basis: None,
            failing_since: None,
        },
        findings: risks.iter().map(|r| finding(r, Role::Risk)).collect(),
        candidates: Vec::new(),
        episodes: episodes.iter().map(episode).collect(),
        gaps: Vec::new(),
    }
}

fn told(announced: &mut Announced, diagnosis: &Diagnosis, seconds: i64) -> Vec<String> {
    let changes = announced.update(diagnosis, at(seconds));
    let word = |c: &Change| format!("{} {}", c.kind.word(), c.cause.as_deref().unwrap_or("-"));
    changes.iter().map(word).collect()
}

#[test]
fn an_episode_is_told_once_and_its_root_cause_when_it_stands() {
    let mut announced = Announced::default();
    let open = |root| diagnosis(&[(10, true, root)], &[]);
    assert_eq!(told(&mut announced, &open(None), 20), ["episode_opened -"]);
    assert_eq!(told(&mut announced, &open(Some("a")), 21), ["root_cause_found a"]);
    assert_eq!(told(&mut announced, &open(Some("a")), 22), [""; 0]);
    // Another one that flashes is not told, one that stands is.
    assert_eq!(told(&mut announced, &open(Some("b")), 23), [""; 0]);
    assert_eq!(told(&mut announced, &open(Some("a")), 25), [""; 0]);
    assert_eq!(told(&mut announced, &open(Some("b")), 30), [""; 0]);
    assert_eq!(told(&mut announced, &open(Some("b")), 38), ["root_cause_revised b"]);
    let over = diagnosis(&[(10, false, Some("b"))], &[]);
    assert_eq!(
        told(&mut announced, &over, 90),
        ["root_cause_cleared b", "episode_ended -"]
    );
    assert_eq!(told(&mut announced, &over, 95), [""; 0]);
}

#[test]
fn a_restart_tells_nothing_twice_and_what_was_missed() {
    let mut announced = Announced::default();
    told(&mut announced, &diagnosis(&[(10, true, Some("a"))], &[]), 20);
    let kept = serde_json::to_string(&announced).unwrap();
    let mut again: Announced = serde_json::from_str(&kept).unwrap();
    assert_eq!(
        told(&mut again, &diagnosis(&[(10, true, Some("a"))], &[]), 300),
        [""; 0]
    );
    // One ended and another came and went while nobody looked; the newest comes first.
    let missed = diagnosis(&[(200, false, Some("c")), (10, false, Some("a"))], &[]);
    assert_eq!(
        told(&mut again, &missed, 400),
        [
            "root_cause_cleared a",
            "episode_ended -",
            "episode_opened -",
            "root_cause_found c",
            "root_cause_cleared c",
            "episode_ended -",
        ]
    );
}

#[test]
fn what_was_over_before_the_first_start_is_not_told() {
    let mut announced = Announced::default();
    assert_eq!(
        told(&mut announced, &diagnosis(&[(10, false, Some("a"))], &[]), 500),
        [""; 0]
    );
}

#[test]
fn a_risk_is_told_when_it_stands_and_gone_when_it_stays_away() {
    let mut announced = Announced::default();
    let risky = diagnosis(&[], &["r"]);
    assert_eq!(told(&mut announced, &risky, 0), [""; 0]);
    assert_eq!(told(&mut announced, &risky, 30), ["risk_found r"]);
    assert_eq!(told(&mut announced, &diagnosis(&[], &[]), 300), [""; 0]);
    assert_eq!(told(&mut announced, &diagnosis(&[], &[]), 331), ["risk_cleared r"]);
}

#[test]
fn every_change_has_an_id_of_its_own_that_a_restart_makes_again() {
    let run = || {
        let mut announced = Announced::default();
        announced.update(&diagnosis(&[(10, true, Some("a"))], &["r"]), at(20))
    };
    let uids: Vec<String> = run().into_iter().map(|c| c.uid).collect();
    assert_eq!(uids.len(), 2);
    assert_ne!(uids[0], uids[1]);
    assert_eq!(uids, run().into_iter().map(|c| c.uid).collect::<Vec<_>>());
}

/// An episode of a heartbeat with an id of its own: opened at, ended at.
fn episode(opened: i64, ended: Option<i64>, root: Option<&str>) -> Episode {
    let mut diagnosis = diagnosis(&[(opened, ended.is_none(), root)], &[]);
    let mut episode = diagnosis.episodes.remove(0);
    episode.ended_at = ended.map(at);
    episode
}

/// The answer at a time, newest episode first.
fn answer(now: i64, episodes: Vec<Episode>) -> Diagnosis {
    let mut diagnosis = diagnosis(&[], &[]);
    diagnosis.at = at(now);
    diagnosis.episodes = episodes;
    diagnosis
}

/// As the daemon does it: `episode: kind cause` of what is told.
fn tells(announced: &mut Announced, mut diagnosis: Diagnosis) -> Vec<String> {
    announced.rename(&mut diagnosis);
    let changes = announced.update(&diagnosis, diagnosis.at);
    let id = |c: &Change| c.episode.clone().unwrap_or_default();
    let word = |c: &Change| format!("{} {} {}", id(c), c.kind.word(), c.cause.as_deref().unwrap_or("-"));
    changes.iter().map(word).collect()
}

fn said(opened: i64, words: &[&str]) -> Vec<String> {
    words.iter().map(|w| format!("{} {w}", at(opened).compact())).collect()
}

const OPENED: [&str; 2] = ["episode_opened -", "root_cause_found a"];
const ENDED: [&str; 2] = ["root_cause_cleared a", "episode_ended -"];

/// A life that told an episode to be open since `opened`, and what the next one has of it after it saw it until `until`.
fn after_a_life(opened: i64, until: i64) -> Announced {
    let mut first = Announced::default();
    first.resume(at(0), None);
    let open = answer(until, vec![episode(opened, None, Some("a"))]);
    assert_eq!(tells(&mut first, open), said(opened, &OPENED));
    next_life(&first, until)
}

fn next_life(before: &Announced, until: i64) -> Announced {
    let kept = serde_json::to_string(before).unwrap();
    let mut next: Announced = serde_json::from_str(&kept).unwrap();
    next.resume(at(until + 30), Some(at(until)));
    next
}

#[test]
fn an_episode_that_is_dated_anew_keeps_its_id_to_its_end_and_after() {
    let mut announced = after_a_life(1000, 1100);
    let open = answer(1140, vec![episode(1131, None, Some("a"))]);
    assert_eq!(tells(&mut announced, open), [""; 0]);
    let over = || vec![episode(1131, Some(1200), Some("a"))];
    assert_eq!(tells(&mut announced, answer(1261, over())), said(1000, &ENDED));
    assert_eq!(
        tells(&mut announced, answer(1262, over())),
        [""; 0],
        "nor under the other id"
    );
    let mut shown = answer(1263, over());
    announced.rename(&mut shown);
    assert_eq!(
        (shown.episodes[0].id.clone(), shown.episodes[0].opened_at),
        (at(1000).compact(), at(1000))
    );
    // The next one is another.
    let mut both = over();
    both.insert(0, episode(2000, None, Some("a")));
    assert_eq!(tells(&mut announced, answer(2001, both)), said(2000, &OPENED));
}

#[test]
fn a_history_that_reaches_further_back_begins_no_other_episode() {
    let mut announced = after_a_life(1000, 1100);
    let open = answer(1140, vec![episode(400, None, Some("a"))]);
    assert_eq!(tells(&mut announced, open), [""; 0]);
    let over = answer(1261, vec![episode(400, Some(1200), Some("a"))]);
    assert_eq!(tells(&mut announced, over), said(1000, &ENDED));

    // It has ended meanwhile, and another has begun: both are told, each once.
    let mut announced = after_a_life(1000, 1100);
    let both = || vec![episode(1300, None, Some("a")), episode(400, Some(1200), Some("a"))];
    let mut expected = said(1000, &ENDED);
    expected.extend(said(1300, &OPENED));
    assert_eq!(tells(&mut announced, answer(1310, both())), expected);
    assert_eq!(tells(&mut announced, answer(1311, both())), [""; 0]);
}

#[test]
fn a_part_that_ends_within_what_an_earlier_life_saw_is_no_end() {
    let mut announced = after_a_life(1000, 2000);
    // The history shows no looks: what the journal alone says was over long before the earlier life's end.
    let part = || episode(1000, Some(1060), None);
    assert_eq!(tells(&mut announced, answer(2035, vec![part()])), [""; 0]);
    let again = vec![episode(2040, None, Some("a")), part()];
    assert_eq!(tells(&mut announced, answer(2041, again)), [""; 0]);
    let over = vec![episode(2040, Some(2100), Some("a")), part()];
    assert_eq!(tells(&mut announced, answer(2161, over)), said(1000, &ENDED));
}

#[test]
fn the_tail_of_an_episode_that_was_told_is_not_told_again() {
    let mut first = after_a_life(1000, 1100);
    let over = answer(4000, vec![episode(1000, Some(3000), Some("a"))]);
    assert_eq!(tells(&mut first, over), said(1000, &ENDED));
    let mut second = next_life(&first, 4000);
    // Its history begins in the middle of it; nothing was told of what came after.
    let tail = || episode(2200, Some(3000), Some("a"));
    let missed = || episode(4010, Some(4020), Some("a"));
    let mut expected = said(4010, &OPENED);
    expected.extend(said(4010, &ENDED));
    assert_eq!(tells(&mut second, answer(4100, vec![missed(), tail()])), expected);
    assert_eq!(tells(&mut second, answer(4101, vec![missed(), tail()])), [""; 0]);
    // What ended while the earlier life looked was known to it, even where nothing is left of what it told.
    second.episodes = ToldEpisodes::default();
    assert_eq!(tells(&mut second, answer(4102, vec![tail()])), [""; 0]);
}

#[test]
fn an_effect_that_is_gone_for_a_moment_is_neither_over_nor_new() {
    let mut announced = Announced::default();
    let open = |now| answer(now, vec![episode(1000, None, Some("a"))]);
    // As the engine lists it while it waits: ended now, at each time anew.
    let fading = |now| {
        let mut answer = answer(now, vec![episode(1000, Some(now), None)]);
        answer.heartbeat.state = HeartbeatState::Ok;
        answer
    };
    assert_eq!(tells(&mut announced, open(1001)), said(1000, &OPENED));
    for now in [1010, 1020, 1030] {
        assert_eq!(tells(&mut announced, fading(now)), [""; 0]);
    }
    assert_eq!(tells(&mut announced, open(1040)), [""; 0]);
    assert_eq!(tells(&mut announced, fading(1050)), [""; 0]);
    let over = answer(1111, vec![episode(1000, Some(1050), None)]);
    assert_eq!(tells(&mut announced, over), said(1000, &ENDED));
}

#[test]
fn another_episode_has_other_ids_though_nothing_was_kept() {
    let run = |opened| {
        let mut announced = Announced::default();
        announced.resume(at(0), None);
        let open = answer(opened + 1, vec![episode(opened, None, Some("a"))]);
        let mut changes = announced.update(&open, open.at);
        let over = answer(opened + 200, vec![episode(opened, Some(opened + 100), Some("a"))]);
        changes.extend(announced.update(&over, over.at));
        // One that was told to be over comes back under its id.
        changes.extend(announced.update(
            &answer(opened + 300, vec![episode(opened, None, Some("a"))]),
            at(opened + 300),
        ));
        changes.into_iter().map(|c| c.uid).collect::<Vec<_>>()
    };
    let (mut all, again) = (run(1000), run(1000));
    assert_eq!(all, again, "the same has the same, so that the outbox knows it");
    all.extend(run(5000));
    assert_eq!(all.len(), 12);
    let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "{all:#?}");
}

#[test]
fn a_risk_that_comes_back_has_another_id() {
    let mut announced = Announced::default();
    let mut uids = Vec::new();
    for now in [0, 30, 400, 800, 830, 1200] {
        let is = if now % 400 == 0 && now > 0 && now != 800 {
            vec![]
        } else {
            vec!["r"]
        };
        uids.extend(
            announced
                .update(&diagnosis(&[], &is), at(now))
                .into_iter()
                .map(|c| (c.kind, c.uid)),
        );
    }
    let kinds: Vec<ChangeKind> = uids.iter().map(|u| u.0).collect();
    let (found, cleared) = (ChangeKind::RiskFound, ChangeKind::RiskCleared);
    assert_eq!(kinds, [found, cleared, found, cleared]);
    let distinct: std::collections::BTreeSet<&String> = uids.iter().map(|u| &u.1).collect();
    assert_eq!(distinct.len(), 4, "{uids:#?}");
}

#[test]
fn an_episode_is_over_when_it_is_seen_to_be_and_not_when_nothing_is_seen() {
    let mut blind = after_a_life(1000, 1100);
    for now in [1140, 1300, 9000] {
        assert_eq!(
            tells(&mut blind, answer(now, Vec::new())),
            [""; 0],
            "the heartbeat is unknown"
        );
    }
    let well = |now, ready| {
        let mut answer = answer(now, Vec::new());
        answer.heartbeat.state = HeartbeatState::Ok;
        answer.node_ready = ready;
        answer
    };
    assert_eq!(tells(&mut blind, well(9001, Some(false))), [""; 0]);
    assert_eq!(tells(&mut blind, well(9002, Some(true))), said(1000, &ENDED));
    let mut early = after_a_life(1000, 1100);
    assert_eq!(tells(&mut early, well(1219, None)), [""; 0], "it may show up yet");
    assert_eq!(tells(&mut early, well(1220, None)), said(1000, &ENDED));
}

#[test]
fn what_gets_worse_is_told_once_and_what_gets_better_is_not() {
    let mut announced = Announced::default();
    let with = |now, effect: &str| {
        let mut episode = episode(1000, None, Some("a"));
        effect.clone_into(&mut episode.effect);
        answer(now, vec![episode])
    };
    assert_eq!(
        tells(&mut announced, with(1001, "heartbeat-failing")),
        said(1000, &OPENED)
    );
    assert_eq!(
        tells(&mut announced, with(1002, "heartbeat-lost")),
        said(1000, &["episode_deepened -"])
    );
    for (now, effect) in [
        (1003, "heartbeat-failing"),
        (1004, "heartbeat-lost"),
        (1005, "heartbeat-intermittent"),
    ] {
        assert_eq!(tells(&mut announced, with(now, effect)), [""; 0], "{effect}");
    }
}
