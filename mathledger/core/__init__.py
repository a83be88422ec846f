"""The ground that every room stands on: errors, strict records, files, tables, digests, kernels."""
