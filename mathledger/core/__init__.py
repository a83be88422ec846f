"""The foundation of all rooms: errors, strict records, files, tables, digests and kernels."""
