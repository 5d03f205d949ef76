"""Pictures and pages made from manifests and tables, and from nothing else."""
