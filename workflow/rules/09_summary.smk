rule step09:
    """Tell what was found, what was lost on the way, and how complete the search is."""
    input:
        steps=collect("<run>/{step}/manifest.json", step=SURVEY[:9]),
        frames=own_frames(),
        planted=collect(
            "<run>/planted/{step}/manifest.json", step=TWIN_STEPS if settings.completeness.n_per_tile else ()
        ),
    output:
        "<run>/09_summary/manifest.json",
    log:
        text="<logs>/09_summary.log",
        json="<logs>/09_summary.jsonl",
    benchmark:
        "<logs>/09_summary.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    params:
        spec=spec("09_summary"),
        version=version("09_summary"),
        upstream=lambda wildcards, input: [f"--upstream {manifest}" for manifest in input],
    shell:
        "python -m lostlight step 09_summary {params.upstream} --out {output} --params {params.spec:q} --log {log.json} > {log.text} 2>&1"
