//! What must never be shown, and what must stay as it is: command lines, params, notes and variables as people write them.

#![allow(clippy::unwrap_used)]

use std::ffi::OsString;

use crate::ops::record::redact::Redactor;
use crate::run::value::{Table, Value};

/// Secrets of no shape that would give them away.
const PLAIN: &[&str] =
    &["hunter2-battery", "Tr0ub4dor&3x", "b3f0c7a1d2e4", "correcthorsestaple", "9f86d081884c7d659a2f"];

/// Names that are a secret's, as options, variables and keys have them.
const NAMES: &[&str] = &[
    "token",
    "hf_token",
    "hub_token",
    "push_to_hub_token",
    "auth_token",
    "access_token",
    "api_key",
    "api-key",
    "apikey",
    "wandb_api_key",
    "wandb_key",
    "comet_api_key",
    "neptune_api_token",
    "openai_api_key",
    "anthropic_api_key",
    "secret",
    "client_secret",
    "secret_key",
    "aws_secret_access_key",
    "aws_session_token",
    "password",
    "db_password",
    "db.password",
    "mysql_pwd",
    "passphrase",
    "passwd",
    "smtp_pass",
    "private_key",
    "ssh_key",
    "signing_key",
    "license_key",
    "encryption_key",
    "storage_account_key",
    "credential",
    "webhook_secret",
    "jwt",
    "refresh_token",
    "session_token",
    "id_token",
    "bearer_token",
    "github_token",
    "gitlab_private_token",
    "kaggle_key",
    "basic_auth",
    "session_cookie",
];

/// Tokens that show what they are.
const SHAPED: &[&str] = &[
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "gho_16C7e42F292c6912E7710c838347Ae178B4a",
    "github_pat_11AAAAAAA0abcdefghijkl_0123456789abcdefghijklmnopqrstuvwxyz",
    "glpat-aB3dE5gH7jK9mN1pQ3sT",
    "hf_AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "sk-ant-api03-abcdefghijklmnop-0123456789_ABCDEFGH-AA",
    "sk-proj-abcdefghijklmnop0123456789ABCDEFGHIJKLMN",
    "sk-abcdefghijklmnop0123456789ABCDEFGH",
    "sk_live_abcdefghijklmnop01234567",
    "xoxb-2345678901-2345678901234-abcdefghijklmnopqrstuvwx",
    "xapp-1-A0123456789-0123456789012-abcdef0123456789",
    "AIzaSyD-abcdefghijklmnopqrstuvwxyz01234",
    "ya29.a0AfH6SMBabcdefghijklmnopqrstuvwxyz",
    "GOCSPX-abcdefghijklmnopqrstuvwx",
    "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "pypi-AgEIcHlwaS5vcmcCJGFiY2RlZmdoLWlqa2wtbW5vcC1xcnN0",
    "dckr_pat_abcdefghijklmnopqrstuvwxyz0",
    "dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "dapi0123456789abcdef0123456789abcdef",
    "r8_abcdefghijklmnopqrstuvwxyz0123456789A",
    "gsk_abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMN",
    "xai-abcdefghijklmnopqrstuvwxyz0123456789",
    "pplx-abcdefghijklmnopqrstuvwxyz0123456789",
    "hvs.CAESIabcdefghijklmnopqrstuvwxyz",
    "SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "SK0123456789abcdef0123456789abcdef",
    "wandb_v1_abcdefghijklmnopqrstuvwxyz0123456789",
    "123456789:AAabcdefghijklmnopqrstuvwxyz0123456",
    "eyJhcGlfYWRkcmVzcyI6Imh0dHBzOi8vYXBwLm5lcHR1bmUuYWkiLCJhcGlfdXJsIjoiIn0=",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK-----",
];

