"""One rule per sharded step folds the manifests of its shards into the manifest of the step."""

SHARDED = [(step, rule_name(step), step, "") for step in SURVEY if step not in WHOLE]
SHARDED += [(step, rule_name(step).replace("step", "planted"), step, "planted/") for step in TWIN_STEPS[1:]]
SHARDED += [(PLANT, "planted01", TWIN_STEPS[0], "planted/")]

for step_id, name, folder, twin in SHARDED:

    rule:
        name:
            name
        input:
            shards=gather.shards(f"<run>/{twin}{folder}/shards/{{scatteritem}}.json"),
            # So that `--until` a step leaves the manifests of the steps behind it as well.
            after=manifests_after(step_id, twin),
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
            "python -m lostlight fold {params.step} --out {output} {input.shards} > {log} 2>&1"
