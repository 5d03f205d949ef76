rule step05_shard:
    """Second pass of source extraction, with the PSF."""
    input:
        masks="<run>/{twin}02_masks/shards/{scatteritem}.json",
        psf="<run>/{twin}04_psf/shards/{scatteritem}.json",
    output:
        "<run>/{twin}05_measure/shards/{scatteritem}.json",
    log:
        text="<logs>/{twin}05_measure/{scatteritem}.log",
        json="<logs>/{twin}05_measure/{scatteritem}.jsonl",
    benchmark:
        "<logs>/{twin}05_measure/{scatteritem}.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: WORKERS
    params:
        spec=spec("05_measure"),
        version=version("05_measure"),
    shell:
        "python -m lostlight step 05_measure --upstream {input.masks} --upstream {input.psf}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} > {log.text} 2>&1"
