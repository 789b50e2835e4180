//! Adapters that were opened before, so that opening one again is a look-up.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// How many are kept before those that nobody holds are let go.
const KEPT: usize = 4_096;

/// Adapters by what they were opened with.
pub struct Adapters<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for Adapters<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Adapters<K, V> {
    /// The one that was opened with these arguments.
    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        self.0.lock().get(key).cloned()
    }

    /// Keeps one in the place of whatever was opened with these arguments.
    pub fn put(&self, key: K, adapter: Arc<V>) {
        let mut let_go = HashMap::new();
        let mut adapters = self.0.lock();
        if adapters.len() >= KEPT {
            // Not dropped under the lock: that ends instances.
            let_go = adapters
                .extract_if(|_, adapter| Arc::strong_count(adapter) == 1)
                .collect();
        }
        let replaced = adapters.insert(key, adapter);
        drop(adapters);
        drop((replaced, let_go));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_in_use_are_never_let_go() {
        let adapters = Adapters::default();
        let held = Arc::new(0);
        adapters.put(0, held.clone());
        for key in 1..=KEPT {
            adapters.put(key, Arc::new(key));
        }
        assert!(adapters.0.lock().len() < KEPT);
        assert!(Arc::ptr_eq(&adapters.get(&0).unwrap(), &held));
    }
}