/// Commands, words parted by `|`, in which `@` is the secret.
const COMMANDS: &[&str] = &[
    "wandb|login|@",
    "wandb|login|--relogin|@",
    "wandb|login|--host|https://wandb.example.org|@",
    "/opt/venv/bin/wandb|login|@",
    "vault|login|@",
    "mysql|-u|root|-p@|db",
    "nice|-n|5|mysqldump|-p@|db",
    "sshpass|-p|@|ssh|me@host",
    "sshpass|-p@|scp|a|me@host:",
    "docker|login|-u|me|-p|@|ghcr.io",
    "docker|run|-e|HF_TOKEN=@|--rm|image|python|train.py",
    "docker|run|--env=HF_TOKEN=@|image",
    "podman|login|--password|@",
    "redis-cli|-h|host|-a|@|ping",
    "curl|-u|me:@|https://host/data.csv",
    "curl|-ume:@|https://host/data.csv",
    "curl|--user|me:@|https://host/data.csv",
    "curl|-H|Authorization: Bearer @|https://host",
    "curl|-H|Authorization: token @|https://host",
    "curl|-H|Authorization: Basic @|https://host",
    "curl|--header|X-Api-Key: @|https://host",
    "curl|-H|PRIVATE-TOKEN: @|https://host",
    "curl|-H|Cookie: session=@; theme=x|https://host",
    "curl|--header=Authorization: ApiKey me:@|https://host",
    "wget|--password=@|https://host/data.zip",
    "wget|--header=Authorization: Bearer @|https://host/data.zip",
    "wget|https://me:@@host/data.zip",
    "git|clone|https://oauth2:@@gitlab.example.org/a/b.git",
    "git|clone|https://x-access-token:@@github.com/a/b",
    "git|-c|http.extraHeader=Authorization: Basic @|fetch",
    "git|config|hub.token|@",
    "pip|install|--index-url|https://__token__:@@host/simple|x",
    "pip|install|--extra-index-url=https://me:@@host/simple",
    "aws|configure|set|aws_secret_access_key|@",
    "aws|configure|set|aws_session_token|@",
    "dvc|remote|modify|--local|storage|password|@",
    "dvc|remote|modify|storage|secret_access_key|@",
    "rclone|config|create|s|s3|access_key_id|x|secret_access_key|@",
    "kaggle|config|set|-n|key|-v|0|password|@",
    "openssl|rsa|-passin|pass:@|-in|x.pem",
    "7z|x|-p@|data.7z",
    "unzip|-P|@|data.zip",
    "zip|-r|-P|@|data.zip|data",
    "gpg|--batch|--passphrase|@|-d|x.gpg",
    "ldapsearch|-D|me|-w|@|-b|x",
    "smbclient|//host/share|-U|me%@",
    "mongosh|-u|me|-p|@|host/db",
    "psql|postgresql://me:@@host:5432/db",
    "psql|host=h user=me password=@ dbname=d",
    "python|train.py|--db|mongodb+srv://me:@@cluster.example.org/x",
    "python|train.py|--storage|mysql+pymysql://root:@@localhost/optuna",
    "optuna|create-study|--storage|postgresql+psycopg2://u:@@h/d",
    "mlflow|server|--backend-store-uri|postgresql://mlflow:@@db/mlflow",
    "ray|start|--redis-password|@",
    "ray|start|--redis-password=@",
    "huggingface-cli|login|--token|@",
    "hf|auth|login|--token=@|--add-to-git-credential",
    "comet|login|--api-key|@",
    "az|login|--service-principal|-u|x|-p|@|--tenant|y",
    "az|storage|blob|list|--account-key|@",
    "azcopy|cp|https://x.blob.core.windows.net/c/f?sv=2022-11-02&sig=@&se=2030|.",
    "aws|s3|presign|https://b.s3.amazonaws.com/k?X-Amz-Algorithm=A&X-Amz-Signature=@&X-Amz-Expires=9",
    "gh|secret|set|HF_TOKEN|--body|@",
    "twine|upload|-u|__token__|-p|@|dist/x.whl",
    "databricks|configure|--token|@",
    "sbatch|--export=ALL,HF_TOKEN=@,LR=0.1|job.sh",
    "srun|--export=WANDB_API_KEY=@|python|train.py",
    "env|WANDB_API_KEY=@|python|train.py|--lr|0.1",
    "spark-submit|--conf|spark.hadoop.fs.s3a.secret.key=@|train.py",
    "java|-Djavax.net.ssl.keyStorePassword=@|-jar|x.jar",
    "python|train.py|+logger.api_key=@|model=vit",
    "python|train.py|++logger.wandb.token=@",
    "python|train.py|~x|logger.comet.api_key='@'",
    "python|train.py|--config|{\"api_key\": \"@\", \"lr\": 0.1}",
    "python|train.py|--config|{'password': '@'}",
    "python|train.py|--token=|@",
    "python|-c|import wandb; wandb.login(key='@')",
    "python|-c|from huggingface_hub import login; login(token=\"@\")",
    "python|-c|import os; os.environ[\"HF_TOKEN\"] = \"@\"; import train",
    "python|-c|os.environ.setdefault('WANDB_API_KEY', '@')",
    "python|-c|openai.api_key = '@'",
    "sh|-c|export HF_TOKEN=@; python train.py",
    "sh|-c|HF_TOKEN='@' python train.py --lr 0.1",
    "bash|-lc|wandb login @ && python train.py",
    "bash|-c|mysql -u root -p@ db < dump.sql",
    "bash|-c|curl -u me:@ https://host/x; python train.py",
    "bash|-c|python train.py --api-key \"@\" | tee log",
    "bash|-c|echo \"{\\\"password\\\": \\\"@\\\"}\" > secrets.json",
    "tcsh|-c|setenv HF_TOKEN @; python train.py",
    "fish|-c|set -gx HF_TOKEN @; python train.py",
    "ssh|host|HF_TOKEN=@ python train.py",
    "curl|-X|POST|https://hooks.slack.com/services/T000/B000/@",
    "curl|https://discord.com/api/webhooks/123456/@",
    "curl|https://maps.example.org/x?q=1&key=@",
    "python|train.py|--slack_webhook|https://hooks.slack.com/services/T000/B000/@",
    "python|train.py|--dsn|DefaultEndpointsProtocol=https;AccountName=x;AccountKey=@;EndpointSuffix=core",
    "python|train.py|--odbc|Server=h;Uid=sa;Password=@;",
];

