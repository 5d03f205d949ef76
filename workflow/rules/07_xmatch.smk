rule step07_shard:
    """Match detections with catalogues; keep what has no counterpart."""
    input:
        masks="<run>/{twin}02_masks/shards/{scatteritem}.json",
        measure="<run>/{twin}05_measure/shards/{scatteritem}.json",
        reference="<run>/{twin}06_reference/shards/{scatteritem}.json",
    output:
        "<run>/{twin}07_xmatch/shards/{scatteritem}.json",
    log:
        text="<logs>/{twin}07_xmatch/{scatteritem}.log",
        json="<logs>/{twin}07_xmatch/{scatteritem}.jsonl",
    benchmark:
        "<logs>/{twin}07_xmatch/{scatteritem}.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: WORKERS
    params:
        spec=spec("07_xmatch"),
        version=version("07_xmatch"),
    shell:
        "python -m lostlight step 07_xmatch --upstream {input.masks} --upstream {input.measure} --upstream {input.reference}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} > {log.text} 2>&1"
