//! The listeners of a life. One that cannot be bound is said, and tried again; the agent goes on without it.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_local};

use super::view::Shared;
use crate::config::Config;
use crate::http::debug::DebugListener;
use crate::http::listen::CannotListen;
use crate::http::metrics::MetricsListener;
use crate::http::view::View;

/// Between two tries to bind.
const AGAIN: Duration = Duration::from_secs(10);

/// Opens what is configured.
pub(super) fn open(config: &Config, shared: &Rc<Shared>) -> Vec<JoinHandle<()>> {
    let view: Rc<dyn View> = Rc::clone(shared) as Rc<dyn View>;
    let mut tasks = Vec::new();
    if let Some(address) = config.listen_metrics {
        let (tls, token) = (config.listen_tls.clone(), config.listen_token_file.clone());
        let (view, shared) = (Rc::clone(&view), Rc::clone(shared));
        tasks.push(spawn_local(async move {
            let bind = || MetricsListener::bind(address, tls.clone(), token.clone());
            let listener = bound(bind, &shared).await;
            let say = |message: &str| shared.say(message);
            listener.serve(view, say).await;
        }));
    }
    let (place, view, shared) = (config.listen_debug.clone(), view, Rc::clone(shared));
    tasks.push(spawn_local(async move {
        if let Some(listener) = bound(|| DebugListener::bind(&place), &shared).await {
            listener.serve(view).await;
        }
    }));
    tasks
}

async fn bound<T, F: Future<Output = Result<T, CannotListen>>>(bind: impl Fn() -> F, shared: &Rc<Shared>) -> T {
    let mut told: Option<String> = None;
    loop {
        match bind().await {
            Ok(listener) => {
                if let Some(told) = told {
                    shared.troubles.borrow_mut().retain(|t| *t != told);
                }
                return listener;
            }
            Err(why) => {
                let why = why.to_string();
                if told.as_ref() != Some(&why) {
                    shared.say(&why);
                    let mut troubles = shared.troubles.borrow_mut();
                    troubles.retain(|t| Some(t) != told.as_ref());
                    troubles.push(why.clone());
                    told = Some(why);
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
