//! What an environment's engine holds, with the keys that Slipway knows it by.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join;
use slipway_catalog::Environment;
use slipway_kernel::Key;
use slipway_workflows::{
    EngineSettings, Exported, Link, WorkflowId,
    inventory::{Entry, Inventory},
    key_for,
};

use super::{EngineProblem, called, opened, settings_of};
use crate::Context;

/// What was found in an engine.
pub(crate) struct Surveyed {
    /// Where it is.
    pub(crate) engine: EngineSettings,
    /// Every workflow with its key.
    pub(crate) inventory: Inventory,
    /// Keys that were given on the way, not written down yet.
    pub(crate) new_links: Vec<Link>,
    /// Keys that stood for workflows which the engine has no longer.
    pub(crate) gone: BTreeSet<Key>,
}

/// Reads an environment's engine. A workflow without a key gets the one that a workflow of the same name has in `other`,
/// if it is the only one there and here; else one derived from its name. A key stays with its workflow from then on.
pub(crate) async fn survey(
    context: &Context,
    environment: &Environment,
    other: Option<&Inventory>,
) -> Result<Surveyed, EngineProblem> {
    let (settings, exported, links) = read(context, environment).await?;
    keyed(environment, settings, exported, &links, other)
}

/// Reads the engines of two environments at the same time; keys of the second follow those of the first.
pub(crate) async fn survey_both(
    context: &Context,
    source: &Environment,
    target: &Environment,
) -> Result<(Surveyed, Surveyed), EngineProblem> {
    let (there, here) = try_join(read(context, source), read(context, target)).await?;
    let there = keyed(source, there.0, there.1, &there.2, None)?;
    let here = keyed(target, here.0, here.1, &here.2, Some(&there.inventory))?;
    Ok((there, here))
}

async fn read(
    context: &Context,
    environment: &Environment,
) -> Result<(EngineSettings, Vec<Exported>, Vec<Link>), EngineProblem> {
    let settings = settings_of(context, environment).await?;
    let engine = opened(context, environment, &settings)?;
    let exported = called(environment, engine.export().await)?;
    let links = context.reader().workflow_links(environment.id).await?;
    Ok((settings, exported, links))
}

fn keyed(
    environment: &Environment,
    engine: EngineSettings,
    exported: Vec<Exported>,
    links: &[Link],
    other: Option<&Inventory>,
) -> Result<Surveyed, EngineProblem> {
    let known: BTreeMap<&WorkflowId, &Key> = links
        .iter()
        .map(|link| (&link.workflow, &link.key))
        .collect();
    let present: BTreeSet<&WorkflowId> = exported.iter().map(|found| &found.id).collect();
    let gone = links
        .iter()
        .filter(|link| !present.contains(&link.workflow))
        .map(|link| link.key.clone())
        .collect();
    let mut taken: BTreeSet<String> = links
        .iter()
        .map(|link| link.key.as_str().to_ascii_lowercase())
        .collect();
    let unknown = |found: &&Exported| !known.contains_key(&found.id);
    let counterparts = counterparts(environment, exported.iter().filter(unknown), &taken, other)?;
    // What another environment calls something else must not get its key here.
    let elsewhere = other.into_iter().flat_map(Inventory::iter);
    taken.extend(elsewhere.map(|entry| entry.key.as_str().to_ascii_lowercase()));
    let mut new_links = Vec::new();
    let mut entries = Vec::with_capacity(exported.len());
    for found in exported {
        let key = match (known.get(&found.id), counterparts.get(&found.id)) {
            (Some(key), _) => Key::clone(key),
            (None, Some(key)) => key.clone(),
            (None, None) => key_for(&found.name, &|key| {
                taken.contains(&key.to_ascii_lowercase())
            }),
        };
        if !known.contains_key(&found.id) {
            taken.insert(key.as_str().to_ascii_lowercase());
            new_links.push(Link {
                key: key.clone(),
                workflow: found.id.clone(),
            });
        }
        entries.push(Entry {
            key,
            id: found.id,
            name: found.name,
            archived: found.archived,
            workflow: found.workflow,
        });
    }
    Ok(Surveyed {
        engine,
        inventory: Inventory::new(entries),
        new_links,
        gone,
    })
}

/// The keys of workflows that have none yet here, by the only workflow of the same name in the other environment.
fn counterparts<'e>(
    environment: &Environment,
    unknown: impl Iterator<Item = &'e Exported>,
    taken: &BTreeSet<String>,
    other: Option<&Inventory>,
) -> Result<BTreeMap<WorkflowId, Key>, EngineProblem> {
    let mut by_name: BTreeMap<&str, Vec<&WorkflowId>> = BTreeMap::new();
    for found in unknown {
        by_name.entry(&found.name).or_default().push(&found.id);
    }
    let mut counterparts = BTreeMap::new();
    for (name, ids) in by_name {
        let mut named = other
            .into_iter()
            .flat_map(Inventory::iter)
            .filter(|entry| entry.name == name)
            .filter(|entry| !taken.contains(&entry.key.as_str().to_ascii_lowercase()));
        match (named.next(), named.next(), &*ids) {
            (Some(entry), None, [id]) => {
                counterparts.insert((*id).clone(), entry.key.clone());
            }
            (Some(_), _, [_, _, ..]) | (Some(_), Some(_), _) => {
                return Err(EngineProblem::Ambiguous {
                    environment: environment.slug.clone(),
                    name: name.to_owned(),
                    ids: ids.iter().map(|id| id.0.clone()).collect(),
                });
            }
            _ => {}
        }
    }
    Ok(counterparts)
}
