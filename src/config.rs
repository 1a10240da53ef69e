//! Settings: the defaults that `xtrack.toml` gives a project, and git's `xtrack.*`, which override them per clone.
//!
//! Knows the keys and what they may hold; reads no file and runs nothing: no setting can name a command. What is in
//! `xtrack.toml` came with the code, perhaps from a stranger, so it may not name files outside of the project whose
//! content would be recorded; git's config is the user's own.

use std::time::Duration;

use indexmap::IndexMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::Problem;
use crate::human;
use crate::run::attempt::{Definition, Goal};
use crate::run::id::check_name;

/// The file, at the top of the repository, that these settings are read from.
const FILE: &str = "xtrack.toml";

/// The shortest interval that a setting takes.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// How long what was deleted or dropped can be had back, where nothing is said.
const GRACE: Duration = Duration::from_secs(14 * 24 * 3600);

/// Settings, each with its default where nothing is said.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The experiment of runs that name none.
    pub experiment: Option<String>,
    /// Known experiments, and what each is about.
    pub experiments: IndexMap<String, String>,
    /// The metric that matters most.
    pub primary: Option<String>,
    /// The remote that runs are shared through, by its name in git's config.
    pub remote: Option<String>,
    /// Files of params.
    pub params: Vec<String>,
    /// Files of metrics.
    pub metrics: Vec<String>,
    /// Globs of artifacts.
    pub artifacts: Vec<String>,
    /// Inputs, as `[NAME=]PATH`.
    pub inputs: Vec<String>,
    /// Environment variables that are kept.
    pub environment: Vec<String>,
    /// Whether options of the command that look like params are taken as params.
    pub params_from_command: bool,
    /// Names and patterns of secrets, besides those known to everyone.
    pub redact: Vec<String>,
    /// Whether lock files of package managers are inputs.
    pub lock_files: bool,
    /// Files that other tools write, which become the run's series.
    pub harvest: Vec<String>,
    /// Whether what the command prints is kept.
    pub console: bool,
    /// How often a run in progress is committed; never if absent.
    pub checkpoint: Option<Duration>,
    /// What an hour of a run costs.
    pub cost_per_hour: Option<f64>,
    /// In which currency.
    pub currency: Option<String>,
    /// How long what was deleted or dropped can be had back.
    pub grace: Duration,
    /// Whether git's maintenance is begun by itself once there is something to do.
    pub maintenance: bool,
    /// Where artifact bytes are kept outside of this clone.
    pub store: StoreSettings,
    /// What is measured of the machine.
    pub system: SystemSettings,
    /// What a snapshot of the code holds.
    pub snapshot: SnapshotSettings,
    /// What is said of metrics.
    pub definitions: IndexMap<String, Definition>,
    /// Ways to look at the runs, by name.
    pub views: IndexMap<String, ViewSettings>,
}

/// A way to look at the runs, as the options of `log` that it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ViewSettings {
    /// Which runs.
    pub condition: Option<String>,
    /// In which order.
    pub sort: Vec<String>,
    /// With which columns.
    pub columns: Vec<String>,
    /// Grouped by which fields.
    pub group_by: Vec<String>,
    /// At most how many.
    pub count: Option<usize>,
}

/// Where artifact bytes are kept outside of this clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The store: a folder, `lfs`, or an address.
    pub url: Option<Said>,
    /// The server of a bucket that is not at its provider's own.
    pub endpoint: Option<Said>,
    /// The region of an `s3:` store.
    pub region: Option<Said>,
    /// How many artifacts are sent or taken at a time.
    pub transfers: usize,
    /// How long a store is waited for: until it says or takes more, and at most before it is tried again.
    pub patience: Duration,
    /// Stores that `xtrack.toml` may name here.
    pub trusted: Vec<String>,
}

/// A text, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The text.
    pub text: String,
    /// Whether git's config says it, which is the user's own; else it came with the code.
    pub is_own: bool,
}

impl Default for StoreSettings {
    fn default() -> Self {
        let patience = Duration::from_secs(60);
        Self { url: None, endpoint: None, region: None, transfers: 4, patience, trusted: Vec::new() }
    }
}

/// What is measured of the machine while a run is in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemSettings {
    /// Whether anything is.
    pub enabled: bool,
    /// How often.
    pub interval: Duration,
}

impl Default for SystemSettings {
    fn default() -> Self {
        Self { enabled: true, interval: Duration::from_secs(10) }
    }
}

/// What a snapshot of the code holds, and up to which size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSettings {
    /// Whether one is taken at all.
    pub enabled: bool,
    /// Whether it holds untracked files.
    pub untracked: bool,
    /// The largest untracked file, in bytes.
    pub file_max: u64,
    /// The most untracked files.
    pub files_max: usize,
    /// The most bytes of untracked files together.
    pub total_max: u64,
    /// Globs of files that are never in one, besides those known to hold secrets.
    pub secrets: Vec<String>,
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            untracked: true,
            file_max: 256 << 10,
            files_max: 200,
            total_max: 4 << 20,
            secrets: Vec::new(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            experiment: None,
            experiments: IndexMap::new(),
            primary: None,
            remote: None,
            params: Vec::new(),
            metrics: Vec::new(),
            artifacts: Vec::new(),
            inputs: Vec::new(),
            environment: Vec::new(),
            params_from_command: true,
            redact: Vec::new(),
            lock_files: true,
            harvest: Vec::new(),
            console: true,
            checkpoint: None,
            cost_per_hour: None,
            currency: None,
            grace: GRACE,
            maintenance: true,
            store: StoreSettings::default(),
            system: SystemSettings::default(),
            snapshot: SnapshotSettings::default(),
            definitions: IndexMap::new(),
            views: IndexMap::new(),
        }
    }
}

