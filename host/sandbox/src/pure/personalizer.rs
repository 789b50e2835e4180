//! Personalizers: instances are reused within one caller's settings, and replaced after a fault.

use std::sync::Arc;

use parking_lot::Mutex;
use pinion_bindings::personalizer::{PersonalizerPlugin, PersonalizerPluginPre};
use pinion_domain::extension::PluginError;
use pinion_domain::extension::columns::{ColumnSpec, Rows};
use pinion_domain::extension::personalizer::{Personalized, Personalizer};

use super::columns::{column_out, is_bitmap, rows_in, specs_out};
use super::{PureInstance, PureState, checked_settings};
use crate::fault::fault_text;
use crate::plugin::Version;
use crate::services::{Services, Shed};

/// A running personalizer.
pub type Instance = PureInstance<PersonalizerPlugin>;

/// A personalizer with its settings, in the version that was current when it was asked for.
pub struct SandboxedPersonalizer {
    version: Arc<Version>,
    component: PersonalizerPluginPre<PureState>,
    services: Arc<Services>,
    settings: String,
    inputs: Vec<ColumnSpec>,
    outputs: Vec<ColumnSpec>,
    idle: Mutex<Vec<Instance>>,
}

impl SandboxedPersonalizer {
    /// Which version it is.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }

    /// Asks the plugin which columns it reads and gives with these settings.
    pub fn new(
        version: Arc<Version>,
        component: PersonalizerPluginPre<PureState>,
        services: Arc<Services>,
        settings: &str,
    ) -> Result<Self, PluginError> {
        let mut personalizer = Self {
            settings: checked_settings(&version.manifest.name, settings)?,
            version,
            component,
            services,
            inputs: Vec::new(),
            outputs: Vec::new(),
            idle: Mutex::default(),
        };
        let mut instance = personalizer.take()?;
        let settings = &personalizer.settings;
        let inputs = instance.call("inputs", |plugin, store| {
            plugin
                .pinion_personalizer_personalizer()
                .call_inputs(store, settings)
        })?;
        let outputs = instance.call("outputs", |plugin, store| {
            plugin
                .pinion_personalizer_personalizer()
                .call_outputs(store, settings)
        })?;
        let specs = |specs| specs_out(specs).map_err(|problem| personalizer.nonsense(&problem));
        let (inputs, outputs) = (specs(inputs)?, specs(outputs)?);
        if let Some(output) = outputs.iter().find(|output| !is_output(&output.path)) {
            return Err(personalizer.nonsense(&format!("gives {:?}, which no template reads", output.path)));
        }
        (personalizer.inputs, personalizer.outputs) = (inputs, outputs);
        personalizer.put_back(instance);
        Ok(personalizer)
    }

    fn take(&self) -> Result<Instance, PluginError> {
        if let Some(instance) = self.idle.lock().pop() {
            return Ok(instance);
        }
        instantiate(&self.version, &self.services, &self.component)
    }

    fn put_back(&self, instance: Instance) {
        let mut idle = self.idle.lock();
        if instance.uses < self.services.limits.uses && idle.len() < self.services.limits.idle_instances {
            idle.push(instance);
        }
    }

    fn nonsense(&self, problem: &str) -> PluginError {
        fault_text(&self.version.manifest, problem)
    }
}

impl Shed for SandboxedPersonalizer {
    fn shed(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }
}

/// A fresh instance.
pub fn instantiate(
    version: &Arc<Version>,
    services: &Arc<Services>,
    component: &PersonalizerPluginPre<PureState>,
) -> Result<Instance, PluginError> {
    PureInstance::new(version, services, component.instance_pre(), |store| {
        component.instantiate(store)
    })
}

/// Where templates look.
fn is_output(path: &str) -> bool {
    matches!(path, "TitleOverride" | "BodyOverride")
        || ["Attributes.", "Recommendations."]
            .iter()
            .any(|prefix| path.strip_prefix(prefix).is_some_and(|name| !name.is_empty()))
}

impl Personalizer for SandboxedPersonalizer {
    fn inputs(&self) -> &[ColumnSpec] {
        &self.inputs
    }

    fn outputs(&self) -> &[ColumnSpec] {
        &self.outputs
    }

    fn personalize(&self, now: i64, rows: Rows) -> Result<Personalized, PluginError> {
        // Not put back after an error: whatever state led there goes with it.
        let mut instance = self.take()?;
        let count = rows.count;
        let rows = rows_in(rows);
        let given = instance.call("personalize", |plugin, store| {
            plugin
                .pinion_personalizer_personalizer()
                .call_personalize(store, &self.settings, now, &rows)
        })?;
        if given.columns.len() != self.outputs.len() {
            let (given, declared) = (given.columns.len(), self.outputs.len());
            return Err(self.nonsense(&format!("gave {given} columns and had declared {declared}")));
        }
        if !given.drop.is_empty() && !is_bitmap(&given.drop, count as usize) {
            return Err(self.nonsense("its drop bitmap has a wrong length"));
        }
        let columns = given
            .columns
            .into_iter()
            .zip(&self.outputs)
            .map(|(column, spec)| column_out(column, spec, count))
            .collect::<Result<_, _>>()
            .map_err(|problem| self.nonsense(&problem))?;
        self.put_back(instance);
        Ok(Personalized {
            columns,
            drop: given.drop,
        })
    }
}
