"""Every contact and decision as Parquet. The only room with pyarrow."""
