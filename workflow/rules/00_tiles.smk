rule step00:
    """Turn positions into tiles."""
    input:
        own=given(settings.tiles.positions_csv, settings.tiles.plates, settings.tiles.images),
        frames=searched(),
    output:
        "<run>/00_tiles/manifest.json",
    log:
        text="<logs>/00_tiles.log",
        json="<logs>/00_tiles.jsonl",
    benchmark:
        "<logs>/00_tiles.bench.tsv"
    conda:
        "../../envs/pipeline.yaml"
    params:
        spec=spec("00_tiles"),
        version=version("00_tiles"),
        upstream=upstream,
    shell:
        "python -m lostlight step 00_tiles {params.upstream}"
        " --out {output} --params {params.spec:q} --log {log.json} > {log.text} 2>&1"
