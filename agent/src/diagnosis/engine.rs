//! The engine: inputs in, transitions out; no clock, no I/O. The same inputs give the same diagnosis.

use std::sync::Arc;

use super::assess::{Coverage, Record};
use super::boots::GoingDown;
use super::effect::{Effect, Effects};
use super::episodes::{Episodes, Transition};
use super::verdict;
use crate::catalog::load::Catalog;
use crate::evidence::detector::{self, Detector};
use crate::evidence::sight::Sight;
use crate::evidence::track::{Sample, Track};
use crate::grammar::fact::Kind;
use crate::grammar::line::Origin;
use crate::model::diagnosis::Diagnosis;
use crate::model::finding::Verdict;
use crate::model::input::{Beat, Gap, Input, Observation};
use crate::model::time::{Moment, SECOND};

/// Gaps kept; what comes after is counted in the last one's reason.
const GAPS: usize = 64;

/// A gap in the agent's own sight is forgotten so long after it ended.
const FORGET: i64 = 1800 * SECOND;

/// What the engine is told beside the inputs.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whoever asks says by asking that the node went NotReady: where the input neither shows nor refutes an effect, the
    /// most upstream cause is named, at most probable.
    pub premise: bool,
}

/// What one input changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// In the order in which they happened.
    pub transitions: Vec<Transition>,
}

/// The engine.
pub struct Engine {
    pub(super) catalog: Arc<Catalog>,
    pub(super) options: Options,
    pub(super) tracks: Vec<Track>,
    pub(super) effects: Effects,
    pub(super) episodes: Episodes,
    pub(super) coverage: Coverage,
    pub(super) sight: Sight,
    pub(super) gaps: Vec<Gap>,
    pub(super) first: Option<Moment>,
    pub(super) last: Option<Moment>,
    pub(super) going_down: GoingDown,
    pub(super) lines: u64,
    detectors: Vec<Box<dyn Detector>>,
    kubelet_started: Option<i64>,
    boot: Option<u32>,
    next_review: i64,
}

impl Engine {
    /// An engine over this catalog that has seen nothing.
    pub fn new(catalog: Arc<Catalog>, options: Options) -> Self {
        Self {
            tracks: vec![Track::default(); catalog.signals.len()],
            catalog,
            options,
            effects: Effects::default(),
            episodes: Episodes::default(),
            coverage: Coverage::default(),
            sight: Sight::default(),
            gaps: Vec::new(),
            first: None,
            last: None,
            going_down: GoingDown::default(),
            lines: 0,
            detectors: detector::all(),
            kubelet_started: None,
            boot: None,
            next_review: i64::MIN,
        }
    }

    /// Takes one input; says what it changed, if anything.
    pub fn step(&mut self, input: &Input) -> Option<Step> {
        let mut transitions = Vec::new();
        self.lines += u64::from(matches!(input, Input::Observed(_) | Input::Beat(_)));
        match input {
            Input::Observed(observation) => self.observe(observation, &mut transitions),
            Input::Beat(beat) => self.beat(beat, &mut transitions),
            Input::Gap(gap) => self.gap(gap),
            Input::Tick(now) => {
                self.tick(*now);
                self.advance(*now, &mut transitions);
                self.review(*now, &mut transitions);
            }
            Input::End(now) => {
                self.tick(*now);
                self.advance(*now, &mut transitions);
            }
        }
        (!transitions.is_empty()).then_some(Step { transitions })
    }

    /// The answer at the last input.
    pub fn diagnosis(&self) -> Diagnosis {
        verdict::diagnosis(self)
    }

    /// Every cause that is asserted anywhere in what was seen, with its own verdict.
    pub fn asserted(&self) -> Vec<(String, Verdict)> {
        verdict::asserted(self)
    }