/// Notes, logs and texts in params, in which `@` is the secret.
const TEXTS: &[&str] = &[
    "the password is @",
    "password: @",
    "token was @ until yesterday",
    "API key: @",
    "run with HF_TOKEN=@",
    "export AWS_SECRET_ACCESS_KEY=@\npython train.py",
    "machine api.wandb.ai\n  login user\n  password @",
    "login user password @",
    "[default]\naws_secret_access_key = @",
    "wandb:\n  api_key: @\nlr: 0.1",
    "secret: |\n  @\nnext: 1",
    "{\"auth\": {\"password\":\"@\"}}",
    "DATABASE_URL=postgres://u:@@h/d",
    "GET /x?access_token=@ HTTP/1.1",
    "Authorization: Bearer @",
    "Set-Cookie: sid=1\nCookie: sid=@",
    "see https://me:@@host/page",
    "{\\\"token\\\": \\\"@\\\"}",
];

fn command(redactor: &Redactor, words: &[String]) -> String {
    let argv: Vec<OsString> = words.iter().map(OsString::from).collect();
    let shown = redactor.command(&argv);
    shown.iter().map(|value| value.as_text().unwrap()).collect::<Vec<_>>().join("\u{1f}")
}

fn is_upper(name: &str) -> String {
    name.to_uppercase().replace(['-', '.'], "_")
}

