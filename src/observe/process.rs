//! Metrics of the process as a whole, read at each scrape: its panics, and the usual `process_*`, from Linux' `/proc`. Elsewhere there is
//! nothing to read of these, and no sample.

use std::collections::HashMap;
use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};

use super::panics;

/// Clock ticks in a second, as the kernel shows them to programs on every common architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads this process' resources.
#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (stat, status) = (stat(), status());
        let tick = |field: usize| stat.as_ref().and_then(|fields| fields.get(field)?.parse::<f64>().ok());
        let kilobytes = |name: &str| status.get(name).map(|count| count * 1024.0);
        let cpu = tick(11).zip(tick(12)).map(|(user, system)| (user + system) / TICKS_PER_SECOND);
        let start = boot_time().zip(tick(19)).map(|(boot, ticks)| boot + ticks / TICKS_PER_SECOND);
        [
            counter("process_cpu_seconds_total", "User and system time spent.", cpu),
            gauge("process_start_time_seconds", "When the process started.", start),
            gauge("process_resident_memory_bytes", "Memory in use.", kilobytes("VmRSS")),
            gauge("process_virtual_memory_bytes", "Memory mapped.", kilobytes("VmSize")),
            gauge("process_threads", "Threads of the process.", status.get("Threads").copied()),
            gauge("process_open_fds", "Open files and connections.", open_files()),
            gauge("process_max_fds", "How many files and connections may be open.", max_files()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Counts the panics of this process.
#[derive(Debug, Clone)]
pub(super) struct PanicCollector(Desc);

impl PanicCollector {
    /// The metric of that name.
    pub(super) fn new(name: &str, help: &str) -> Result<Self, prometheus::Error> {
        Ok(Self(Desc::new(name.to_owned(), help.to_owned(), Vec::new(), HashMap::new())?))
    }
}

impl Collector for PanicCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let panics = panics::count() as f64;
        counter(&self.0.fq_name, &self.0.help, Some(panics)).into_iter().collect()
    }
}

/// The fields of `/proc/self/stat` after the name, which may itself hold spaces and brackets.
fn stat() -> Option<Vec<String>> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = text.rsplit_once(')')?.1;
    Some(after_name.split_whitespace().map(str::to_owned).collect())
}

/// The numbers of `/proc/self/status` by name.
fn status() -> HashMap<String, f64> {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .filter_map(|(name, value)| Some((name.to_owned(), value.split_whitespace().next()?.parse().ok()?)))
        .collect()
}

fn boot_time() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()
}

fn open_files() -> Option<f64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as f64)
}

fn max_files() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let limits = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    limits.split_whitespace().next()?.parse().ok()
}

fn counter(name: &str, help: &str, value: Option<f64>) -> Option<MetricFamily> {
    let mut counter = Counter::default();
    counter.set_value(value?);
    let mut metric = Metric::default();
    metric.set_counter(counter);
    Some(family(name, help, MetricType::COUNTER, metric))
}

fn gauge(name: &str, help: &str, value: Option<f64>) -> Option<MetricFamily> {
    let mut gauge = Gauge::default();
    gauge.set_value(value?);
    Some(family(name, help, MetricType::GAUGE, Metric::from_gauge(gauge)))
}

fn family(name: &str, help: &str, kind: MetricType, metric: Metric) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(vec![metric]);
    family
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn value(name: &str) -> f64 {
        let families = ProcessCollector.collect();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let metric = &family.get_metric()[0];
        if family.get_field_type() == MetricType::COUNTER {
            metric.get_counter().get_value()
        } else {
            metric.get_gauge().get_value()
        }
    }

    #[test]
    fn the_numbers_are_this_process_own() {
        let now = chrono::Utc::now().timestamp() as f64;
        let start = value("process_start_time_seconds");
        assert!(start <= now + 1.0 && start > now - 3600.0, "{start} is not shortly before {now}");
        let resident = value("process_resident_memory_bytes");
        assert!(resident > 1e6 && resident <= value("process_virtual_memory_bytes"));
        assert!(value("process_threads") >= 2.0);
        assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") < value("process_max_fds"));
    }

    #[test]
    fn work_shows_as_time_spent() {
        let before = value("process_cpu_seconds_total");
        let mut sum = 0_u64;
        while value("process_cpu_seconds_total") < before + 0.02 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(value("process_cpu_seconds_total") < before + 60.0);
    }
}
