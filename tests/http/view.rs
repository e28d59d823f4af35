//! What the listeners under test show.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use whynotready::catalog::load::Catalog;
use whynotready::config::resolve::{Sources, Value, resolve};
use whynotready::export::metrics::{Numbers, SourceNumbers};
use whynotready::grammar::fact::{Fact, Kind};
use whynotready::http::view::{About, Shown, View};
use whynotready::model::change::Tier;
use whynotready::model::diagnosis::Diagnosis;
use whynotready::model::time::{SECOND, Timestamp};
use whynotready_tests::{corpus, run};

/// A view that stands still.
pub(crate) struct Fixed {
    pub(crate) diagnosis: Diagnosis,
    pub(crate) about: About,
    pub(crate) alive: Result<(), String>,
    pub(crate) ready: Result<(), String>,
    pub(crate) bundle: Result<Vec<u8>, String>,
}

impl Fixed {
    /// Shows this answer; all is well with the agent.
    pub(crate) fn of(diagnosis: Diagnosis) -> Self {
        Self {
            about: About {
                version: "0.1.0".into(),
                now: diagnosis.at,
                started_at: Timestamp(diagnosis.at.0 - 300_000 * SECOND),
                standing_by: None,
                tier: Tier::Disk,
                pending: 0,
                grace_period: Duration::from_secs(40),
                troubles: Vec::new(),
            },
            diagnosis,
            alive: Ok(()),
            ready: Ok(()),
            bundle: Ok(b"bundle".to_vec()),
        }
    }
}

/// What the catalog says of an incident of the corpus.
pub(crate) fn incident(name: &str) -> Diagnosis {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("incidents");
    let cases = corpus::load(&dir, &std::collections::BTreeMap::new(), false).unwrap();
    let case = cases.iter().find(|c| c.name == name).expect("an incident of this name");
    let mut diagnosis = run::diagnose(&catalog(), case).unwrap();
    // The daemon knows it from the kubelet.
    diagnosis.node = Some("node1".into());
    diagnosis
}

pub(crate) fn catalog() -> Arc<Catalog> {
    Arc::new(Catalog::load(None).unwrap())
}

impl View for Fixed {
    fn numbers(&self) -> Numbers {
        let now = self.diagnosis.at;
        let mut numbers = Numbers {
            diagnosis: Some(self.diagnosis.clone()),
            now,
            entries: 41_230,
            causes: 130,
            ..Numbers::default()
        };
        for (stage, ok, seconds) in [
            ("resolve", true, Some(0.001)),
            ("connect", true, Some(0.002)),
            ("tls", true, Some(0.004)),
            ("request", false, None),
        ] {
            let key = ("api.lab.test:6443".to_owned(), stage.to_owned());
            numbers.probes.insert(key, (ok, seconds));
        }
        let expires = now.0 as f64 / 1e6 + 6.2 * 86_400.0;
        numbers.not_after.insert("client".into(), expires);
        numbers.not_after.insert("ca".into(), now.0 as f64 / 1e6 - 7200.0);
        for (i, source) in [
            "certificate",
            "cri",
            "dns",
            "healthz",
            "lease",
            "memory",
            "probe",
            "systemd",
        ]
        .iter()
        .enumerate()
        {
            let figures = SourceNumbers {
                success: i != 1 && i != 7,
                duration: 0.001 * i as f64,
                last_success: if i == 1 { 0.0 } else { now.0 as f64 / 1e6 - 4.0 },
            };
            numbers.sources.insert((*source).into(), figures);
        }
        numbers.deliveries.insert(("otlp".into(), "ok".into()), 3);
        numbers
    }

    fn alive(&self) -> Result<(), String> {
        self.alive.clone()
    }

    fn ready(&self) -> Result<(), String> {
        self.ready.clone()
    }

    fn diagnosis(&self) -> Rc<Diagnosis> {
        Rc::new(self.diagnosis.clone())
    }

    fn evidence(&self) -> Vec<Shown> {
        vec![Shown {
            at: self.diagnosis.at,
            source: Arc::from("memory"),
            text: Arc::from("41 % available"),
            facts: vec![Fact::new(Kind::Memory)],
        }]
    }

    fn config(&self) -> Rc<Vec<Value>> {
        let flags = [("otlp.headers".to_owned(), "authorization=Bearer hush".to_owned())];
        let resolved = resolve(&Sources {
            file: None,
            env: &|_| None,
            flags: &flags,
        });
        Rc::new(resolved.unwrap().values)
    }

    fn catalog(&self) -> Arc<Catalog> {
        catalog()
    }

    fn bundle(&self) -> Result<Vec<u8>, String> {
        self.bundle.clone()
    }

    fn about(&self) -> About {
        self.about.clone()
    }
}