/// Command lines with the secret that each holds.
fn commands() -> Vec<(Vec<String>, String)> {
    let mut all = Vec::new();
    let mut add = |words: &[&str], secret: &str| {
        all.push((words.iter().map(|word| (*word).to_owned()).collect(), secret.to_owned()));
    };
    for (at, name) in NAMES.iter().enumerate() {
        let secret = PLAIN[at % PLAIN.len()];
        let (dashed, variable) = (name.replace('_', "-"), is_upper(name));
        let joined = |before: &str, after: &str| format!("{before}{name}={secret}{after}");
        add(&["python", "train.py", &format!("--{name}"), secret, "--lr", "0.1"], secret);
        add(&["python", "train.py", &format!("--{dashed}"), secret], secret);
        add(&["train", &format!("--{dashed}={secret}")], secret);
        add(&["train", &joined("--model.", "")], secret);
        add(&["train", &joined("", ""), "lr=0.1"], secret);
        add(&["train", &joined("+a.b.", "")], secret);
        add(&["env", &format!("{variable}={secret}"), "train"], secret);
        add(&["sbatch", &format!("--export=ALL,{variable}={secret}"), "x.sh"], secret);
        add(&["sh", "-c", &format!("{variable}={secret} exec python train.py")], secret);
        add(&["sh", "-c", &format!("python train.py --{dashed} {secret} --lr 0.1")], secret);
        add(&["sh", "-c", &format!("export {variable}=\"{secret}\" && python train.py")], secret);
        add(&["train", "--config", &format!("{{\"{name}\": \"{secret}\", \"lr\": 0.1}}")], secret);
        add(&["curl", &format!("https://host/x?a=1&{name}={secret}")], secret);
    }
    for (at, pattern) in COMMANDS.iter().enumerate() {
        let secret = PLAIN[at % PLAIN.len()].replace('&', "+");
        let words: Vec<String> = pattern.split('|').map(|word| word.replacen('@', "\u{1}", 9)).collect();
        // The first `@` of a word is the secret; the one after it is the address's own.
        let words: Vec<String> = words
            .iter()
            .map(|word| match word.contains("\u{1}\u{1}") {
                true => word.replacen("\u{1}\u{1}", &format!("{secret}@"), 1).replace('\u{1}', "@"),
                false if word == "me\u{1}host" || word == "me\u{1}host:" => word.replace('\u{1}', "@"),
                false => word.replace('\u{1}', &secret),
            })
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        add(&words, &secret);
    }
    for secret in SHAPED {
        add(&["train", secret], secret);
        add(&["train", &format!("--x={secret}"), "--y", "1"], secret);
        add(&["sh", "-c", &format!("echo {secret} | login")], secret);
        add(&["python", "-c", &format!("f('{secret}')")], secret);
        if !secret.contains(' ') {
            add(&["git", "clone", &format!("https://{secret}@host/x.git")], secret);
        }
    }
    all
}

/// What of a secret would give it away.
fn is_leaked(shown: &str, secret: &str) -> bool {
    let body = secret.strip_prefix("-----BEGIN ").and_then(|key| key.lines().nth(1));
    shown.contains(body.unwrap_or(secret))
}

#[test]
fn no_command_shows_a_secret() {
    let (redactor, commands) = (Redactor::new(&[]).unwrap(), commands());
    assert!(commands.len() >= 300, "{}", commands.len());
    let shown = commands.iter().map(|(words, secret)| (command(&redactor, words), secret));
    let leaked: Vec<_> = shown.filter(|(shown, secret)| is_leaked(shown, secret)).collect();
    assert!(leaked.is_empty(), "{} of {}: {leaked:#?}", leaked.len(), commands.len());
}

#[test]
fn no_text_shows_a_secret() {
    let redactor = Redactor::new(&[]).unwrap();
    let mut leaked = Vec::new();
    for pattern in TEXTS {
        for secret in PLAIN.iter().filter(|secret| secret.bytes().any(|byte| byte.is_ascii_digit())) {
            let secret = secret.replace('&', "+");
            let text = match pattern.split_once("@@") {
                Some((before, after)) => format!("{before}{secret}@{after}"),
                None => pattern.replace('@', &secret),
            };
            let shown = redactor.text(&text);
            if shown.contains(&secret) {
                leaked.push(shown);
            }
        }
    }
    for secret in SHAPED {
        let shown = redactor.text(&format!("[2026-01-01] using {secret}, as told"));
        if is_leaked(&shown, secret) {
            leaked.push(shown);
        }
    }
    for name in NAMES {
        for text in [format!("{name}: hunter2-battery"), format!("x = {{'{name}': 'hunter2-battery'}}")] {
            let shown = redactor.text(&text);
            if shown.contains("hunter2") {
                leaked.push(shown);
            }
        }
    }
    assert!(leaked.is_empty(), "{leaked:#?}");
}

