rule step08_shard:
    """Cut artefacts, known and moving objects; label every row."""
    input:
        masks="<run>/{twin}02_masks/shards/{scatteritem}.json",
        reference="<run>/{twin}06_reference/shards/{scatteritem}.json",
        xmatch="<run>/{twin}07_xmatch/shards/{scatteritem}.json",
        own=given(*settings.filter.second_catalogs),
    output:
        "<run>/{twin}08_filter/shards/{scatteritem}.json",
    log:
        text="<logs>/{twin}08_filter/{scatteritem}.log",
        json="<logs>/{twin}08_filter/{scatteritem}.jsonl",
    benchmark:
        "<logs>/{twin}08_filter/{scatteritem}.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: WORKERS
    params:
        spec=spec("08_filter"),
        version=version("08_filter"),
    shell:
        "python -m lostlight step 08_filter --upstream {input.masks} --upstream {input.reference} --upstream {input.xmatch}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} > {log.text} 2>&1"
