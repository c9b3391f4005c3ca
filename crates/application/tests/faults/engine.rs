//! A workflow engine that remembers what was done to it, and fails on demand.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use slipway_application::outside::{Engines, NotAllowed};
use slipway_workflows::{
    EngineError, EngineSettings, Exported, Workflow, WorkflowEngine, WorkflowId,
};

use super::gate::{Gate, What};

/// What an engine holds, by id, and what was done to it.
#[derive(Default)]
pub(crate) struct World {
    rows: Mutex<BTreeMap<String, Workflow>>,
    effects: Mutex<Vec<Transition>>,
    made: Mutex<u32>,
}

/// One effect: what a workflow was, and what it became.
#[derive(Debug, Clone, PartialEq)]
struct Transition {
    name: String,
    from: Option<Workflow>,
    to: Option<Workflow>,
}

/// Workflows by name, with names in place of ids: the same in every engine that holds the same.
pub(crate) type Picture = BTreeMap<String, String>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Adds a workflow that was always there. References to others are by name, as `of:NAME`.
    pub(crate) fn seed(&self, document: &Value) {
        let workflow = serde_json::from_value(document.clone()).expect("a workflow");
        let id = self.new_id();
        lock(&self.rows).insert(id, workflow);
    }

    /// Puts ids in place of the names that seeds refer to.
    pub(crate) fn connect_seeds(&self) {
        let mut rows = lock(&self.rows);
        let ids: Vec<_> = rows
            .iter()
            .map(|(id, row)| (format!("\"of:{}\"", row.name), format!("\"{id}\"")))
            .collect();
        for row in rows.values_mut() {
            *row = replaced(row, &ids);
        }
    }

    fn new_id(&self) -> String {
        let mut made = lock(&self.made);
        *made += 1;
        format!("w{made}", made = *made)
    }

    pub(crate) fn picture(&self) -> Picture {
        let rows = lock(&self.rows);
        let names: Vec<_> = rows
            .iter()
            .map(|(id, row)| (format!("\"{id}\""), format!("\"of:{}\"", row.name)))
            .collect();
        rows.values()
            .map(|row| {
                let text = replaced(row, &names).to_pretty_json();
                (row.name.clone(), String::from_utf8(text).expect("JSON"))
            })
            .collect()
    }

    /// Effects that came twice: a second workflow of a name, or the same change once more.
    pub(crate) fn duplicated(&self) -> Vec<String> {
        let effects = lock(&self.effects);
        let mut told = Vec::new();
        for (number, effect) in effects.iter().enumerate() {
            if effects[..number].contains(effect) {
                let kind = match (&effect.from, &effect.to) {
                    (None, _) => "created",
                    (_, None) => "deleted",
                    _ => "changed",
                };
                told.push(format!("{} was {kind} twice in the same way", effect.name));
            }
        }
        let rows = lock(&self.rows);
        let mut names: Vec<_> = rows.values().map(|row| &row.name).collect();
        names.sort_unstable();
        let twins = names.windows(2).filter(|pair| pair[0] == pair[1]);
        told.extend(twins.map(|pair| format!("{} is there twice", pair[0])));
        told
    }

    /// How many effects there were.
    pub(crate) fn effects(&self) -> usize {
        lock(&self.effects).len()
    }

    fn change(&self, id: &str, change: impl FnOnce(Option<Workflow>) -> Option<Workflow>) {
        let mut rows = lock(&self.rows);
        let from = rows.remove(id);
        let to = change(from.clone());
        if let Some(row) = &to {
            rows.insert(id.to_owned(), row.clone());
        }
        if from != to {
            let name = to.as_ref().or(from.as_ref()).map(|row| row.name.clone());
            let name = name.unwrap_or_default();
            lock(&self.effects).push(Transition { name, from, to });
        }
    }
}

fn replaced(workflow: &Workflow, pairs: &[(String, String)]) -> Workflow {
    let mut text = serde_json::to_string(workflow).expect("JSON");
    for (from, to) in pairs {
        text = text.replace(from, to);
    }
    serde_json::from_str(&text).expect("a workflow")
}

/// What goes wrong with one call of an executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It is refused; nothing is done.
    Refused,
    /// The engine can't be reached; nothing is done.
    Unreached,
    /// The engine breaks before it does anything.
    BrokenBefore,
    /// It is done, and the answer is an error.
    BrokenAfter,
    /// It is done, and there is no answer.
    Unanswered,
    /// It is done, and the answer never comes.
    Silent,
}

impl Wrong {
    pub(crate) const ALL: [Self; 6] = [
        Self::Refused,
        Self::Unreached,
        Self::BrokenBefore,
        Self::BrokenAfter,
        Self::Unanswered,
        Self::Silent,
    ];
}

/// Which calls of an executor go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Faults {
    None,
    /// The call of this number, from 0.
    Once(usize, Wrong),
    /// Every call of this name about the workflow of this name is refused.
    Always(&'static str, &'static str),
}

/// The engines as one executor sees them.
pub(crate) struct Recorders {
    pub(crate) worlds: Arc<Mutex<HashMap<String, Arc<World>>>>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) faults: Faults,
    pub(crate) calls: Arc<Mutex<usize>>,
}