#[test]
fn no_param_shows_a_secret() {
    let redactor = Redactor::new(&[]).unwrap();
    let mut leaked = Vec::new();
    let text = |text: &str| Value::Text(text.to_owned());
    let pair = |key: &str, value: Value| (key.to_owned(), value);
    for (at, name) in NAMES.iter().enumerate() {
        let secret = PLAIN[at % PLAIN.len()];
        let variable = Table::from([pair("name", text(&is_upper(name))), pair("value", text(secret))]);
        let shapes = [
            Table::from([pair(name, text(secret))]),
            Table::from([pair("a", Value::Table(Table::from([pair(name, text(secret))])))]),
            Table::from([pair(name, Value::List(vec![text(secret), text("x")]))]),
            Table::from([pair("env", Value::List(vec![Value::Table(variable)]))]),
            Table::from([pair("args", Value::List(vec![text(&format!("--{name}")), text(secret)]))]),
            Table::from([pair("args", Value::List(vec![text(&format!("{name}={secret}"))]))]),
            Table::from([pair("cmd", text(&format!("train --{name} {secret}")))]),
            Table::from([pair("json", Value::Json(format!("{{\"{name}\": \"{secret}\"}}")))]),
        ];
        for mut table in shapes {
            redactor.table(&mut table);
            if format!("{table:?}").contains(secret) {
                leaked.push(table);
            }
        }
    }
    for secret in SHAPED {
        let mut table = Table::from([pair("x", Value::List(vec![text(secret)])), pair("y", text(secret))]);
        redactor.table(&mut table);
        if is_leaked(&format!("{table:?}"), secret) {
            leaked.push(table);
        }
    }
    assert!(leaked.is_empty(), "{leaked:#?}");
}

/// How training scripts are started, each followed by options of the script.
const LAUNCHERS: &[&str] = &[
    "python train.py",
    "python3 -u -m fairseq_cli.train data-bin/wmt16 --arch transformer",
    "torchrun --standalone --nproc_per_node=8 --rdzv_id=job1 --rdzv_backend=c10d --rdzv_endpoint=node1:29400 run_clm.py",
    "accelerate launch --config_file configs/fsdp.yaml --num_processes 8 --main_process_port 29501 --mixed_precision bf16 finetune.py",
    "deepspeed --num_gpus 8 --master_port 29600 --hostfile /etc/hostfile train.py --deepspeed ds_config_zero3.json",
    "python -m torch.distributed.run --nnodes 2 --node_rank 0 --master_addr 10.0.0.1 --master_port 6000 pretrain_gpt.py",
    "srun --gpus-per-node=4 --cpus-per-task 12 --export=ALL,OMP_NUM_THREADS=8 python main.py",
    "env CUDA_VISIBLE_DEVICES=0,1 TOKENIZERS_PARALLELISM=false python run_glue.py",
    "bash scripts/train.sh",
    "uv run --extra cuda train.py",
    "conda run -n ml --no-capture-output python fit.py",
    "python -m lightning.app fit --config config.yaml",
    "docker run --gpus all --shm-size=16g -v /data:/data nvcr.io/nvidia/pytorch@sha256:3c2e9a5f1b7d84e60a1c5d9f8b2e4a7c6d0f3b1e5a9c8d7e6f4b2a1c0d9e8f7a python train.py",
    "nohup python -X faulthandler run_summarization.py",
    "mpirun -np 16 -H h1:8,h2:8 -x NCCL_DEBUG=INFO -bind-to none python train_imagenet.py",
];

