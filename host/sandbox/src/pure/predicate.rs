//! Predicates: a fresh instance for every evaluation.

use std::sync::Arc;

use pinion_bindings::predicate::{PredicatePlugin, PredicatePluginPre};
use pinion_domain::extension::PluginError;
use pinion_domain::extension::columns::{ColumnSpec, Dictionary, Rows};
use pinion_domain::extension::predicate::{Evaluation, Predicate};

use super::columns::{dictionary_in, is_bitmap, rows_in, specs_out, trim_bitmap};
use super::{PureInstance, PureState, checked_settings};
use crate::fault::fault_text;
use crate::plugin::Version;
use crate::services::Services;

/// A running predicate.
pub type Instance = PureInstance<PredicatePlugin>;

/// A predicate with its settings, in the version that was current when it was asked for.
pub struct SandboxedPredicate {
    version: Arc<Version>,
    component: PredicatePluginPre<PureState>,
    services: Arc<Services>,
    settings: String,
    inputs: Vec<ColumnSpec>,
}

impl SandboxedPredicate {
    /// Which version it is.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// Asks the plugin which columns it reads with these settings.
    pub fn new(
        version: Arc<Version>,
        component: PredicatePluginPre<PureState>,
        services: Arc<Services>,
        settings: &str,
    ) -> Result<Self, PluginError> {
        let settings = checked_settings(&version.manifest.name, settings)?;
        let mut instance = instantiate(&version, &services, &component)?;
        let inputs = instance.call("inputs", |plugin, store| {
            plugin.pinion_predicate_predicate().call_inputs(store, &settings)
        })?;
        let inputs = specs_out(inputs).map_err(|problem| fault_text(&version.manifest, &problem))?;
        Ok(Self {
            version,
            component,
            services,
            settings,
            inputs,
        })
    }
}

/// A fresh instance.
pub fn instantiate(
    version: &Arc<Version>,
    services: &Arc<Services>,
    component: &PredicatePluginPre<PureState>,
) -> Result<Instance, PluginError> {
    PureInstance::new(version, services, component.instance_pre(), |store| {
        component.instantiate(store)
    })
}

impl Predicate for SandboxedPredicate {
    fn inputs(&self) -> &[ColumnSpec] {
        &self.inputs
    }

    fn begin(&self, now: i64, dictionaries: Vec<Dictionary>) -> Result<Box<dyn Evaluation>, PluginError> {
        let mut instance = instantiate(&self.version, &self.services, &self.component)?;
        let dictionaries: Vec<_> = dictionaries.into_iter().map(dictionary_in).collect();
        instance.call("begin", |plugin, store| {
            plugin
                .pinion_predicate_predicate()
                .call_begin(store, &self.settings, now, &dictionaries)
        })?;
        Ok(Box::new(Running {
            instance: Some(instance),
        }))
    }
}

struct Running {
    /// Gone after an error.
    instance: Option<Instance>,
}

impl Evaluation for Running {
    fn evaluate(&mut self, rows: Rows) -> Result<Vec<u8>, PluginError> {
        // Taken out, and put back only after a good answer.
        let mut instance = self.instance.take().ok_or_else(|| PluginError::Fault {
            name: "predicate".to_owned(),
            message: "the evaluation ended with an earlier error".to_owned(),
        })?;
        let count = rows.count as usize;
        let rows = rows_in(rows);
        let mut members = instance.call("evaluate", |plugin, store| {
            plugin.pinion_predicate_predicate().call_evaluate(store, &rows)
        })?;
        if !is_bitmap(&members, count) {
            let problem = format!("answered {} bytes for {count} rows", members.len());
            return Err(fault_text(&instance.version.manifest, &problem));
        }
        trim_bitmap(&mut members, count);
        self.instance = Some(instance);
        Ok(members)
    }
}
