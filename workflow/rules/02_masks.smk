rule step02_shard:
    """Mark the pixels not to trust: saturation, bright stars, edges, trails."""
    input:
        download="<run>/{twin}01_download/shards/{scatteritem}.json",
    output:
        "<run>/{twin}02_masks/shards/{scatteritem}.json",
    log:
        text="<logs>/{twin}02_masks/{scatteritem}.log",
        json="<logs>/{twin}02_masks/{scatteritem}.jsonl",
    benchmark:
        "<logs>/{twin}02_masks/{scatteritem}.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: WORKERS
    params:
        spec=spec("02_masks"),
        version=version("02_masks"),
    shell:
        "python -m lostlight step 02_masks --upstream {input.download}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} > {log.text} 2>&1"