/// Options of training scripts with values as they are used; parted by spaces, one a line.
const OPTIONS: &[&str] = &[
    // Hugging Face: TrainingArguments, run_*.py, diffusers, TRL.
    "--model_name_or_path meta-llama/Llama-2-7b-hf",
    "--model_name_or_path hf-internal-testing/tiny-random-gpt2",
    "--tokenizer_name bert-base-uncased",
    "--use_fast_tokenizer True",
    "--use_auth_token True",
    "--token None",
    "--model_revision 9cf1e0a3b2d4c5e6f708192a3b4c5d6e7f809a1b",
    "--dataset_name wikitext --dataset_config_name wikitext-2-raw-v1",
    "--per_device_train_batch_size 8 --gradient_accumulation_steps 4",
    "--learning_rate 5e-5 --warmup_ratio 0.03 --lr_scheduler_type cosine",
    "--max_seq_length 512 --pad_to_max_length False",
    "--max_new_tokens 128 --min_tokens 5",
    "--num_train_epochs 3 --max_steps -1",
    "--output_dir /scratch/user42/outputs/run_2024-05-01",
    "--logging_dir s3://bucket/logs/2024 --report_to wandb",
    "--hub_model_id my-org/bert-finetuned-squad --push_to_hub",
    "--hub_private_repo --hub_strategy every_save",
    "--metric_for_best_model eval_f1 --greater_is_better True",
    "--preprocessing_num_workers 16 --overwrite_cache",
    "--validation_split_percentage 5 --block_size 1024",
    "--text_column text --summary_column summary --question_column question",
    "--instance_prompt 'a photo of sks dog' --class_prompt dog",
    "--placeholder_token <cat-toy> --initializer_token toy",
    "--modifier_token <new1>",
    "--resume_from_checkpoint checkpoints/checkpoint-12000",
    "--deepspeed configs/zero2.json --fsdp full_shard",
    "--group_by_length --length_column_name length",
    "--label_names labels start_positions",
    "--include_tokens_per_second --include_num_input_tokens_seen",
    "--pad_token <pad> --eos_token </s> --bos_token <s>",
    "--pad_token_id 0 --eos_token_id 2",
    "--add_special_tokens --additional_special_tokens <a>,<b>",
    "--mask_token [MASK] --mlm_probability 0.15",
    "--beta 0.1 --max_prompt_length 512 --loss_type sigmoid",
    "--dataset_text_field text --packing",
    "--chat_template chatml --response_template '### Answer:'",
    "--lora_r 16 --lora_alpha 32 --lora_target_modules q_proj,k_proj,v_proj",
    "--prompt_key prompt --chosen_key chosen --rejected_key rejected",
    "--input_key question --output_key answer --label_key label",
    "--reward_model_path OpenRLHF/Llama-3-8b-rm --reward_key score",
    // Megatron, nanoGPT, vLLM.
    "--tensor-model-parallel-size 8 --pipeline-model-parallel-size 2",
    "--num-layers 24 --hidden-size 1024 --num-attention-heads 16",
    "--tokenizer-type GPT2BPETokenizer --vocab-file vocab.json --merge-file merges.txt",
    "--tokenizer-model tokenizer.model --vocab-extra-ids 0",
    "--train-tokens 300000000000 --lr-decay-tokens 260000000000",
    "--kv-channels 128 --qk-layernorm --apply-query-key-layer-scaling",
    "--num-query-groups 8 --group-query-attention",
    "--key-dim 64 --num-keys 512 --n_keys 2",
    "--max-num-batched-tokens 8192 --max-model-len 4096",
    "--kv-cache-dtype fp8 --enforce-eager",
    "--save-interval 1000 --eval-iters 10 --split 949,50,1",
    "--data-path 0.3 data/my-gpt2_text_document 0.7 data/code_text_document",
    "--wandb-project llm --wandb-exp-name gpt-345m --wandb-save-dir /tmp/wandb",
    "--wandb_run_id 3fk2l9qz --wandb_entity my-team --wandb_tags a,b",
    "--seed 1234 --rng_key 0 --prng_key 42",
    "--config config/train_gpt2.py --compile=False --block_size=256",
    // Vision: timm, YOLO, mmdetection, detectron2.
    "--model vit_base_patch16_224.augreg2_in21k_ft_in1k --pretrained",
    "--class-token --num-reg-tokens 4 --token-merging-ratio 0.5",
    "--reg_tokens 4 --register_tokens=4",
    "--aa rand-m9-mstd0.5-inc1 --reprob 0.25 --mixup 0.8",
    "model=yolov8n.pt data=coco128.yaml epochs=100 imgsz=640",
    "--cfg-options model.backbone.depth=50 optimizer.lr=0.01 data.samples_per_gpu=2",
    "MODEL.WEIGHTS detectron2://ImageNetPretrained/MSRA/R-50.pkl SOLVER.IMS_PER_BATCH 16",
    "MODEL.KEYPOINT_ON True MODEL.ROI_KEYPOINT_HEAD.NUM_KEYPOINTS 17",
    "--image-key image --caption-key txt --cache-key v2",
    "--image_column image --label_column_name labels",
    "--data-key jpg;png --meta-keys img_shape",
    "--num_keypoints 17 --keypoint_format coco",
    "--monkey-patch flash --hotkey-free",
    // Hydra, fairseq, Lightning.
    "model=resnet50 dataset=imagenet optimizer.lr=0.1 trainer.max_epochs=90",
    "+experiment=baseline hydra.run.dir=outputs/2024-01-01 ~callbacks",
    "--multirun seed=1,2,3 model.depth=2,4",
    "trainer.devices=4 trainer.strategy=ddp logger=wandb logger.wandb.project=x",
    "data.prompt_key=prompt data.reward_fn_key=data_source data.image_key=images",
    "data.max_prompt_length=512 data.max_response_length=1024 actor_rollout_ref.model.path=Qwen/Qwen2-7B",
    "callbacks.model_checkpoint.monitor=val/acc callbacks.early_stopping.patience=10",
    "task.sort_key=length dataset.max_tokens=4096 dataset.max_tokens_valid=4096",
    "--max-tokens 3584 --update-freq 16 --share-decoder-input-output-embed",
    "--trainer.accelerator gpu --trainer.precision 16-mixed --model.monitor_key val_loss",
    "--data.init_args.text_key text --data.keys=a,b",
    "model.tokenizer.special_tokens=5 model.token_dim=768 model.n_tokens=77",
    "--ckpt_path logs/version_3/checkpoints/epoch=9-step=1000.ckpt",
    "--author-list authors.txt --authority none",
    // Tabular and others.
    "--objective binary:logistic --eta 0.3 --max_depth 6 --tree_method hist",
    "--num_leaves 31 --categorical_feature name:c1,c2",
    "--primary_key id --foreign-key user_id --join_key customer_id",
    "--sort-key timestamp --partition_key day --group_key user",
    "--num_passes 3 --passes 2 --pass 1 --forward-pass-only",
    "--input gs://bucket/path/part-*.parquet --format parquet",
    "--url https://example.org/data.csv?version=3&lang=en",
    "--url https://zenodo.org/records/7654321/files/data.zip?download=1",
    "--mlflow_tracking_uri http://mlflow.internal:5000 --experiment_name exp",
    "--master tcp://127.0.0.1:29500 --dist_url env://",
    "--world_info=eyJsb2NhbGhvc3QiOiBbMCwgMSwgMiwgM119",
    "--run-id 4f9c1c7e8a9b4d0fb7f3c2a1e5d6b8c9 --commit 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
    "--uuid 123e4567-e89b-12d3-a456-426614174000 --date 2024-05-01T12:30:00",
    "--name sk-learn-pipeline-experiment-1 --tag ab12cd34ef56",
    "--cookiecutter template --session-name s1 --bearer-none",
    "--notes 'lower lr: 3e-4, tokens: 5B, keys: 8 heads'",
    "--description 'one pass over the data; key idea: rotary'",
    "--lambda 'lambda x: x' --filter 'len(x) == 3'",
    "--optimizer adamw_torch_fused --optim-args betas=0.9,0.95",
    "--dtype bfloat16 --device cuda:0 --amp",
    "--secretary-problem --secretion_rate 0.1",
    "--compass-model a --bypass-cache --patience 5 --pattern '*.jpg'",
    "--hash-size 19 --hash_key_size 64 --tokenize-workers 8",
    "--user ada@example.org --host node7:8080 --email a@b.org",
    "--s3-key data/train.tar --object_key a/b/c",
    "--temperature 0.7 --top_p 0.95 --num_return_sequences 4",
    "--price-per-token 0.002 --cost_per_token=0.002",
    "--api-base https://api.example.org/v1 --api_version 2024-02-01",
    "--num_auth_layers 2 --no_auth --require-auth false",
    "--sep_token_extra True --unk_token <unk> --stop_token '\\n'",
    "--speech_token_num 4096 --audio_token_rate 25 --max_token_len 64",
    "--initial-state-key-bits 8 --public_key_size 2048",
    "--time_per_token 0.01 --first_token_latency 1 --time_to_first_token 3",
];

