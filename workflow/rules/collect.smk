"""One rule per sharded step folds the manifests of its shards into the manifest of the step."""

SHARDED = [(step, rule_name(step), step, "") for step in STEPS if step not in WHOLE]
SHARDED += [
    (PLANT if step == TWIN_STEPS[0] else step, rule_name(step).replace("step", "planted"), step, "planted/")
    for step in TWIN_STEPS
]

for step_id, name, folder, twin in SHARDED:

    rule:
        name:
            name
        input:
            gather.shards(f"<run>/{twin}{folder}/shards/{{scatteritem}}.json"),
        output:
            f"<run>/{twin}{folder}/manifest.json",
        log:
            f"<logs>/{twin}{folder}.log",
        localrule: True
        conda:
            "../../envs/pipeline.yaml"
        params:
            step=step_id,
        shell:
            "python -m lostlight fold {params.step} --out {output} {input} > {log} 2>&1"
