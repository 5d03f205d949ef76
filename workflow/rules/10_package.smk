rule step10:
    """Pack the run into one archive that is the same, byte for byte, for the same run."""
    input:
        steps=collect("<run>/{step}/manifest.json", step=SURVEY[:10]),
        frames=own_frames(),
        planted=collect(
            "<run>/planted/{step}/manifest.json", step=TWIN_STEPS if settings.completeness.n_per_tile else ()
        ),
    output:
        "<run>/10_package/manifest.json",
    log:
        text="<logs>/10_package.log",
        json="<logs>/10_package.jsonl",
    benchmark:
        "<logs>/10_package.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    params:
        spec=spec("10_package"),
        version=version("10_package"),
        upstream=lambda wildcards, input: [f"--upstream {manifest}" for manifest in input],
    shell:
        "python -m lostlight step 10_package {params.upstream} --out {output} --params {params.spec:q} --log {log.json} > {log.text} 2>&1"