impl Config {
    /// Reads the text of `xtrack.toml`, if there is one, and lays git's `xtrack.*` pairs over it.
    pub fn read(text: Option<&str>, git: &[(String, String)]) -> Result<Config, Problem> {
        let mut config = Config::default();
        if let Some(text) = text {
            config.read_file(text)?;
        }
        config.read_git(git)?;
        Ok(config)
    }

    fn read_file(&mut self, text: &str) -> Result<(), Problem> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document = DeTable::parse(text).map_err(|error| malformed(text, &error))?;
        for (path, key, value) in entries(document.get_ref()) {
            let at = |offset| format!("'{FILE}' line {}", line(text, offset));
            let given = given(value)
                .map_err(|kind| Problem::usage(format!("{}: '{}' holds {kind}", at(key), path.join("."))))?;
            self.set(&path, given, Source::File).map_err(|problem| about(&at(key), problem))?;
        }
        Ok(())
    }

    fn read_git(&mut self, pairs: &[(String, String)]) -> Result<(), Problem> {
        let mut lists: IndexMap<String, Vec<String>> = IndexMap::new();
        for (key, value) in pairs {
            lists.entry(key.clone()).or_default().push(value.clone());
        }
        for (key, values) in lists {
            // Where runs are kept, and how much is fetched, are the store's own settings.
            if ["runsprefix", "fetchmax"].iter().any(|own| key.eq_ignore_ascii_case(own)) {
                continue;
            }
            let problem = |problem| about(&format!("git config 'xtrack.{}'", key.escape_debug()), problem);
            self.set(&git_path(&key), Given::Git(values), Source::Git).map_err(problem)?;
        }
        Ok(())
    }

    /// Sets what `path` names; the names of experiments and metrics are the user's, all else is in [`SETTINGS`].
    fn set(&mut self, path: &[String], given: Given, source: Source) -> Result<(), Problem> {
        match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            // An empty `[section]` sets nothing.
            [section] if matches!(given, Given::Table) && SECTIONS.contains(section) => Ok(()),
            ["experiments", name @ ..] if !name.is_empty() => {
                let name = name.join(".");
                check_name("an experiment", &name)?;
                self.experiments.insert(name, given.text()?);
                Ok(())
            }
            ["metric", _, ..] if matches!(given, Given::Table) => Ok(()),
            ["metric", name @ .., key] if !name.is_empty() => self.define(&name.join("."), key, &given),
            ["view", _, ..] if matches!(given, Given::Table) => Ok(()),
            ["view", name @ .., key] if !name.is_empty() => self.look(&name.join("."), key, &given, source),
            names => self.set_known(&names.join("."), given, source),
        }
    }

    fn set_known(&mut self, name: &str, given: Given, source: Source) -> Result<(), Problem> {
        let wanted = source.spelling(name);
        let setting = SETTINGS.iter().find(|setting| source.spelling(setting.name) == wanted);
        let setting = setting.ok_or_else(|| unknown(name))?;
        match setting.place {
            Place::Name(place) => {
                let text = given.text()?;
                check_name(&format!("'{}'", setting.name), &text)?;
                *place(self) = Some(text);
            }
            Place::List(place) => *place(self) = given.list()?,
            Place::Files(place) => {
                let files = given.list()?;
                if source == Source::File {
                    files.iter().try_for_each(|file| check_within(setting.name, file))?;
                }
                *place(self) = files;
            }
            Place::Address(place) => {
                let text = given.text()?;
                check_address(setting.name, &text, source)?;
                *place(self) = Some(Said { text, is_own: source == Source::Git });
            }
            Place::Region(place) => {
                let text = given.text()?;
                check_region(&text)?;
                *place(self) = Some(Said { text, is_own: source == Source::Git });
            }
            Place::Own(place) => {
                if source == Source::File {
                    return Err(Problem::usage("only git's config can say that")
                        .hint("`git xtrack artifact trust` says it in this clone"));
                }
                // Addresses may hold commas.
                *place(self) = if let Given::Git(values) = given { values } else { Vec::new() };
            }
            Place::Bool(place) => *place(self) = given.bool()?,
            Place::Size(place) => *place(self) = given.size()?,
            Place::Count(place) => {
                *place(self) = given.count()?;
            }
            Place::Amount(place) => *place(self) = Some(given.amount()?),
            Place::Interval(place) => *place(self) = given.interval()?,
            Place::MaybeInterval(place) => *place(self) = given.maybe_interval()?,
            Place::Period(place) => {
                // What came with the code must not make anything go sooner.
                let shortest = *place(&mut Config::default());
                if source == Source::File && given.interval()? < shortest {
                    return Err(Problem::usage("only git's config can make that shorter")
                        .hint(format!("`git config xtrack.{} 7d`", setting.name)));
                }
                *place(self) = given.interval()?;
            }
        }
        Ok(())
    }

    fn look(&mut self, name: &str, key: &str, given: &Given, source: Source) -> Result<(), Problem> {
        check_name("a view", name)?;
        let known = VIEW_KEYS.into_iter().find(|known| source.spelling(known) == source.spelling(key));
        let view = self.views.entry(name.to_owned()).or_default();
        match known {
            Some("where") => view.condition = Some(given.text()?),
            Some("sort") => view.sort = given.typed_list()?,
            Some("columns") => view.columns = given.typed_list()?,
            Some("group_by") => view.group_by = given.typed_list()?,
            Some(_) => view.count = Some(given.count()?),
            None => {
                let hint = match human::nearest(key, VIEW_KEYS) {
                    Some(nearest) => format!("did you mean '{nearest}'?"),
                    None => format!("a view has {}", VIEW_KEYS.join(", ")),
                };
                let problem = format!("there is no setting '{}' of a view", key.escape_debug());
                return Err(Problem::usage(problem).hint(hint));
            }
        }
        Ok(())
    }

    fn define(&mut self, name: &str, key: &str, given: &Given) -> Result<(), Problem> {
        check_name("a metric", name)?;
        let definition = self.definitions.entry(name.to_owned()).or_default();
        match key.to_ascii_lowercase().as_str() {
            "goal" => {
                let goal = given.text()?;
                let goal = Goal::parse(&goal)
                    .ok_or_else(|| Problem::usage(format!("it is {goal:?}: a goal is 'min' or 'max'")))?;
                definition.goal = Some(goal);
            }
            "unit" => definition.unit = Some(given.text()?),
            _ => {
                let hint = match human::nearest(key, ["goal", "unit"]) {
                    Some(nearest) => format!("did you mean '{nearest}'?"),
                    None => "a metric has a 'goal' and a 'unit'".to_owned(),
                };
                return Err(Problem::usage(format!(
                    "there is no setting '{}' of a metric",
                    key.escape_debug()
                ))
                .hint(hint));
            }
        }
        Ok(())
    }
}