/// A number drawn from a state that is the same in every run.
fn draw(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*state >> 33) as usize) % below
}

#[test]
fn few_commands_lose_what_is_no_secret() {
    let (redactor, mut state) = (Redactor::new(&[]).unwrap(), 7);
    let commands: Vec<Vec<String>> = (0..3000)
        .map(|at| {
            let mut line = LAUNCHERS[at % LAUNCHERS.len()].to_owned();
            for _ in 0..2 + draw(&mut state, 5) {
                line = format!("{line} {}", OPTIONS[draw(&mut state, OPTIONS.len())]);
            }
            match at % 10 {
                0 => vec!["sh".to_owned(), "-c".to_owned(), line],
                1 => vec![
                    "bash".to_owned(),
                    "-lc".to_owned(),
                    format!("cd /work && {line} 2>&1 | tee log.txt"),
                ],
                _ => shell_words::split(&line).unwrap(),
            }
        })
        .collect();
    let changed: Vec<_> = commands
        .iter()
        .map(|words| (words.join("\u{1f}"), command(&redactor, words)))
        .filter(|(before, after)| before != after)
        .collect();
    let share = changed.len() as f64 / commands.len() as f64;
    assert!(share <= 0.02, "{share}: {:#?}", changed.iter().take(9).collect::<Vec<_>>());
    // Each option alone, so that none hides behind the number of commands.
    let alone = OPTIONS.iter().filter(|option| {
        let words = shell_words::split(&format!("python train.py {option}")).unwrap();
        command(&redactor, &words) != words.join("\u{1f}")
    });
    let alone: Vec<_> = alone.collect();
    assert!(alone.len() <= OPTIONS.len() / 50, "{alone:#?}");
}

