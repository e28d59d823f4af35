//! What was seen of each signal, in bounded space.
//!
//! Observations of one signal that follow each other closely share a bucket, so that ten lines a second cost what one
//! does, and times are kept to a few seconds.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::catalog::compile::Signal;
use crate::model::input::Observation;
use crate::model::time::{Moment, SECOND};

/// Observations within this of a bucket's first share it.
const BUCKET: i64 = 4 * SECOND;
/// Buckets kept for each signal; the oldest two merge beyond it. 160 buckets of at most 8 KiB of text bound a signal's
/// memory to little over a megabyte, and only failing nodes come near it.
const BUCKETS: usize = 160;

/// Observations of one signal close together.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// The first.
    pub first: Moment,
    /// The last.
    pub last: Moment,
    /// How many.
    pub count: u64,
    /// The first one itself.
    pub sample: Sample,
    /// Seen while the machine was going down in order.
    pub testimony: bool,
}

/// An observation kept as evidence.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The observation.
    pub observation: Arc<Observation>,
    /// The fact that counted; `None` where the words alone did.
    pub fact: Option<usize>,
    /// Seen at the agent's first look: it may have begun at any time before.
    pub open: bool,
}

/// What was seen of one signal.
#[derive(Debug, Clone, Default)]
pub struct Track {
    buckets: VecDeque<Bucket>,
}

/// The window in which a signal is judged.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Nothing before this counts.
    pub from: i64,
    /// Nothing after this counts.
    pub to: i64,
    /// What is `lasting` must be seen at or after this.
    pub tail: i64,
}

/// An asserted signal.
#[derive(Debug, Clone)]
pub struct Asserted {
    /// The first observation.
    pub first: Moment,
    /// The last observation.
    pub last: Moment,
    /// How many.
    pub count: u64,
    /// Distinct moments, oldest first, a few.
    pub samples: Vec<Sample>,
    /// It may have begun at any time before `first`.
    pub open: bool,
}

impl Track {
    /// Adds an observation.
    pub fn add(&mut self, sample: Sample, testimony: bool) {
        let (at, onset) = (sample.observation.at, sample.observation.onset());
        if let Some(bucket) = self.buckets.back_mut()
            && at.t - bucket.first.t < BUCKET
            && bucket.testimony == testimony
        {
            bucket.last = at;
            bucket.count += 1;
            return;
        }
        if self.buckets.len() >= BUCKETS {
            self.merge_oldest();
        }
        self.buckets.push_back(Bucket {
            first: onset,
            last: at,
            count: 1,
            sample,
            testimony,
        });
    }

    fn merge_oldest(&mut self) {
        // The first observation of all stays: it is the onset. The second and third merge.
        if let (Some(second), Some(third)) = (self.buckets.remove(1), self.buckets.get_mut(1)) {
            third.first = second.first;
            third.count += second.count;
            third.sample = second.sample;
        }
    }

    /// The signal in this window; `None` if it is not asserted.
    pub fn judge(&self, signal: &Signal, window: Window) -> Option<Asserted> {
        let inside: Vec<&Bucket> = self
            .buckets
            .iter()
            .filter(|b| b.last.t >= window.from && b.first.t <= window.to)
            .filter(|b| signal.testimony || !b.testimony)
            .collect();
        let (first, last) = (inside.first()?, inside.last()?);
        let count: u64 = inside.iter().map(|b| b.count).sum();
        if count < signal.count || last.last.t - first.first.t < signal.sustained {
            return None;
        }
        if signal.lasting && last.last.t < window.tail && !last.testimony {
            return None;
        }
        if let Some(within) = signal.within
            && !dense(&inside, signal.count, within)
        {
            return None;
        }
        Some(Asserted {
            first: first.first,
            last: last.last,
            count,
            samples: samples(&inside),
            open: first.sample.open,
        })
    }

    /// Forgets everything before `t`.
    pub fn forget_before(&mut self, t: i64) {
        while self.buckets.front().is_some_and(|b| b.last.t < t) {
            self.buckets.pop_front();
        }
    }
}

/// Whether `count` observations lie within `within` somewhere. A bucket's observations count as one moment.
fn dense(buckets: &[&Bucket], count: u64, within: i64) -> bool {
    let mut start = 0;
    let mut sum = 0;
    for bucket in buckets {
        sum += bucket.count;
        while bucket.first.t - buckets[start].first.t > within {
            sum -= buckets[start].count;
            start += 1;
        }
        if sum >= count {
            return true;
        }
    }
    false
}

/// The first two and the last.
fn samples(buckets: &[&Bucket]) -> Vec<Sample> {
    let mut picked: Vec<Sample> = buckets.iter().take(2).map(|b| b.sample.clone()).collect();
    if buckets.len() > 2 {
        picked.push(buckets[buckets.len() - 1].sample.clone());
    }
    picked
}