/// A commented `xtrack.toml` to begin with.
pub const EXAMPLE: &str = r#"# What `git xtrack record` does here unless its options say otherwise.
# Every line can go; `git config xtrack.KEY VALUE` overrides one in a clone, as `git config xtrack.experiment mine`.

# The experiment of runs that name none, and the metric that matters most.
#experiment = "baseline"
#primary = "accuracy"

# The remote, by its name in git, that runs are pushed to; `origin` otherwise.
#remote = "runs"

# Whether git's maintenance is begun by itself once some hundred runs are files of their own.
maintenance = true

#[experiments]
#baseline = "what everything else is compared with"

[record]
# Files of params and metrics (TOML, YAML or JSON), and globs of files that a run produces.
#params = ["params.yaml"]
#metrics = ["metrics.json"]
#artifacts = ["plots/*.png"]

# What a run reads, by digest: a path, or NAME=PATH.
#inputs = ["train=data/train.csv"]

# Environment variables whose values are kept, by name.
#environment = ["CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"]

# Whether `--lr=0.1`, `--lr 0.1` and `lr=0.1` of the command are params.
params_from_command = true

# Names of secrets, and patterns of them, besides passwords, tokens and keys.
#redact = ["licence_code", "corp-[0-9]{8}"]

# Whether uv.lock, poetry.lock, requirements*.txt, environment*.yml and their like are inputs.
lock_files = true

# Files of other tools whose values become the run's series: `metrics.json`, TensorBoard's, Lightning's, Keras' …
#harvest = ["logs/**"]

# Whether what the command prints is kept.
console = true

# How often a run in progress is committed, besides at its end.
#checkpoint = "10m"

# What an hour of a run costs, and in which currency: the run's metric `system/cost`.
#cost_per_hour = 2.5
#currency = "EUR"

[gc]
# How long what was deleted or dropped can be had back; shorter only by `git config xtrack.gc.grace`.
#grace = "30d"

[store]
# Where the bytes of large artifacts go with `git xtrack push`: a folder, `lfs` (the remote's Git LFS server), `s3://bucket/prefix`,
# `gs://…`, `az://…`, `https://…`. Each clone is asked once whether it trusts it.
#url = "lfs"
# Of a bucket that is not at its provider's own: where it is. How many artifacts are sent or taken at a time.
#endpoint = "https://minio.example.org"
#region = "eu-central-1"
#transfers = 4
# How long a store may be silent before it is tried again.
#patience = "60s"

[system]
# Processor, memory, disk, network and GPU use, as metrics `system/…`.
enabled = true
interval = "10s"

[snapshot]
# The code that ran is kept with the run, uncommitted changes and small untracked files too.
enabled = true
untracked = true
file_max = "256 KiB"
files_max = 200
total_max = "4 MiB"
#secrets = ["*.licence"]

# What is better, and the unit.
#[metric.accuracy]
#goal = "max"
#unit = "%"

# `git xtrack log --view good`.
#[view.good]
#where = "accuracy > 0.9"
#sort = "-accuracy"
#columns = ["id", "name", "metrics.*", "params.lr"]
#count = 20
"#;

/// What a view says.
const VIEW_KEYS: [&str; 5] = ["where", "sort", "columns", "group_by", "count"];

/// A setting and where it is kept.
struct Setting {
    name: &'static str,
    place: Place,
}

/// Where a setting is kept, by what it holds.
enum Place {
    Name(fn(&mut Config) -> &mut Option<String>),
    List(fn(&mut Config) -> &mut Vec<String>),
    /// Files whose content is recorded.
    Files(fn(&mut Config) -> &mut Vec<String>),
    /// Where something is, which the code may only propose.
    Address(fn(&mut Config) -> &mut Option<Said>),
    /// A region, which becomes part of an address.
    Region(fn(&mut Config) -> &mut Option<Said>),
    /// What only the user can say.
    Own(fn(&mut Config) -> &mut Vec<String>),
    Bool(fn(&mut Config) -> &mut bool),
    Size(fn(&mut Config) -> &mut u64),
    Count(fn(&mut Config) -> &mut usize),
    /// An amount of money.
    Amount(fn(&mut Config) -> &mut Option<f64>),
    Interval(fn(&mut Config) -> &mut Duration),
    /// A period after which something is lost: only the user can make it shorter.
    Period(fn(&mut Config) -> &mut Duration),
    /// An interval that may be `false`.
    MaybeInterval(fn(&mut Config) -> &mut Option<Duration>),
}

