"""The pages of the pipeline: home, the deals, one deal, the datasets."""
