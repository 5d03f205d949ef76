rule step03_shard:
    """First pass of source extraction, for the PSF."""
    input:
        masks="<run>/{twin}02_masks/shards/{scatteritem}.json",
    output:
        "<run>/{twin}03_detect/shards/{scatteritem}.json",
    log:
        text="<logs>/{twin}03_detect/{scatteritem}.log",
        json="<logs>/{twin}03_detect/{scatteritem}.jsonl",
    benchmark:
        "<logs>/{twin}03_detect/{scatteritem}.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: WORKERS
    params:
        spec=spec("03_detect"),
        version=version("03_detect"),
    shell:
        "python -m lostlight step 03_detect --upstream {input.masks}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} > {log.text} 2>&1"