const SECTIONS: &[&str] = &["experiments", "record", "gc", "store", "system", "snapshot", "metric", "view"];

const SETTINGS: &[Setting] = &[
    Setting { name: "experiment", place: Place::Name(|config| &mut config.experiment) },
    Setting { name: "primary", place: Place::Name(|config| &mut config.primary) },
    Setting { name: "remote", place: Place::Name(|config| &mut config.remote) },
    Setting { name: "record.params", place: Place::Files(|config| &mut config.params) },
    Setting { name: "record.metrics", place: Place::Files(|config| &mut config.metrics) },
    Setting { name: "record.artifacts", place: Place::Files(|config| &mut config.artifacts) },
    Setting { name: "record.inputs", place: Place::List(|config| &mut config.inputs) },
    Setting { name: "record.environment", place: Place::List(|config| &mut config.environment) },
    Setting {
        name: "record.params_from_command",
        place: Place::Bool(|config| &mut config.params_from_command),
    },
    Setting { name: "record.redact", place: Place::List(|config| &mut config.redact) },
    Setting { name: "record.lock_files", place: Place::Bool(|config| &mut config.lock_files) },
    Setting { name: "record.harvest", place: Place::Files(|config| &mut config.harvest) },
    Setting { name: "record.console", place: Place::Bool(|config| &mut config.console) },
    Setting { name: "record.checkpoint", place: Place::MaybeInterval(|config| &mut config.checkpoint) },
    Setting { name: "record.cost_per_hour", place: Place::Amount(|config| &mut config.cost_per_hour) },
    Setting { name: "record.currency", place: Place::Name(|config| &mut config.currency) },
    Setting { name: "maintenance", place: Place::Bool(|config| &mut config.maintenance) },
    Setting { name: "gc.grace", place: Place::Period(|config| &mut config.grace) },
    Setting { name: "store.url", place: Place::Address(|config| &mut config.store.url) },
    Setting { name: "store.endpoint", place: Place::Address(|config| &mut config.store.endpoint) },
    Setting { name: "store.region", place: Place::Region(|config| &mut config.store.region) },
    Setting { name: "store.transfers", place: Place::Count(|config| &mut config.store.transfers) },
    Setting { name: "store.patience", place: Place::Interval(|config| &mut config.store.patience) },
    Setting { name: "store.trusted", place: Place::Own(|config| &mut config.store.trusted) },
    Setting { name: "system.enabled", place: Place::Bool(|config| &mut config.system.enabled) },
    Setting { name: "system.interval", place: Place::Interval(|config| &mut config.system.interval) },
    Setting { name: "snapshot.enabled", place: Place::Bool(|config| &mut config.snapshot.enabled) },
    Setting { name: "snapshot.untracked", place: Place::Bool(|config| &mut config.snapshot.untracked) },
    Setting { name: "snapshot.file_max", place: Place::Size(|config| &mut config.snapshot.file_max) },
    Setting { name: "snapshot.files_max", place: Place::Count(|config| &mut config.snapshot.files_max) },
    Setting { name: "snapshot.total_max", place: Place::Size(|config| &mut config.snapshot.total_max) },
    Setting { name: "snapshot.secrets", place: Place::List(|config| &mut config.snapshot.secrets) },
];

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    File,
    Git,
}

impl Source {
    /// A key as this source spells it: git knows neither underscores nor, in the last part, capitals.
    fn spelling(self, name: &str) -> String {
        match self {
            Source::File => name.to_owned(),
            Source::Git => name.to_ascii_lowercase().replace(['_', '-'], ""),
        }
    }
}

/// What was given for a setting, before its type is known.
enum Given {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
    List(Vec<String>),
    Table,
    /// All values that git has for the key, in order.
    Git(Vec<String>),
}

impl Given {
    fn text(&self) -> Result<String, Problem> {
        match self {
            Given::Text(text) => Ok(text.clone()),
            Given::Git(values) => Ok(last(values)),
            _ => Err(self.other_than("a text in quotes")),
        }
    }

    fn list(&self) -> Result<Vec<String>, Problem> {
        match self {
            Given::List(list) => Ok(list.clone()),
            Given::Text(text) => Ok(vec![text.clone()]),
            Given::Git(values) => Ok(values.iter().flat_map(|value| parts(value)).collect()),
            _ => Err(self.other_than("a list of texts")),
        }
    }

    /// A list as it is typed after an option, parted at commas; or one part each.
    fn typed_list(&self) -> Result<Vec<String>, Problem> {
        match self {
            Given::Git(values) => Ok(values.iter().flat_map(|value| human::parts(value)).collect()),
            given => Ok(given.list()?.iter().flat_map(|text| human::parts(text)).collect()),
        }
    }

