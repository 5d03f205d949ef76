rule step06_shard:
    """Fetch the catalogues around each tile, moved to the plate's epoch."""
    input:
        download="<run>/{twin}01_download/shards/{scatteritem}.json",
        own=given(settings.reference.own.path),
    output:
        "<run>/{twin}06_reference/shards/{scatteritem}.json",
    log:
        text="<logs>/{twin}06_reference/{scatteritem}.log",
        json="<logs>/{twin}06_reference/{scatteritem}.jsonl",
    benchmark:
        "<logs>/{twin}06_reference/{scatteritem}.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: 1
    resources:
        net=1,
    params:
        spec=spec("06_reference"),
        version=version("06_reference"),
    shell:
        "python -m lostlight step 06_reference --upstream {input.download}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} > {log.text} 2>&1"
