//! Questions with their answers, as tables.

use crate::query::sample::{NOON, Nobody, runs};
use crate::query::{Query, Vocabulary};

/// The names of the runs that a question selects, one after the other.
fn answer(question: &str) -> String {
    let runs = runs();
    let bound = Query::parse(question)
        .and_then(|query| query.bind(&Vocabulary::of(&runs), NOON))
        .unwrap_or_else(|problem| panic!("{question}\n{problem}\n{}", problem.excerpt.join("\n")));
    let selected = runs.iter().filter(|run| bound.matches(run, &mut Nobody).expect("nobody fails"));
    selected.map(|run| run.name.clone().expect("it has a name")).collect()
}

#[track_caller]
fn check(table: &[(&str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .map(|(question, wanted)| (question, wanted, answer(question)))
        .filter(|(_, wanted, found)| *wanted != found)
        .map(|(question, wanted, found)| format!("{question}: {found:?}, not {wanted:?}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn what_mlflow_understands() {
    check(&[
        ("", "12345"),
        ("  ", "12345"),
        (
            "metrics.acc > 0.8 and params.lr = '0.1' and attributes.status = 'FINISHED' and tags.stage LIKE '%e%'",
            "1",
        ),
        ("metric.acc > 0.8", "13"),
        ("metrics.`val loss` < 1", "1"),
        ("metrics.\"val loss\" < 1", "1"),
        ("params.lr = '0.1'", "12"),
        ("parameters.lr = \"0.1\"", "12"),
        ("param.lr != '0.1'", "34"),
        ("params.lr IN ('0.1', '1')", "124"),
        ("params.seed IS NULL", "1345"),
        ("params.seed IS NOT NULL", "2"),
        ("params.optimizer ILIKE 'ad%'", "13"),
        ("params.optimizer LIKE 'ad%'", "1"),
        ("params.model.depth = '3'", "12"),
        ("params.`model.depth` = '3'", "2"),
        ("tag.stage = 'dev'", "1"),
        ("tags.stage != 'dev'", "2"),
        ("tags.mlflow.source.type = 'LOCAL'", "2"),
        ("tags.mlflow.runName = '3'", "3"),
        ("tags.`mlflow.user` = 'ana'", "1"),
        ("attributes.run_name = '3'", "3"),
        ("attribute.`Run Name` = '3'", "3"),
        ("run_name LIKE '_'", "12345"),
        ("attr.run_id = '20260102-110000-b1111111'", "1"),
        ("run.run_id IN ('20260102-110000-b1111111')", "1"),
        ("run_id NOT IN ('20260102-110000-b1111111')", "2345"),
        ("attributes.status = 'FAILED'", "2"),
        ("attributes.status != 'finished'", "235"),
        ("attributes.status LIKE 'FIN%'", "14"),
        ("attributes.start_time > 1767351600000", "5"),
        ("attributes.start_time >= 1767351600000", "15"),
        ("attributes.created <= 1767351600000", "1234"),
        ("start_time = 1767351600000", "1"),
        ("end_time < 1767351600000", "234"),
        ("user_id = 'ana'", "1"),
        ("dataset.name = 'digits'", "12"),
        ("datasets.name LIKE '%tra'", "1"),
        ("dataset.name != 'digits'", "1"),
        ("dataset.name NOT IN ('digits')", "1"),
        ("dataset.digest = 'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd'", "12"),
        ("dataset.context = 'train'", ""),
        ("attributes.artifact_uri = 'x'", ""),
        ("metrics.acc>=-1 and\n metrics.loss<>1", "12"),
    ]);
}

#[test]
fn what_joins_questions() {
    check(&[
        ("lr = 1 or lr = 1e-5", "34"),
        ("lr = 1 or optimizer = adam and epochs = 20", "14"),
        ("(lr = 1 or optimizer = adam) and epochs = 20", "1"),
        ("not lr = 0.1", "2345"),
        ("not (lr = 1 OR lr = 1e-5)", "125"),
        ("not not lr = 1", "4"),
        ("Not has lr And status = RUNNING", "5"),
        ("lr != 1", "123"),
        ("not lr != 1", "45"),
    ]);
}

#[test]
fn params_compare_typed_unless_quoted() {
    check(&[
        ("lr = 0.1", "1"),
        ("lr = 1e-1", "1"),
        ("lr = .1", "1"),
        ("lr = '1e-05'", "3"),
        ("lr = '1e-5'", "3"),
        ("lr = '0.00001'", ""),
        ("lr = 1.0", "4"),
        ("lr = '1.0'", ""),
        ("lr > 0.05", "14"),
        ("lr > '0.05'", "2"),
        ("lr != 0.1", "234"),
        ("flag = true", "1"),
        ("flag = True", "1"),
        ("flag = 'True'", "1"),
        ("flag = 'true'", "1"),
        ("flag", "1"),
        ("not flag", "2345"),
        ("flag = false", "2"),
        ("flag = 1", ""),
        ("optimizer = adam", "1"),
        ("optimizer > adam", "2"),
        ("optimizer ~ '(?i)^adam$'", "13"),
        ("optimizer !~ a", "2"),
        ("optimizer not like 'a%'", "23"),
        ("lr like '%e-05'", "3"),
        ("layers = '[64, 32]'", "1"),
        ("layers = '[64,32]'", "1"),
        ("layers = 64", ""),
        ("scheduler is null", "12345"),
        ("has scheduler", "1"),
        ("exists scheduler", "1"),
        ("scheduler = null", "1"),
        ("scheduler = 'None'", "1"),
        ("scheduler is not null", ""),
        ("params.lr is null", "5"),
        ("epochs in (5, 20)", "12"),
        ("epochs not in (5, 20,)", "34"),
        ("lr in ('0.1', 1)", "124"),
    ]);
}

#[test]
fn numbers_compare_exactly() {
    check(&[
        ("epochs = 9007199254740992", "3"),
        ("epochs = 9007199254740993", "4"),
        ("epochs > 9007199254740992", "4"),
        ("epochs > 9007199254740992.0", "4"),
        ("epochs = 9007199254740992.0", "3"),
        ("seed = 18446744073709551617", "2"),
        ("seed > 18446744073709551616", "2"),
        ("seed > 18446744073709551616.0", "2"),
        ("seed = 18446744073709551616.0", ""),
        ("seed < 1e300", "2"),
        ("seed > -inf", "2"),
        ("epochs < 20.5", "12"),
        ("epochs < -20.5", ""),
        ("epochs = 2_0", "1"),
    ]);
}

#[test]
fn metrics_and_their_parts() {
    check(&[
        ("acc > 0.8", "13"),
        ("acc = inf", "3"),
        ("loss = nan", "1"),
        ("loss != nan", "2"),
        ("loss < nan", ""),
        ("loss != 3", "12"),
        ("loss > -inf", "2"),
        ("metrics.acc.max = 0.95", "1"),
        ("acc.min <= 0.1", "3"),
        ("acc.first = 1", "123"),
        ("acc.mean < 0.6", "123"),
        ("acc at 100 = 0.01", "123"),
        ("metrics.acc at 100 > 0.5", ""),
        ("acc.count = 3", "1"),
        ("acc.best > 0.9", "1"),
        ("acc.best > 0", "1"),
        ("acc.last_step = 20", "1"),
        ("acc.max_step = 10", "13"),
        ("metrics.acc.nonfinite > 0", "3"),
        // A metric of that whole name comes first.
        ("metrics.loss.min = 7", "2"),
        ("metrics.loss.max = 1", "1"),
        ("has metrics.images", "4"),
        ("images = '1797'", "4"),
        ("not has metrics.acc", "45"),
    ]);
}

#[test]
fn tags() {
    check(&[
        ("has tag baseline", "1"),
        ("has tag stage", "12"),
        ("has tag stage=dev", "1"),
        ("has tag 'quote''s'", "4"),
        ("tag = baseline", "1"),
        ("tag != baseline", "2345"),
        ("tag in (baseline, 'stage=prod')", "12"),
        ("tag not in (baseline, 'stage=prod')", "345"),
        ("tag like 'stage=%'", "12"),
        ("tag not like 'stage=%'", "345"),
        ("tags ~ '^base'", "1"),
        ("tags.stage = dev", "1"),
        ("tags.baseline = ''", "1"),
        ("tags.fold = 3", "1"),
        ("tags.fold = 3.0", "1"),
        ("tags.fold > 3", "2"),
        ("tags.fold > '3'", ""),
        ("has tags.fold", "12"),
        ("tags.stage is null", "345"),
    ]);
}

#[test]
fn attributes() {
    check(&[
        ("status = finished", "14"),
        ("status in (failed, KILLED)", "23"),
        ("status ~ '^F'", "124"),
        ("experiment = digits", "12"),
        ("experiment != digits", "4"),
        ("user = ana", "1"),
        ("user = Ana", "1"),
        ("user = 'Ana <ana@example.org>'", "1"),
        ("user = ana@example.org", "1"),
        ("user = bo", "2"),
        ("user != ana", "23"),
        ("user in (ana, bo)", "12"),
        ("user like '%example.org>'", "13"),
        ("id = b1111111", "1"),
        ("id != b1111111", "2345"),
        ("id in (b1111111, c2222222)", "12"),
        ("host = node7", "1"),
        ("command ~ train.py", "1"),
        ("command like '% ''--note=two words'''", "1"),
        ("note like '%best%'", "1"),
        ("exit_code != 0", "2"),
        ("signal = SIGKILL", "3"),
        ("code.dirty", "1"),
        ("dirty = false", "2"),
        ("not code.dirty", "2345"),
        ("branch = main", "1"),
        ("commit = 1f1f", "1"),
        ("commit = '1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e'", "2"),
        ("code.commit != 1f1f", "2"),
        ("deleted", ""),
        ("deleted = false", "12345"),
        ("has group", ""),
        ("attributes.key = odd", ""),
        ("params.key = odd", "4"),
        ("code in main..HEAD", "1"),
        ("(code in main..HEAD)", "1"),
        ("not code in main..HEAD", "2345"),
        ("code touches src/model.py or ancestor of 'nothing'", "2"),
        ("ancestor of HEAD~2 and lr = 1", "4"),
    ]);
}

#[test]
fn moments_and_lengths_of_time() {
    check(&[
        ("started > 2 days ago", "125"),
        ("started > 2d ago", "125"),
        ("started < 1 week ago", "4"),
        ("started > 1 month ago", "12345"),
        ("started > 26 h 30 min ago", "125"),
        ("started > 2026-01-02", "15"),
        ("started >= 2026-01-02", "15"),
        ("started = 2026-01-02", "15"),
        ("started != 2026-01-02", "234"),
        ("started = today", "15"),
        ("started = yesterday", "2"),
        ("started >= yesterday", "125"),
        ("started < yesterday", "34"),
        ("started <= yesterday", "234"),
        ("started in (today, 2025-12-31)", "135"),
        ("started not in (today)", "234"),
        ("started = '2026-01-02 11:00'", "1"),
        ("started = 2026-01-02 11:00", "1"),
        ("started = 2026-01-02T12:00+01:00", "1"),
        ("started > 2026-01-02T11:00:00Z", "5"),
        ("started like '2026-01-02%'", "15"),
        ("started < now", "12345"),
        ("ended is null", "5"),
        ("duration > 1h", "3"),
        ("duration = 90.5", "124"),
        ("duration < 1m31s", "124"),
        ("duration >= 1 min 30 s and duration < '2 hours'", "124"),
        ("has duration", "1234"),
    ]);
}

/// What a question that cannot be understood is answered with.
fn refusal(question: &str) -> String {
    let known = Vocabulary::of(&runs());
    let problem = match Query::parse(question).and_then(|query| query.bind(&known, NOON)) {
        Ok(bound) => panic!("{question} was understood as {bound:?}"),
        Err(problem) => problem,
    };
    let hints = problem.hints.iter().map(|hint| format!("hint: {hint}"));
    let lines = std::iter::once(problem.message).chain(problem.excerpt).chain(hints);
    lines.collect::<Vec<_>>().join("\n")
}

fn refusals(questions: &[&str]) -> String {
    questions.iter().map(|question| refusal(question)).collect::<Vec<_>>().join("\n\n")
}

#[test]
fn what_is_no_sentence_is_pointed_at() {
    let questions = [
        "metrics.acc >",
        "metrics.acc > 0.9 adn lr = 1",
        "metrics.acc > 0.9 && lr = 1",
        "metrics.acc => 0.9",
        "lr <=> 1",
        "and lr = 1",
        "lr = 1 and",
        "lr = 1 or or lr = 2",
        "(lr = 1",
        "lr = 1)",
        "(lr = 1 lr = 2)",
        "name = quiet otter",
        "lr lke 'a'",
        "lr not 3",
        "lr is 3",
        "lr in 3",
        "lr in ()",
        "lr in (1 2)",
        "lr = 'it's'",
        "lr = 'abc",
        "metrics.`abc > 1",
        "'lr' = 1",
        "params. = 1",
        "optimizer ~ '('",
        "loss at x = 1",
        "has",
        "code in",
        "code touches  ",
        "val loss > 1",
        ";",
        "lr = 1 ;",
    ];
    insta::assert_snapshot!(refusals(&questions), @r#"
    a value is missing at the end
      metrics.acc >
                   ^

    'and', 'or' or the end should be here
      metrics.acc > 0.9 adn lr = 1
                        ^^^
    hint: did you mean 'and'?

    'and', 'or' or the end should be here
      metrics.acc > 0.9 && lr = 1
                        ^^
    hint: did you mean 'and'?

    '=>' is no comparison
      metrics.acc => 0.9
                  ^^
    hint: did you mean '>='?

    '<=>' is no comparison
      lr <=> 1
         ^^^
    hint: use one of = != < <= > >= ~ !~

    a name should be here, not 'and'
      and lr = 1
      ^^^

    a name is missing at the end
      lr = 1 and
                ^

    a name should be here, not 'or'
      lr = 1 or or lr = 2
                ^^

    a parenthesis is opened here and never closed
      (lr = 1
      ^

    a parenthesis is closed here that none opens
      lr = 1)
            ^

    'and', 'or' or the end should be here
      (lr = 1 lr = 2)
              ^^
    hint: put text that holds spaces into quotes: name = 'quiet otter'

    'and', 'or' or the end should be here
      name = quiet otter
                   ^^^^^
    hint: put text that holds spaces into quotes: name = 'quiet otter'

    a comparison should follow 'lr'
      lr lke 'a'
         ^^^
    hint: did you mean 'like'?

    'in', 'like' or 'ilike' should follow 'not'
      lr not 3
             ^

    'null' should be here
      lr is 3
            ^
    hint: compare with '=' : status = finished

    a list should be here
      lr in 3
            ^
    hint: write it as ('a', 'b')

    a value should be here
      lr in ()
             ^

    ',' or ')' should be here
      lr in (1 2)
               ^

    'and', 'or' or the end should be here
      lr = 'it's'
               ^
    hint: a quote within the text is doubled: 'it''s'

    a quote (') is opened here and never closed
      lr = 'abc
           ^
    hint: a quote within the text is doubled: ''

    a quote (`) is opened here and never closed
      metrics.`abc > 1
              ^
    hint: a quote within the text is doubled: ``

    a name should be here, not a text
      'lr' = 1
      ^^^^
    hint: put names into double quotes or backticks: params."a.b" = 'text'

    a name should go on here
      params. = 1
             ^

    this is no regular expression: unclosed group
      optimizer ~ '('
                  ^^^

    'x' is no step: a number should follow 'at'
      loss at x = 1
              ^

    'has' is no param, metric or attribute here
      has
      ^^^
    hint: under a prefix a name may be one that no run has yet: metrics.NAME, params.NAME, tags.NAME

    a revision is missing at the end
      code in
             ^

    a path is missing at the end
      code touches
                  ^

    a comparison should follow 'val'
      val loss > 1
          ^^^^
    hint: compare with one of = != < <= > >= ~ !~ in like, or put a name that holds spaces into backticks

    a name should be here
      ;
      ^

    'and', 'or' or the end should be here
      lr = 1 ;
             ^
    "#);
}

#[test]
fn what_cannot_be_meant_is_pointed_at() {
    let questions = [
        "acuracy > 1",
        "acc > 0.8 and optimiser = 'adam'",
        "baseline",
        "key = odd",
        "acc",
        "started",
        "metrics.acc > '0.9'",
        "metrics.acc > high",
        "exit_code = x",
        "started > soon",
        "started > 'last week'",
        "duration > 1parsec",
        "deleted = maybe",
        "deleted > false",
        "lr at 3 = 1",
        "params.lr at 3 = 1",
        "tag > a",
        "5 < acc",
    ];
    insta::assert_snapshot!(refusals(&questions), @"
    'acuracy' is no param, metric or attribute here
      acuracy > 1
      ^^^^^^^
    hint: under a prefix a name may be one that no run has yet: metrics.NAME, params.NAME, tags.NAME

    'optimiser' is no param, metric or attribute here
      acc > 0.8 and optimiser = 'adam'
                    ^^^^^^^^^
    hint: did you mean 'optimizer'?

    'baseline' is no param, metric or attribute here
      baseline
      ^^^^^^^^
    hint: there is a tag of that name: has tag baseline

    'key' is ambiguous: it may be 'attributes.key' or 'params.key'
      key = odd
      ^^^
    hint: write which of them is meant

    'acc' alone says nothing: a comparison should follow
      acc
      ^^^
    hint: to ask whether it is there: has acc

    'started' alone says nothing: a comparison should follow
      started
      ^^^^^^^
    hint: to ask whether it is there: has started

    text in quotes is in no order with numbers
      metrics.acc > '0.9'
                    ^^^^^
    hint: without quotes: 0.9

    a number should be here, not 'high'
      metrics.acc > high
                    ^^^^

    a number should be here, not 'x'
      exit_code = x
                  ^

    'soon' is no moment
      started > soon
                ^^^^
    hint: write it as 2026-01-02, '2026-01-02 13:00', yesterday, 2 days ago, or in milliseconds since 1970

    'last week' is no moment
      started > 'last week'
                ^^^^^^^^^^^
    hint: write it as 2026-01-02, '2026-01-02 13:00', yesterday, 2 days ago, or in milliseconds since 1970

    '1parsec' is no length of time
      duration > 1parsec
                 ^^^^^^^
    hint: write it as 90s, 1.5h, 1h30m or 2 days

    this is neither true nor false
      deleted = maybe
                ^^^^^

    true and false have no order
      deleted > false
                ^^^^^
    hint: compare with =, != or in

    'lr' is no metric here
      lr at 3 = 1
      ^^^^^^^
    hint: under a prefix a name may be one that no run has yet: metrics.NAME, params.NAME, tags.NAME

    'params.lr' has no steps
      params.lr at 3 = 1
      ^^^^^^^^^^^^^^
    hint: only a metric has a value at a step: metrics.loss at 100

    tags have no order
      tag > a
            ^
    hint: compare with =, != or in

    '5' is no param, metric or attribute here
      5 < acc
      ^
    hint: the name comes first: metrics.accuracy > 0.9
    ");
}

#[test]
fn places_stay_where_they_are_whatever_stands_before_them() {
    let long = format!(
        "{} and acuracy > 1 and {}",
        "lr = 1 and lr = 1".replace('1', &"1".repeat(40)),
        vec!["lr = 2"; 30].join(" and ")
    );
    let questions = [
        "lr = 1 and\n\tacuracy > 1\n and lr = 2",
        "name = '\u{1b}[31m日本' and acuracy > 1",
        &long,
        "名前 = 1",
    ];
    insta::assert_snapshot!(refusals(&questions), @"
    'acuracy' is no param, metric or attribute here
       acuracy > 1
       ^^^^^^^
    hint: under a prefix a name may be one that no run has yet: metrics.NAME, params.NAME, tags.NAME

    'acuracy' is no param, metric or attribute here
      name = '�[31m日本' and acuracy > 1
                             ^^^^^^^
    hint: under a prefix a name may be one that no run has yet: metrics.NAME, params.NAME, tags.NAME

    'acuracy' is no param, metric or attribute here
      …lr = 1111111111111111111111111111111111111111 and acuracy > 1 and lr = 2 and lr = 2 and…
                                                         ^^^^^^^
    hint: under a prefix a name may be one that no run has yet: metrics.NAME, params.NAME, tags.NAME

    '名前' is no param, metric or attribute here
      名前 = 1
      ^^^^
    hint: under a prefix a name may be one that no run has yet: metrics.NAME, params.NAME, tags.NAME
    ");
}

#[test]
fn an_unknown_name_under_a_prefix_is_noted() {
    let runs = runs();
    let notes = |question: &str| {
        let query = Query::parse(question).expect("it can be read");
        query.bind(&Vocabulary::of(&runs), NOON).expect("it can be meant").notes.join("\n")
    };
    let questions = [
        "metrics.acuracy > 1 or metrics.acuracy < 0",
        "metrics.los.min > 1",
        "params.opt = 'x'",
        "params.banana = 1",
        "params.`a.b` = 1",
        "tags.stge = dev",
        "attributes.stats = finished",
        "dataset.context = 'train'",
        "status = finishd",
        "status = 'SCHEDULED'",
        "params.lr > '0.05'",
        "metrics.acc > 1",
    ];
    let noted: Vec<String> = questions.map(|question| format!("{question}: {}", notes(question))).to_vec();
    insta::assert_snapshot!(noted.join("\n"), @r#"
    metrics.acuracy > 1 or metrics.acuracy < 0: no run has the metric 'acuracy'
    metrics.los.min > 1: no run has the metric 'los': did you mean 'loss'?
    params.opt = 'x': no run has the param 'opt': did you mean 'optimizer'?
    params.banana = 1: no run has the param 'banana'
    params.`a.b` = 1: no run has the param '"a.b"'
    tags.stge = dev: no run has the tag 'stge': did you mean 'stage'?
    attributes.stats = finished: no run has the attribute 'stats': did you mean 'status'?
    dataset.context = 'train': no run has the attribute 'dataset.context'
    status = finishd: there is no status 'finishd': did you mean 'finished'?
    status = 'SCHEDULED': 
    params.lr > '0.05': '0.05' in quotes is in an order with text only, not with numbers: without quotes it is
    metrics.acc > 1:
    "#);
    // And selects nothing, or where absence is asked for, everything.
    check(&[
        ("metrics.acuracy > 1", ""),
        ("params.banana != 1", ""),
        ("not params.banana = 1", "12345"),
        ("attributes.stats = finished", ""),
        ("attributes.stats is null", "12345"),
        ("params.banana is null", "12345"),
    ]);
}

#[test]
fn length_and_depth_are_limited() {
    let nested = |depth: usize| format!("{}lr = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Query::parse(&nested(64)).is_ok());
    assert!(Query::parse(&format!("{} lr = 1", "not ".repeat(64))).is_ok());
    let mut too_much = [
        nested(65),
        "(".repeat(100_000),
        "not ".repeat(10_000),
        format!("lr = '{}'", "a".repeat(1 << 20)),
        format!("lr ~ '{}'", "a".repeat(2000)),
        "lr ~ '(a{1000}){1000}'".to_owned(),
        format!("lr{} = 1", ".lr".repeat(5000)),
        vec!["lr ~ a"; 17].join(" and "),
        format!("lr ~ '{}a{}'", "(".repeat(100), ")".repeat(100)),
    ];
    too_much[1].truncate(65_000);
    let said: Vec<String> = too_much.iter().map(|question| refusal(question)).collect();
    insta::assert_snapshot!(said.join("\n\n"), @"
    this nests deeper than 64
      …(((((((((((((((((((((((((((((((((((((((((((((((((((lr = 1))))))))))))))))))))))))…
                                                         ^

    this nests deeper than 64
      …(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((…
                                                         ^

    this nests deeper than 64
      …t not not not not not not not not not not not not not not not not not not not not…
                                                         ^

    cannot read a question of 1048583 bytes: 65536 is the limit
    hint: name the runs instead, or ask several questions

    this is no regular expression: it has 2000 bytes: 1024 is the limit
      lr ~ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaa…
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    this is no regular expression: it would become too large
      lr ~ '(a{1000}){1000}'
           ^^^^^^^^^^^^^^^^^

    this name has 15002 bytes: 4096 is the limit
      lr.lr.lr.lr.lr.lr.lr.lr.lr.lr.l…
      ^

    there are more than 16 regular expressions
      … lr ~ a and lr ~ a and lr ~ a and lr ~ a and lr ~ a
                                                         ^

    this is no regular expression: exceed the maximum number of nested parentheses/brackets (32)
      lr ~ '(((((((((((((((((((((((((((((…
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
    // Width is not: a list of a thousand ids is a question.
    let ids = vec!["'20260102-110000-b1111111'"; 1000].join(", ");
    assert_eq!(answer(&format!("id in ({ids})")), "1");
}

#[test]
fn the_cheap_decides_before_the_costly() {
    let runs = runs();
    let query = Query::parse("acc at 3 > 1 and code in main..HEAD and (acc.mean > 1 or lr = 1) and lr = 2");
    let bound = query.and_then(|query| query.bind(&Vocabulary::of(&runs), NOON)).expect("it can be meant");
    let written = format!("{:?}", bound.condition);
    let at = |text: &str| written.find(text).unwrap_or_else(|| panic!("no {text} in {written}"));
    assert!(at("Int(2)") < at("Code(") && at("Code(") < at("At("));
    assert!(at("Int(1)") < at("Mean"));
}

#[test]
fn the_questions_of_the_documentation_are_understood() {
    let known = Vocabulary {
        params: ["lr", "optimizer"].map(str::to_owned).into(),
        metrics: ["accuracy", "loss", "val loss"].map(str::to_owned).into(),
        tags: ["stage", "broken"].map(str::to_owned).into(),
    };
    let page = include_str!("../../docs/query.md");
    let blocks = page.split("```query\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let questions: Vec<&str> = blocks.flat_map(|(block, _)| block.lines()).collect();
    assert!(questions.len() > 10, "{questions:?}");
    for question in questions {
        let bound = Query::parse(question).and_then(|query| query.bind(&known, NOON));
        let bound = bound.unwrap_or_else(|problem| panic!("{question}: {problem}"));
        assert_eq!(bound.notes, [""; 0], "{question}");
    }
}