    fn bool(&self) -> Result<bool, Problem> {
        match self {
            Given::Bool(bool) => Ok(*bool),
            Given::Git(values) => match last(values).to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(true),
                "false" | "no" | "off" | "0" | "" => Ok(false),
                _ => Err(self.other_than("true or false")),
            },
            _ => Err(self.other_than("true or false")),
        }
    }

    fn size(&self) -> Result<u64, Problem> {
        let size = match self {
            Given::Int(int) => u64::try_from(*int).ok(),
            Given::Text(text) => human::parse_size(text),
            Given::Git(values) => human::parse_size(&last(values)),
            _ => None,
        };
        size.ok_or_else(|| self.other_than("a size, like 262144 or \"256 KiB\""))
    }

    fn count(&self) -> Result<usize, Problem> {
        let count = match self {
            Given::Int(int) => usize::try_from(*int).ok(),
            Given::Git(values) => last(values).trim().parse().ok(),
            _ => None,
        };
        count.ok_or_else(|| self.other_than("a whole number"))
    }

    fn amount(&self) -> Result<f64, Problem> {
        let amount = match self {
            Given::Int(int) => Some(*int as f64),
            Given::Float(float) => Some(*float),
            Given::Git(values) => last(values).trim().parse().ok(),
            _ => None,
        };
        let amount = amount.filter(|amount| amount.is_finite() && *amount >= 0.0);
        amount.ok_or_else(|| self.other_than("an amount, like 2.5"))
    }

    /// A number without a unit is in seconds. More often than ten times a second nothing of ours happens.
    fn interval(&self) -> Result<Duration, Problem> {
        let interval = match self {
            Given::Int(int) => human::parse_duration(&int.to_string()),
            Given::Float(float) => human::parse_duration(&float.to_string()),
            Given::Text(text) => human::parse_duration(text),
            Given::Git(values) => human::parse_duration(&last(values)),
            _ => None,
        };
        let interval = interval.filter(|interval| *interval >= INTERVAL_MIN);
        interval.ok_or_else(|| {
            self.other_than("an interval of a tenth of a second or more, like \"10s\" or \"5m\"")
        })
    }

    fn maybe_interval(&self) -> Result<Option<Duration>, Problem> {
        match self.bool() {
            Ok(false) => Ok(None),
            _ => self.interval().map(Some),
        }
    }

    fn other_than(&self, wanted: &str) -> Problem {
        let is = match self {
            Given::Text(text) => format!("the text {text:?}"),
            Given::Int(int) => int.to_string(),
            Given::Float(float) => format!("{float:?}"),
            Given::Bool(bool) => bool.to_string(),
            Given::List(_) => "a list".to_owned(),
            Given::Table => "a section".to_owned(),
            Given::Git(values) => format!("{:?}", last(values)),
        };
        Problem::usage(format!("it is {is}, and should be {wanted}"))
    }
}

fn last(values: &[String]) -> String {
    values.last().cloned().unwrap_or_default()
}

/// The parts of a list in git's config: parted at commas, but not at those in `{a,b}` of a glob.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for character in text.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match parts.last_mut() {
            Some(part) if character != ',' || depth > 0 => part.push(character),
            _ => parts.push(String::new()),
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// The keys of a document that hold no further keys, with where each stands; an empty section too.
fn entries<'a>(document: &'a DeTable<'_>) -> Vec<(Vec<String>, usize, &'a DeValue<'a>)> {
    let mut found = Vec::new();
    let mut waiting = vec![(Vec::new(), document)];
    while let Some((path, table)) = waiting.pop() {
        for (key, value) in table.iter() {
            let path: Vec<String> =
                path.iter().cloned().chain([key.get_ref().clone().into_owned()]).collect();
            match value.get_ref() {
                DeValue::Table(nested) if !nested.is_empty() => waiting.push((path, nested)),
                leaf => found.push((path, key.span().start, leaf)),
            }
        }
    }
    // In the order they are written, so that the first mistake is the one told.
    found.sort_by_key(|(_, at, _)| *at);
    found
}

/// What a value of the file is; the kind of it where no setting takes such a one.
fn given(value: &DeValue<'_>) -> Result<Given, &'static str> {
    match value {
        DeValue::String(text) => Ok(Given::Text(text.clone().into_owned())),
        DeValue::Boolean(bool) => Ok(Given::Bool(*bool)),
        DeValue::Integer(int) => i64::from_str_radix(int.as_str(), int.radix())
            .map(Given::Int)
            .map_err(|_| "a number that is too large"),
        DeValue::Table(_) => Ok(Given::Table),
        DeValue::Array(list) => {
            let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(text) => Ok(text.clone().into_owned()),
                _ => Err("a list of something else than texts"),
            };
            list.iter().map(text).collect::<Result<_, _>>().map(Given::List)
        }
        DeValue::Float(float) => {
            // TOML parts digits by underscores, Rust does not.
            let digits = float.as_str().replace('_', "");
            digits.parse().map(Given::Float).map_err(|_| "a number that cannot be read")
        }
        DeValue::Datetime(_) => Err("a date, which no setting takes"),
    }
}

/// The path that git's `xtrack.…` key stands for; in a metric's name dots are part of it.
fn git_path(key: &str) -> Vec<String> {
    key.split('.')
        .enumerate()
        .map(|(at, part)| if at == 0 { part.to_ascii_lowercase() } else { part.to_owned() })
        .collect()
}

/// Refuses a file outside of the project: its content would be recorded, and pushed.
fn check_within(setting: &str, file: &str) -> Result<(), Problem> {
    let is_absolute = file.starts_with(['/', '\\', '~']) || file.as_bytes().get(1) == Some(&b':');
    let is_above = file.split(['/', '\\']).any(|part| part == "..");
    match is_absolute || is_above {
        true => Err(Problem::usage(format!("it names {file:?}, which lies outside of the project")).hint(
            format!(
                "give it with an option of `record`, or in git's config: `git config --add xtrack.{} PATH`",
                setting.replace('_', "")
            ),
        )),
        false => Ok(()),
    }
}

/// Refuses an address that cannot be one, and credentials in a file that is shared.
fn check_address(setting: &str, text: &str, source: Source) -> Result<(), Problem> {
    if text.is_empty() || text.starts_with('-') || text.chars().any(char::is_control) {
        return Err(Problem::usage(format!("it is {text:?}, which is no address")));
    }
    let authority = text.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    match source == Source::File && authority.is_some_and(|authority| authority.contains('@')) {
        true => Err(Problem::usage("it holds a user or a password, which everybody would see")
            .hint("credentials come from the environment, or from git's credential helpers")
            .hint(format!(
                "an address of your own goes into git's config: `git config xtrack.{setting} ADDRESS`"
            ))),
        false => Ok(()),
    }
}

