//! What a run cost: the price of an hour, times the hours it took.
//!
//! Knows the settings and the facts. The cost is a metric, `system/cost`, so that runs are listed, sorted and queried by
//! it; its unit is the currency. Each attempt has its own: the time between two attempts is nobody's.

use crate::config::Config;
use crate::run::attempt::{Definition, Facts, Number, Summary};

/// The metric's name.
pub const METRIC: &str = "system/cost";

/// Adds what the attempt cost, if the settings name a price and its time is known.
pub fn charge(facts: &mut Facts, config: &Config) {
    let (Some(price), Some(started), Some(ended)) = (config.cost_per_hour, facts.started, facts.ended) else {
        return;
    };
    let hours = (ended.0 - started.0).max(0) as f64 / 3.6e9;
    // A hundredth of a cent is precise enough; more digits would only be noise.
    let cost = (price * hours * 10_000.0).round() / 10_000.0;
    facts.metrics.insert(METRIC.to_owned(), Summary::plain(Number::Float(cost)));
    if let Some(currency) = &config.currency {
        let definition = Definition { unit: Some(currency.clone()), ..Definition::default() };
        // What the settings say of the metric itself is said on purpose.
        facts.definitions.entry(METRIC.to_owned()).or_insert(definition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::id::{AttemptId, RunId, Time};

    fn cost(config: &Config, seconds: Option<i64>) -> Option<(f64, Option<String>)> {
        let mut facts = Facts::new(RunId::new(Time(0), [1; 8]), AttemptId::new([2; 8]), Time(0));
        facts.ended = seconds.map(|seconds| Time(seconds * 1_000_000));
        charge(&mut facts, config);
        let unit = facts.definitions.get(METRIC).and_then(|definition| definition.unit.clone());
        facts.metrics.get(METRIC).map(|summary| (summary.last.as_f64(), unit))
    }

    #[test]
    fn an_hour_costs_what_the_settings_say() {
        let config =
            Config { cost_per_hour: Some(2.5), currency: Some("EUR".to_owned()), ..Config::default() };
        assert_eq!(cost(&config, Some(5400)), Some((3.75, Some("EUR".to_owned()))));
        assert_eq!(cost(&config, Some(1)), Some((0.0007, Some("EUR".to_owned()))));
        assert_eq!(cost(&config, Some(-5)), Some((0.0, Some("EUR".to_owned()))));
        assert_eq!(cost(&config, None), None);
        assert_eq!(cost(&Config { currency: None, ..config }, Some(3600)), Some((2.5, None)));
        assert_eq!(cost(&Config::default(), Some(3600)), None);
    }
}
