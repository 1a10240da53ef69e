//! What the whole machine does: processor, memory and network, however many runs and other programs share it.
//!
//! Reads `/proc`; where there is none, the operating system is asked through `sysinfo`.

/// Counters since the machine started, and the memory now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Machine {
    /// Time that processors were at work, in any unit.
    pub busy: Option<f64>,
    /// Time that passed for all processors, in the same unit.
    pub passed: Option<f64>,
    /// The share of memory that is taken, in percent.
    pub memory: Option<f64>,
    /// Bytes that came over the network, loopback aside.
    pub received: Option<u64>,
    /// Bytes that went over the network, loopback aside.
    pub sent: Option<u64>,
}

impl Machine {
    /// The share of all processors that was at work since `before`, in percent.
    pub fn cpu_since(&self, before: &Machine) -> Option<f64> {
        let passed = self.passed? - before.passed?;
        (passed > 0.0).then_some(((self.busy? - before.busy?) / passed * 100.0).clamp(0.0, 100.0))
    }
}

#[cfg(target_os = "linux")]
pub use linux::Gauge;
#[cfg(not(target_os = "linux"))]
pub use portable::Gauge;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    use crate::ops::record::system::machine::Machine;

    /// Measures the machine.
    #[derive(Debug)]
    pub struct Gauge;

    impl Gauge {
        /// Begins to measure, which takes nothing here.
        pub fn new() -> Self {
            Self
        }

        /// What it does now.
        pub fn measure(&mut self) -> Machine {
            let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
            let (busy, passed) = processors(&read("/proc/stat")).unzip();
            let (received, sent) = network(&read("/proc/net/dev")).unzip();
            Machine { busy, passed, memory: memory(&read("/proc/meminfo")), received, sent }
        }
    }

    /// `cpu  user nice system idle iowait irq softirq steal guest guest_nice`; guests are in the first two.
    fn processors(stat: &str) -> Option<(f64, f64)> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        let numbers: Vec<f64> = line.split_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
        let idle = numbers.get(3)? + numbers.get(4)?;
        let passed: f64 = numbers.iter().sum();
        Some((passed - idle, passed))
    }

    fn memory(meminfo: &str) -> Option<f64> {
        let number = |key: &str| -> Option<f64> {
            let text = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
            text.trim().strip_suffix("kB")?.trim().parse().ok()
        };
        let (all, free) = (number("MemTotal:")?, number("MemAvailable:")?);
        (all > 0.0).then(|| (all - free) / all * 100.0)
    }

    fn network(dev: &str) -> Option<(u64, u64)> {
        let mut total = None;
        for line in dev.lines().skip(2) {
            let (name, numbers) = line.split_once(':')?;
            let numbers: Vec<u64> = numbers.split_whitespace().map_while(|word| word.parse().ok()).collect();
            if let (false, Some(received), Some(sent)) =
                (name.trim() == "lo", numbers.first(), numbers.get(8))
            {
                let (so_far, so_far_sent) = total.unwrap_or_default();
                total = Some((so_far + received, so_far_sent + sent));
            }
        }
        total
    }

    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    mod tests {
        use super::*;

        #[test]
        fn files_of_the_system_are_read() {
            assert_eq!(processors("cpu  10 0 20 60 10 0 0 0 5 0\ncpu0 1\n"), Some((30.0, 100.0)));
            assert_eq!(processors(""), None);
            assert_eq!(memory("MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: 25 kB\n"), Some(75.0));
            let dev = "Inter-|   Receive\n face |bytes\n    lo: 9 9 9 9 9 9 9 9 9 9\n  eth0: 5 1 0 0 0 0 0 0 7 1 0\n  eth1: 1 0 0 0 0 0 0 0 2 0\n";
            assert_eq!(network(dev), Some((6, 9)));
            assert_eq!(network(""), None);
        }

        #[test]
        fn this_machine_is_measured() {
            let machine = Gauge::new().measure();
            assert!(machine.memory.is_some_and(|share| share > 0.0 && share <= 100.0), "{machine:?}");
            assert!(machine.passed >= machine.busy, "{machine:?}");
            assert!(machine.cpu_since(&machine).is_none());
        }
    }
}

#[cfg(any(test, not(target_os = "linux")))]
mod portable {
    use std::time::Instant;

    use sysinfo::{Networks, System};

    use crate::ops::record::system::machine::Machine;

    /// Measures the machine.
    #[derive(Debug)]
    #[allow(dead_code, reason = "the system that tests run on has another")]
    pub struct Gauge {
        system: System,
        networks: Networks,
        /// The system gives the share since the last look; what adds it up counts as if time were work.
        busy: f64,
        passed: f64,
        last: Instant,
    }

    #[allow(dead_code, reason = "the system that tests run on has another")]
    impl Gauge {
        /// Begins to measure.
        pub fn new() -> Self {
            let (system, networks) = (System::new(), Networks::new_with_refreshed_list());
            Self { system, networks, busy: 0.0, passed: 0.0, last: Instant::now() }
        }

        /// What it does now.
        pub fn measure(&mut self) -> Machine {
            self.system.refresh_cpu_usage();
            self.system.refresh_memory();
            self.networks.refresh(true);
            let elapsed = self.last.elapsed().as_secs_f64();
            self.last = Instant::now();
            self.passed += elapsed;
            self.busy += elapsed * f64::from(self.system.global_cpu_usage()) / 100.0;
            let (all, used) = (self.system.total_memory() as f64, self.system.used_memory() as f64);
            let others = || self.networks.list().iter().filter(|(name, _)| !name.starts_with("lo"));
            Machine {
                busy: Some(self.busy),
                passed: Some(self.passed),
                memory: (all > 0.0).then(|| used / all * 100.0),
                received: Some(others().map(|(_, network)| network.total_received()).sum()),
                sent: Some(others().map(|(_, network)| network.total_transmitted()).sum()),
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn this_machine_is_measured() {
            let machine = Gauge::new().measure();
            assert!(machine.memory.is_some_and(|share| share > 0.0 && share <= 100.0), "{machine:?}");
        }
    }
}