/// Refuses a region that is none: it stands in the middle of a host's name, and must not make another host of it.
fn check_region(text: &str) -> Result<(), Problem> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    match !text.is_empty() && text.len() <= 63 && text.bytes().all(is_plain) {
        true => Ok(()),
        false => {
            Err(Problem::usage(format!("it is {text:?}, and should be a region, like \"eu-central-1\"")))
        }
    }
}

fn unknown(name: &str) -> Problem {
    let known: Vec<&str> =
        SETTINGS.iter().map(|setting| setting.name).chain(SECTIONS.iter().copied()).collect();
    // One that is right but for its section is meant too.
    let last = name.rsplit('.').next().unwrap_or_default();
    let bare = |known: &&&str| known.rsplit('.').next() == Some(last);
    let nearest = human::nearest(name, known.iter().copied()).or_else(|| known.iter().find(bare).copied());
    let hint = match nearest {
        Some(nearest) => format!("did you mean '{nearest}'?"),
        None => format!(
            "the settings are {}, experiments.NAME, metric.NAME.goal, metric.NAME.unit and view.NAME.where",
            known[..SETTINGS.len()].join(", ")
        ),
    };
    Problem::usage(format!("there is no setting '{}'", name.escape_debug())).hint(hint)
}

fn about(place: &str, problem: Problem) -> Problem {
    Problem { message: format!("{place}: {}", problem.message), ..problem }
}

fn malformed(text: &str, error: &toml::de::Error) -> Problem {
    let reason = error.message().lines().next().unwrap_or_default();
    let at = error.span().map_or_else(String::new, |span| format!(" line {}", line(text, span.start)));
    Problem::usage(format!("'{FILE}'{at}: {reason}"))
}

fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: &str = r#"
experiment = "e"
primary = "val.acc"
maintenance = false
remote = "r"
experiments = { e = "first", "f.g" = "second" }
[record]
params = ["p.toml"]
metrics = "m.json"
artifacts = ["a/*.png", "b"]
inputs = ["/data/x", "n=../y"]
environment = ["A"]
params_from_command = false
redact = ["x"]
lock_files = false
harvest = ["logs/**"]
console = false
checkpoint = "5m"
cost_per_hour = 2.5
currency = "EUR"
[gc]
grace = "30d"

