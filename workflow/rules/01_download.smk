rule step01_shard:
    """Fetch one plate image per tile, and accept only what is whole and of the right survey."""
    input:
        tiles="<run>/00_tiles/manifest.json",
        own=given(settings.download.folder),
        frames=searched(),
    output:
        "<run>/01_download/shards/{scatteritem}.json",
    log:
        text="<logs>/01_download/{scatteritem}.log",
        json="<logs>/01_download/{scatteritem}.jsonl",
    benchmark:
        "<logs>/01_download/{scatteritem}.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    threads: settings.download.max_connections
    resources:
        net=1,
    params:
        spec=spec("01_download"),
        version=version("01_download"),
        upstream=upstream,
    shell:
        "python -m lostlight step 01_download --upstream {input.tiles} {params.upstream} --shard {wildcards.scatteritem}"
        " --out {output} --params {params.spec:q} --workers {threads} --log {log.json} > {log.text} 2>&1"
