rule step04_shard:
    """Model the point spread function over each tile."""
    input:
        masks="<run>/{twin}02_masks/shards/{scatteritem}.json",
        detect="<run>/{twin}03_detect/shards/{scatteritem}.json",
    output:
        "<run>/{twin}04_psf/shards/{scatteritem}.json",
    log:
        text="<logs>/{twin}04_psf/{scatteritem}.log",
        json="<logs>/{twin}04_psf/{scatteritem}.jsonl",
    benchmark:
        "<logs>/{twin}04_psf/{scatteritem}.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: WORKERS
    params:
        spec=spec("04_psf"),
        version=version("04_psf"),
    shell:
        "python -m lostlight step 04_psf --upstream {input.masks} --upstream {input.detect}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} > {log.text} 2>&1"