[store]
url = "s3://bucket/x"
endpoint = "http://host:9000"
region = "here"
transfers = 2
patience = 5
[system]
enabled = false
interval = 30
[snapshot]
enabled = false
untracked = false
file_max = "1 MiB"
files_max = 7
total_max = 4096
secrets = ["*.s"]
[metric.acc]
goal = "max"
unit = "%"
[metric.val.loss]
goal = "minimize"
[metric."a.b"]
[metric.c]
unit = "s"
[view.best]
where = "acc > 0.9"
sort = "-acc, lr"
columns = ["id", "metrics.*,spark(a, b)"]
count = 5
[view.by-lr]
group_by = ["params.lr"]
[view.none]
"#;

    fn all() -> Config {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let text = |text: &str| Some(text.to_owned());
        let said = |text: &str| Some(Said { text: text.to_owned(), is_own: false });
        let definition = |goal, unit: Option<&str>| Definition {
            goal,
            unit: unit.map(str::to_owned),
            ..Definition::default()
        };
        Config {
            experiment: text("e"),
            primary: text("val.acc"),
            remote: text("r"),
            experiments: [("e".to_owned(), "first".to_owned()), ("f.g".to_owned(), "second".to_owned())]
                .into_iter()
                .collect(),
            params: texts(&["p.toml"]),
            metrics: texts(&["m.json"]),
            artifacts: texts(&["a/*.png", "b"]),
            inputs: texts(&["/data/x", "n=../y"]),
            environment: texts(&["A"]),
            params_from_command: false,
            redact: texts(&["x"]),
            lock_files: false,
            harvest: texts(&["logs/**"]),
            console: false,
            checkpoint: Some(Duration::from_secs(300)),
            cost_per_hour: Some(2.5),
            currency: text("EUR"),
            grace: Duration::from_secs(30 * 24 * 3600),
            maintenance: false,
            store: StoreSettings {
                url: said("s3://bucket/x"),
                endpoint: said("http://host:9000"),
                region: said("here"),
                transfers: 2,
                patience: Duration::from_secs(5),
                trusted: Vec::new(),
            },
            system: SystemSettings { enabled: false, interval: Duration::from_secs(30) },
            snapshot: SnapshotSettings {
                enabled: false,
                untracked: false,
                file_max: 1 << 20,
                files_max: 7,
                total_max: 4096,
                secrets: texts(&["*.s"]),
            },
            definitions: [
                ("acc".to_owned(), definition(Some(Goal::Max), Some("%"))),
                ("val.loss".to_owned(), definition(Some(Goal::Min), None)),
                ("c".to_owned(), definition(None, Some("s"))),
            ]
            .into_iter()
            .collect(),
            views: [
                (
                    "best".to_owned(),
                    ViewSettings {
                        condition: text("acc > 0.9"),
                        sort: texts(&["-acc", "lr"]),
                        columns: texts(&["id", "metrics.*", "spark(a, b)"]),
                        count: Some(5),
                        ..ViewSettings::default()
                    },
                ),
                (
                    "by-lr".to_owned(),
                    ViewSettings { group_by: texts(&["params.lr"]), ..ViewSettings::default() },
                ),
            ]
            .into_iter()
            .collect(),
        }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_setting_is_read() {
        assert_eq!(Config::read(None, &[]), Ok(Config::default()));
        assert_eq!(Config::read(Some(""), &[]), Ok(Config::default()));
        assert_eq!(Config::read(Some(ALL), &[]), Ok(all()));
    }

    #[test]
    fn what_came_with_the_code_makes_nothing_go_sooner() {
        let problem = Config::read(Some("[gc]\ngrace = \"1d\""), &[]).unwrap_err();
        assert!(problem.to_string().contains("only git's config can make that shorter"), "{problem}");
        let config = Config::read(None, &pairs(&[("gc.grace", "1d")])).unwrap();
        assert_eq!(config.grace, Duration::from_secs(24 * 3600));
    }

    #[test]
    fn what_the_code_says_of_a_store_is_a_proposal_without_credentials() {
        let read = |text: &str, git: &[(&str, &str)]| {
            Config::read(Some(text), &pairs(git)).map(|config| config.store)
        };
        let proposed = read("[store]\nurl = \"s3://b/x\"", &[]).unwrap();
        assert!(!proposed.url.unwrap().is_own);
        let own =
            read("[store]\nurl = \"s3://b/x\"", &[("store.url", "/mnt/x"), ("store.trusted", "s3://b,c/x")])
                .unwrap();
        assert_eq!(own.url, Some(Said { text: "/mnt/x".into(), is_own: true }));
        assert_eq!(own.trusted, ["s3://b,c/x"]);
        for bad in [
            "trusted = [\"x\"]",
            "url = \"https://u:p@h/x\"",
            "url = \"s3://k:s@b\"",
            "url = \"-x\"",
            "url = \"a\\nb\"",
            "url = \"\"",
            "region = \"evil.example/#\"",
            "region = \"x@evil.example\"",
            "region = \"\"",
        ] {
            assert!(read(&format!("[store]\n{bad}"), &[]).is_err(), "{bad}");
        }
        assert!(read("", &[("store.url", "https://u:p@h/x")]).is_ok());
    }

    #[test]
    fn git_overrides_every_setting() {
        let git = pairs(&[
            ("experiment", "other"),
            ("experiment", "e"),
            ("primary", "val.acc"),
            ("remote", "r"),
            ("experiments.e", "first"),
            ("experiments.f.g", "second"),
            ("record.params", "p.toml"),
            ("record.metrics", "m.json"),
            ("record.artifacts", "a/*.png, b"),
            ("record.inputs", "/data/x"),
            ("record.inputs", "n=../y"),
            ("record.environment", "A"),
            ("record.paramsfromcommand", "no"),
            ("record.redact", "x"),
            ("record.lockfiles", "no"),
            ("record.harvest", "logs/**"),
            ("record.console", "off"),
            ("record.checkpoint", "300"),
            ("record.costperhour", "2.5"),
            ("record.currency", "EUR"),
            ("maintenance", "no"),
            ("gc.grace", "30d"),
            ("store.url", "s3://bucket/x"),
            ("store.endpoint", "http://host:9000"),
            ("store.region", "here"),
            ("store.transfers", "2"),
            ("store.patience", "5s"),
            ("system.enabled", "no"),
            ("system.interval", "30s"),
            ("snapshot.enabled", "false"),
            ("snapshot.untracked", "off"),
            ("snapshot.filemax", "1m"),
            ("snapshot.filesmax", "7"),
            ("snapshot.totalmax", "4096"),
            ("snapshot.secrets", "*.s"),
            ("metric.acc.goal", "max"),
            ("metric.acc.unit", "%"),
            ("metric.val.loss.goal", "min"),
            ("metric.c.unit", "s"),
            ("view.best.where", "acc > 0.9"),
            ("view.best.sort", "-acc"),
            ("view.best.sort", "lr"),
            ("view.best.columns", "id,metrics.*,spark(a, b)"),
            ("view.best.count", "5"),
            ("view.by-lr.groupby", "params.lr"),
            ("runsprefix", "refs/heads/runs"),
            ("fetchmax", "4g"),
        ]);
        let mut own = all();
        for said in [&mut own.store.url, &mut own.store.endpoint, &mut own.store.region] {
            said.as_mut().unwrap().is_own = true;
        }
        assert_eq!(Config::read(None, &git), Ok(own));
        let over = Config::read(
            Some(ALL),
            &pairs(&[("record.params", "q.json,r.{toml,yaml}"), ("record.paramsfromcommand", "true")]),
        )
        .unwrap();
        assert_eq!(
            over,
            Config {
                params: vec!["q.json".into(), "r.{toml,yaml}".into()],
                params_from_command: true,
                ..all()
            }
        );
        assert_eq!(
            Config::read(None, &pairs(&[("record.artifacts", "/tmp/x")])).unwrap().artifacts,
            ["/tmp/x"]
        );
        let checkpoint = |value: &str| {
            Config::read(Some(ALL), &pairs(&[("record.checkpoint", value)])).unwrap().checkpoint
        };
        assert_eq!(checkpoint("1h"), Some(Duration::from_secs(3600)));
        assert_eq!(checkpoint("false"), None);
        let file =
            Config::read(Some("record.checkpoint = false\nrecord.cost_per_hour = 1_0.5"), &[]).unwrap();
        assert_eq!((file.checkpoint, file.cost_per_hour), (None, Some(10.5)));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let table = [
            (
                "\nexperimant = 'x'",
                "'xtrack.toml' line 2: there is no setting 'experimant'",
                "did you mean 'experiment'?",
            ),
            (
                "[record]\nparms = []",
                "'xtrack.toml' line 2: there is no setting 'record.parms'",
                "did you mean 'record.params'?",
            ),
            (
                "params = []",
                "'xtrack.toml' line 1: there is no setting 'params'",
                "did you mean 'record.params'?",
            ),
            (
                "[recrod]\nparams = []",
                "'xtrack.toml' line 2: there is no setting 'recrod.params'",
                "did you mean 'record.params'?",
            ),
            ("[recrod]", "'xtrack.toml' line 1: there is no setting 'recrod'", "did you mean 'record'?"),
            (
                "[run]\ncommand = 'rm'",
                "'xtrack.toml' line 2: there is no setting 'run.command'",
                "the settings are experiment, primary",
            ),
            (
                "[metric.a]\ngaol = 'min'",
                "'xtrack.toml' line 2: there is no setting 'gaol' of a metric",
                "did you mean 'goal'?",
            ),
            ("[metric.a]\ngoal = 'up'", "line 2: it is \"up\": a goal is 'min' or 'max'", ""),
            ("metric = 1", "line 1: there is no setting 'metric'", ""),
            (
                "[view.a]\ncolums = 'id'",
                "'xtrack.toml' line 2: there is no setting 'colums' of a view",
                "did you mean 'columns'?",
            ),
            ("[view.a]\nx = 'id'", "of a view", "a view has where, sort, columns, group_by, count"),
            ("[view.a]\ncount = 'x'", "should be a whole number", ""),
            ("[view.a]\nwhere = ['x']", "should be a text in quotes", ""),
            ("view = 1", "line 1: there is no setting 'view'", ""),
            ("experiments = 1", "line 1: there is no setting 'experiments'", ""),
            ("experiment = 1", "line 1: it is 1, and should be a text in quotes", ""),
            ("experiment = \"a\\u001bb\"", "unprintable character U+001B", ""),
            ("experiment = ''", "it is empty", ""),
            ("record.params = [1]", "'record.params' holds a list of something else than texts", ""),
            ("record.params = true", "should be a list of texts", ""),
            (
                "record.params = ['../x.toml']",
                "outside of the project",
                "git config --add xtrack.record.params",
            ),
            ("record.artifacts = ['/etc/passwd']", "outside of the project", ""),
            ("record.params_from_command = 'yes'", "should be true or false", ""),
            ("snapshot.file_max = -1", "should be a size", ""),
            ("snapshot.file_max = '1 parsec'", "should be a size", ""),
            ("snapshot.files_max = '1'", "should be a whole number", ""),
            ("snapshot.enabled = 1.5", "it is 1.5, and should be true or false", ""),
            ("record.cost_per_hour = -1", "should be an amount", ""),
            ("record.cost_per_hour = inf", "should be an amount", ""),
            ("record.cost_per_hour = 'x'", "should be an amount", ""),
            ("record.checkpoint = 'soon'", "should be an interval", ""),
            ("record.checkpoint = true", "should be an interval", ""),
            ("record.checkpoint = 0", "should be an interval", ""),
            ("system.interval = 0.01", "should be an interval", ""),
            ("system.interval = false", "should be an interval", ""),
            ("record.harvest = ['/var/log']", "outside of the project", ""),
            ("a = 1\na = 2", "'xtrack.toml' line 2: duplicate key", ""),
            ("[", "'xtrack.toml' line 1: ", ""),
        ];
        for (text, message, hint) in table {
            let problem = Config::read(Some(text), &[]).unwrap_err();
            assert!(problem.message.contains(message), "{text}: {problem}");
            assert!(hint.is_empty() || problem.hints[0].contains(hint), "{text}: {:?}", problem.hints);
        }
        let git = [
            ("recrod.params", "x", "git config 'xtrack.recrod.params': there is no setting 'recrod.params'"),
            (
                "snapshot.enabled",
                "maybe",
                "git config 'xtrack.snapshot.enabled': it is \"maybe\", and should be true or false",
            ),
            ("metric.goal", "min", "there is no setting 'metric.goal'"),
        ];
        for (key, value, message) in git {
            let problem = Config::read(None, &pairs(&[(key, value)])).unwrap_err();
            assert!(problem.message.contains(message), "{key}: {problem}");
        }
    }

    #[test]
    fn the_example_is_read_as_it_is_and_with_every_line_in_force() {
        assert_eq!(Config::read(Some(EXAMPLE), &[]), Ok(Config::default()));
        let in_force: Vec<_> = EXAMPLE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => setting,
                _ => line,
            })
            .collect();
        let in_force = in_force.join("\n");
        let config = Config::read(Some(&in_force), &[]).unwrap();
        assert_eq!(config.definitions["accuracy"].goal, Some(Goal::Max));
        for setting in SETTINGS.iter().filter(|setting| !matches!(setting.place, Place::Own(_))) {
            let key = setting.name.rsplit('.').next().unwrap();
            assert!(
                in_force.lines().any(|line| line.starts_with(&format!("{key} = "))),
                "{key} is not in the example"
            );
        }
    }

    #[test]
    fn every_setting_is_in_the_documentation() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
        let page = std::fs::read_to_string(page).unwrap();
        for setting in SETTINGS {
            assert!(page.contains(&format!("\n| `{}` |", setting.name)), "{} is not there", setting.name);
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), key in "(experiments?|record|snapshot|metric|view)(\\.[a-z_]{0,4}){0,3}", value in "\\PC{0,9}") {
            let _ = Config::read(Some(&text), &[]);
            let _ = Config::read(Some(&format!("{key} = {value}")), &[]);
            let _ = Config::read(None, &[(key, value)]);
        }
    }
}
