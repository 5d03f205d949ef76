rule deliver:
    """Put the report and the archive where people look for them, and the latest report on the dashboard."""
    input:
        summary="<run>/09_summary/manifest.json",
        package="<run>/10_package/manifest.json",
    output:
        page=report("<artifacts>/report.html", caption="../report/report.rst", category="Results"),
        table=report("<artifacts>/candidates.ecsv", caption="../report/candidates.rst", category="Results"),
        package=f"<artifacts>/{settings.run.id}.zip",
        sha256=f"<artifacts>/{settings.run.id}.zip.sha256",
    log:
        "<logs>/deliver.log",
    localrule: True
    conda:
        "../../envs/pipeline.yaml"
    shell:
        "(products=$(dirname {input.summary})/products; package=$(dirname {input.package})/products/package.zip;"
        " cp $products/report.html {output.page}; cp $products/candidates.ecsv {output.table};"
        " cp $package {output.package}; sed s/package.zip/$(basename {output.package})/ $package.sha256 > {output.sha256};"
        " mkdir -p dashboard; for name in report.html anomalies_minimal.csv; do"
        " cp $products/$name dashboard/.$name; mv dashboard/.$name dashboard/$name; done) > {log} 2>&1"
