"""The demo that `make up` provisions: through the same services as everything else."""