    pub(super) fn record(&self) -> Record<'_> {
        Record {
            tracks: &self.tracks,
            coverage: &self.coverage,
            sight: &self.sight,
        }
    }

    fn observe(&mut self, observation: &Observation, transitions: &mut Vec<Transition>) {
        self.enter_boot(observation.boot, observation.at);
        if observation.origin == Origin::Agent {
            self.look(&Arc::new(observation.clone()), transitions);
            return;
        }
        let mut facts = Vec::new();
        for detector in &mut self.detectors {
            detector.observe(observation, &mut facts);
        }
        let mut observation = observation.clone();
        observation.facts.extend(facts);
        self.take(&Arc::new(observation), transitions);
    }

    /// What the agent saw by itself. It is no line of the record: no detector and no coverage of logs hears of it.
    fn look(&mut self, observation: &Arc<Observation>, transitions: &mut Vec<Transition>) {
        self.sight.note(observation);
        self.see_again(observation);
        for hit in self.catalog.matcher.hits_by_fact(observation) {
            let kind = hit.fact.and_then(|i| observation.facts.get(i)).map(|f| f.kind);
            let open =
                observation.header_at.is_none() && kind.is_some_and(|k| self.sight.is_first(k, observation.at.t));
            self.tracks[hit.signal].add(
                Sample {
                    observation: Arc::clone(observation),
                    fact: hit.fact,
                    open,
                },
                false,
            );
        }
        self.effects.look(observation);
        self.advance(observation.at, transitions);
    }

    /// An observation whose facts are complete.
    fn take(&mut self, observation: &Arc<Observation>, transitions: &mut Vec<Transition>) {
        let at = observation.at;
        self.going_down.observe(observation);
        let testimony = self.going_down.is_so(at);
        if observation.origin == Origin::Kubelet && observation.facts.iter().any(|f| f.kind == Kind::KubeletStart) {
            self.kubelet_started = Some(at.t);
        }
        for hit in self.catalog.matcher.hits(observation) {
            let quiet = self.catalog.signals[hit.signal].not_after_start;
            if quiet > 0 && self.kubelet_started.is_some_and(|s| at.t - s < quiet) {
                continue;
            }
            self.tracks[hit.signal].add(
                Sample {
                    observation: Arc::clone(observation),
                    fact: hit.fact,
                    open: false,
                },
                testimony,
            );
        }
        self.coverage.hear(observation.origin);
        if testimony {
            self.effects.testify(observation);
        } else {
            self.effects.observe(observation);
        }
        self.advance(at, transitions);
    }

    fn beat(&mut self, beat: &Beat, transitions: &mut Vec<Transition>) {
        self.enter_boot(beat.boot, beat.at);
        for detector in &mut self.detectors {
            detector.beat(beat);
        }
        self.coverage.hear(beat.origin);
        if !self.going_down.is_so(beat.at) {
            self.effects.beat(beat);
        }
        self.advance(beat.at, transitions);
    }

    fn gap(&mut self, gap: &Gap) {
        if !self.sight.miss(gap) {
            self.coverage.interrupt(self.last.map_or(i64::MIN, |l| l.t));
        }
        if let Some(known) = self
            .gaps
            .iter_mut()
            .find(|g| g.source == gap.source && g.reason == gap.reason)
        {
            known.to = match (gap.to, known.to) {
                (Some(to), Some(known)) => Some(to.max(known)),
                // It goes on, or it has ended.
                (to, _) => to,
            };
            return;
        }
        if self.gaps.len() >= GAPS
            && let Some(over) = self.gaps.iter().position(|g| g.to.is_some())
        {
            self.gaps.remove(over);
        }
        if self.gaps.len() < GAPS {
            self.gaps.push(gap.clone());
        }
    }

    /// What could not be looked at before can be now; of such gaps only those of the last half hour are kept.
    fn see_again(&mut self, observation: &Observation) {
        let now = observation.at.wall;
        for gap in self.gaps.iter_mut().filter(|g| g.to.is_none()) {
            if observation.facts.iter().any(|f| f.kind.word() == gap.source) {
                gap.to = Some(now);
            }
        }
        self.gaps.retain(|g| {
            let over = g.to.is_some_and(|to| now.0 - to.0 > FORGET);
            !over || !observation.facts.iter().any(|f| f.kind.word() == g.source)
        });
    }

    fn tick(&mut self, now: Moment) {
        let mut found = Vec::new();
        for detector in &mut self.detectors {
            detector.tick(now, &mut found);
        }
        for (mut observation, fact) in found {
            // Only the derived fact is new; the line itself was taken when it came.
            observation.facts = vec![fact];
            let observation = Arc::new(observation);
            for hit in self.catalog.matcher.hits_by_fact(&observation) {
                let testimony = self.going_down.is_so(observation.at);
                self.tracks[hit.signal].add(
                    Sample {
                        observation: Arc::clone(&observation),
                        fact: hit.fact,
                        open: false,
                    },
                    testimony,
                );
            }
            if !self.going_down.is_so(now) {
                self.effects.observe_derived(&observation);
            }
        }
    }

    fn enter_boot(&mut self, boot: u32, at: Moment) {
        if self.boot.is_some_and(|b| boot > b) {
            let last = self.going_down.since().or(self.last).unwrap_or(at);
            self.going_down = GoingDown::default();
            self.effects.rebooted(last);
            self.kubelet_started = None;
        }
        self.boot = Some(boot);
    }

    /// Time has come to `now`: the effect may begin or end.
    fn advance(&mut self, now: Moment, transitions: &mut Vec<Transition>) {
        self.first.get_or_insert(now);
        if self.last.is_none_or(|l| now.t >= l.t) {
            self.last = Some(now);
        }
        if self.going_down.is_so(now) {
            return;
        }
        let present = self.effects.present(now);
        if let Some(ended) = self.episodes.follow(present, now, transitions) {
            let (findings, candidates) = verdict::of_ended(self, &ended.effect_now(), &ended.id);
            self.episodes.close(&ended, findings, candidates);
        }
    }

    /// While an episode is open: has the root cause changed? Often at first, then ever more rarely.
    fn review(&mut self, now: Moment, transitions: &mut Vec<Transition>) {
        let Some(open) = self.episodes.open() else {
            self.next_review = i64::MIN;
            return;
        };
        if now.t < self.next_review {
            return;
        }
        let age = now.t - open.since.t;
        self.next_review = now.t + (age / 16).clamp(5 * SECOND, 600 * SECOND);
        let (effect, id) = (open.effect_now(), open.id.clone());
        let (findings, _) = verdict::of_episode(self, &effect, &id);
        self.episodes.revise(findings.first(), transitions);
    }

    /// The effect at the last input, if one is present.
    pub(super) fn present(&self) -> Option<Effect> {
        self.episodes.open().map(super::episodes::Open::effect_now)
    }

    /// The moment that the answer speaks of: the end of the record, or the order that ended it.
    pub(super) fn now(&self) -> Moment {
        let last = self.last.unwrap_or_default();
        self.going_down
            .since()
            .filter(|_| self.going_down.is_so(last))
            .unwrap_or(last)
    }
}
