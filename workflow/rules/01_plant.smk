rule plant:
    """Plant artificial stars in a twin of every plate; the twin goes through steps 02 to 08 by the same rules."""
    input:
        download="<run>/01_download/shards/{scatteritem}.json",
        masks="<run>/02_masks/shards/{scatteritem}.json",
        psf="<run>/04_psf/shards/{scatteritem}.json",
    output:
        "<run>/planted/01_download/shards/{scatteritem}.json",
    log:
        text="<logs>/planted/01_plant/{scatteritem}.log",
        json="<logs>/planted/01_plant/{scatteritem}.jsonl",
    benchmark:
        "<logs>/planted/01_plant/{scatteritem}.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: WORKERS
    params:
        spec=spec(PLANT),
        version=version(PLANT),
    shell:
        "python -m lostlight step 01_plant --upstream {input.download} --upstream {input.masks} --upstream {input.psf}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} > {log.text} 2>&1"