impl Engines for Recorders {
    fn open(&self, settings: &EngineSettings) -> Result<Arc<dyn WorkflowEngine>, NotAllowed> {
        let EngineSettings::Directory { path } = settings else {
            unreachable!("these tests name worlds by path");
        };
        let world = lock(&self.worlds).get(path).cloned().expect("a world");
        Ok(Arc::new(Connection {
            world,
            gate: Arc::clone(&self.gate),
            faults: self.faults,
            calls: Arc::clone(&self.calls),
        }))
    }
}

struct Connection {
    world: Arc<World>,
    gate: Arc<Gate>,
    faults: Faults,
    calls: Arc<Mutex<usize>>,
}

impl Connection {
    async fn call<T>(
        &self,
        name: &'static str,
        about: &str,
        act: impl FnOnce(&World) -> Result<T, EngineError> + Send,
    ) -> Result<T, EngineError>
    where
        T: Send,
    {
        self.gate.pass(What::Call(name), false).await;
        let number = {
            let mut calls = lock(&self.calls);
            *calls += 1;
            *calls - 1
        };
        let wrong = match self.faults {
            Faults::Once(chosen, wrong) if chosen == number => Some(wrong),
            Faults::Always(refused, workflow) if refused == name && workflow == about => {
                Some(Wrong::Refused)
            }
            _ => None,
        };
        let text = || "on demand".to_owned();
        match wrong {
            Some(Wrong::Refused) => return Err(EngineError::Refused { message: text() }),
            Some(Wrong::Unreached) => return Err(EngineError::Unavailable { problem: text() }),
            Some(Wrong::BrokenBefore) => return Err(EngineError::Failed { message: text() }),
            _ => {}
        }
        let answer = act(&self.world);
        self.gate.pass(What::Call(name), true).await;
        match wrong {
            Some(Wrong::BrokenAfter) => Err(EngineError::Failed { message: text() }),
            Some(Wrong::Unanswered) => Err(EngineError::Uncertain { problem: text() }),
            Some(Wrong::Silent) => std::future::pending().await,
            _ => answer,
        }
    }

    fn name_of(&self, id: &WorkflowId) -> String {
        let rows = lock(&self.world.rows);
        rows.get(&id.0)
            .map_or_else(String::new, |row| row.name.clone())
    }

    async fn switch(
        &self,
        name: &'static str,
        id: &WorkflowId,
        active: bool,
    ) -> Result<(), EngineError> {
        let about = self.name_of(id);
        self.call(name, &about, |world| {
            found(world, id)?;
            world.change(&id.0, |row| row.map(|row| Workflow { active, ..row }));
            Ok(())
        })
        .await
    }
}

fn found(world: &World, id: &WorkflowId) -> Result<(), EngineError> {
    if lock(&world.rows).contains_key(&id.0) {
        Ok(())
    } else {
        Err(EngineError::NotFound { id: id.clone() })
    }
}

fn exported(id: &str, row: &Workflow) -> Exported {
    Exported {
        id: WorkflowId(id.to_owned()),
        name: row.name.clone(),
        archived: false,
        workflow: Ok(row.clone()),
    }
}

#[async_trait]
impl WorkflowEngine for Connection {
    async fn check(&self) -> Result<String, EngineError> {
        Ok("a world".to_owned())
    }

    async fn export(&self) -> Result<Vec<Exported>, EngineError> {
        self.call("export", "", |world| {
            let rows = lock(&world.rows);
            Ok(rows.iter().map(|(id, row)| exported(id, row)).collect())
        })
        .await
    }

    async fn get(&self, id: &WorkflowId) -> Result<Option<Exported>, EngineError> {
        let about = self.name_of(id);
        self.call("get", &about, |world| {
            let rows = lock(&world.rows);
            Ok(rows.get(&id.0).map(|row| exported(&id.0, row)))
        })
        .await
    }

    async fn create(&self, workflow: &Workflow) -> Result<WorkflowId, EngineError> {
        self.call("create", &workflow.name, |world| {
            let id = world.new_id();
            let row = Workflow {
                active: false,
                ..workflow.clone()
            };
            world.change(&id, |_| Some(row));
            Ok(WorkflowId(id))
        })
        .await
    }

    async fn update(&self, id: &WorkflowId, workflow: &Workflow) -> Result<(), EngineError> {
        self.call("update", &workflow.name, |world| {
            found(world, id)?;
            world.change(&id.0, |row| {
                row.map(|row| Workflow {
                    active: row.active,
                    ..workflow.clone()
                })
            });
            Ok(())
        })
        .await
    }

    async fn delete(&self, id: &WorkflowId) -> Result<(), EngineError> {
        let about = self.name_of(id);
        self.call("delete", &about, |world| {
            world.change(&id.0, |_| None);
            Ok(())
        })
        .await
    }

    async fn activate(&self, id: &WorkflowId) -> Result<(), EngineError> {
        self.switch("activate", id, true).await
    }

    async fn deactivate(&self, id: &WorkflowId) -> Result<(), EngineError> {
        self.switch("deactivate", id, false).await
    }
}