/// What training prints, which must stay readable.
const LINES: &[&str] = &[
    "Epoch 3/10: 100%|██████████| 1875/1875 [00:12<00:00, 152.3it/s, loss=0.0213, acc=0.993]",
    "step 1200 | loss 2.3145 | lr 3.0e-04 | tokens/s 152,334 | token: 512 | time: 12:30:45",
    "{'loss': 0.3, 'grad_norm': 1.2, 'learning_rate': 5e-05, 'epoch': 0.5}",
    "Special tokens have been added: pad_token: <pad>, eos_token: </s>",
    "missing keys: ['head.weight'], unexpected keys: []",
    "KeyError: 'val_loss'",
    "wandb: Run data is saved locally in /tmp/wandb/run-20240501_123000-3fk2l9qz",
    "wandb: 🚀 View run at https://wandb.ai/team/project/runs/3fk2l9qz",
    "Saving model checkpoint to out/checkpoint-500 (sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08)",
    "commit 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d: fix tokenizer",
    "the token is then masked, and the key is projected",
    "key: query projection, value: 3",
    "Downloading https://huggingface.co/bert-base-uncased/resolve/main/pytorch_model.bin",
    "author: ada, authors: 3, auth_method: none",
    "max_tokens=4096 num_keys=8 key_dim=64 sort_key=length",
    "lr: 0.1\nmodel:\n  tokenizer: gpt2\n  n_tokens: 77\n",
    "pass 2 of 3: forward_pass=0.2s, pass=2",
    "PWD=/home/ada/work OLDPWD=/tmp",
];

#[test]
fn what_training_prints_stays_readable() {
    let redactor = Redactor::new(&[]).unwrap();
    let changed: Vec<_> = LINES.iter().map(|line| redactor.text(line)).zip(LINES).collect();
    let changed: Vec<_> = changed.iter().filter(|(shown, line)| shown != *line).collect();
    assert!(changed.is_empty(), "{changed:#?}");
}
